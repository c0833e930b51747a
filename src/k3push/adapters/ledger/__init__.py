"""The ledgers: one port, SQLite and PostgreSQL, and the rules that both share.

What they decide stands in `rules` once, and what both databases are asked in the same order in
`sql_steps`, with the statements that both take as they are. A statement that takes a list, locks
rows or needs a certain index stands in each of them under one name: a text that fitted both would
be planned badly.
"""
