"""Ledgers as the tables that they are: copied row by row, and looked through for faults."""
