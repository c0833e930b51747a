"""The ledgers: one port, SQLite and PostgreSQL, and the rules that both share.

What they decide stands in `rules` once. What they ask a database stands in each of them, even
where two texts are alike: the dialects differ in how they take lists, lock rows and choose an
index, and a text that fitted both would be read twice and planned badly.
"""
