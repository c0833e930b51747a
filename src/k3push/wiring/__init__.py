"""Settings into the objects that the use cases work with."""
