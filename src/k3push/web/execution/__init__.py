"""What people and programs ask of a tenant is done: when, in which order, and by which plan."""
