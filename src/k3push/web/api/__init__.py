"""What programs ask over HTTP: pushes, plans, and what became of them."""
