-- Version 2: how many calls at once `auto` came to, to begin with the next time.

CREATE TABLE paces (
    scope TEXT COLLATE "C" PRIMARY KEY,
    calls INTEGER NOT NULL
);

UPDATE schema_version SET version = 2;
