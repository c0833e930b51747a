"""One call that pushes: the look before it, the one door, and the looks after it."""
