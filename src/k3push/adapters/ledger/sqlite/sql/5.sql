-- Version 5: how many calls at once `auto` came to, to begin with the next time.

BEGIN IMMEDIATE;

CREATE TABLE paces (
    scope TEXT PRIMARY KEY,
    calls INTEGER NOT NULL
) WITHOUT ROWID;

PRAGMA user_version = 5;

COMMIT;
