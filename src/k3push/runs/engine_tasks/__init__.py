"""The tasks of the engine: planned rows in, doubts out, and pauses where the ERP needs them."""
