-- Version 2: what a person says to a run that is under way, in the words of `k3push control`.

BEGIN IMMEDIATE;

-- Ids are never given out again: whoever gave a command waits for its own to be obeyed.
CREATE TABLE commands (
    id           INTEGER PRIMARY KEY AUTOINCREMENT,
    run          INTEGER NOT NULL REFERENCES runs (key),
    given_at     TEXT NOT NULL,
    words        TEXT NOT NULL,
    obeyed_at    TEXT,
    on_their_way INTEGER NOT NULL DEFAULT 0
);

CREATE INDEX commands_by_run ON commands (run, id);

PRAGMA user_version = 2;

COMMIT;
