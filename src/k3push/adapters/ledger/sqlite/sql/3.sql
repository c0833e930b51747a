-- Version 3: which files of a folder have become a run.

BEGIN IMMEDIATE;

CREATE TABLE taken_files (
    folder TEXT NOT NULL,
    name   TEXT NOT NULL,
    digest TEXT NOT NULL,
    run    INTEGER NOT NULL REFERENCES runs (key),
    PRIMARY KEY (folder, name, digest)
) WITHOUT ROWID;

PRAGMA user_version = 3;

COMMIT;
