"""What goes wrong, and with which request."""
