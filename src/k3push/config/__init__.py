"""Configuration files into frozen objects."""
