-- Version 9: what people and programs outside of runs have asked for, done and are to be told.

BEGIN IMMEDIATE;

-- `value` is a JSON object, whose keys depend on `kind`; `about` is a run or the like.
CREATE TABLE memos (
    account TEXT NOT NULL,
    kind    TEXT NOT NULL,
    id      TEXT NOT NULL,
    at      TEXT NOT NULL,
    value   TEXT NOT NULL,
    about   TEXT NOT NULL DEFAULT '',
    open    INTEGER NOT NULL DEFAULT 0,
    version INTEGER NOT NULL DEFAULT 1,
    PRIMARY KEY (account, kind, id)
) WITHOUT ROWID;

CREATE INDEX memos_by_time ON memos (account, kind, at, id);
CREATE INDEX memos_about ON memos (account, kind, about, at, id) WHERE about <> '';
CREATE INDEX memos_open ON memos (account, kind, at, id) WHERE open = 1;

PRAGMA user_version = 9;

COMMIT;
