-- Version 15: a ledger knows in which file it was written, and so whether it was put back.

BEGIN IMMEDIATE;

-- One row, once a run was executed: `file` is what no copy of it has, and `moved_at` when the
-- ledger was first seen in another file than the one before.
CREATE TABLE home (file TEXT NOT NULL, moved_at TEXT);

PRAGMA user_version = 15;

COMMIT;
