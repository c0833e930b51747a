"""How much is sent at once, in which order, when, and when it stops."""
