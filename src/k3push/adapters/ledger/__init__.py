"""The ledgers: one port, in memory, SQLite and PostgreSQL, and the rules that all three share."""
