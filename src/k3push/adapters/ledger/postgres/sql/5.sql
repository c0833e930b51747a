-- Version 5: what people and programs outside of runs have asked for, done and are to be told.

-- `value` is a JSON object, whose keys depend on `kind`; `about` is a run or the like.
CREATE TABLE memos (
    account TEXT COLLATE "C" NOT NULL,
    kind    TEXT COLLATE "C" NOT NULL,
    id      TEXT COLLATE "C" NOT NULL,
    at      TEXT COLLATE "C" NOT NULL,
    value   TEXT NOT NULL,
    about   TEXT COLLATE "C" NOT NULL DEFAULT '',
    open    INTEGER NOT NULL DEFAULT 0,
    version INTEGER NOT NULL DEFAULT 1,
    PRIMARY KEY (account, kind, id)
);

CREATE INDEX memos_by_time ON memos (account, kind, at, id);
CREATE INDEX memos_about ON memos (account, kind, about, at, id) WHERE about <> '';
CREATE INDEX memos_open ON memos (account, kind, at, id) WHERE open = 1;

UPDATE schema_version SET version = 5;
