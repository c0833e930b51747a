"""Who comes in, from where, by which way and with which role, and how much is taken of them."""
