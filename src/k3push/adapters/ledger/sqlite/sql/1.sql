-- Version 1 of the SQLite ledger.
--
-- Times are ISO 8601 in UTC with milliseconds, lists and mappings are JSON, and what is empty
-- is NULL. Which moves are legal is not said here: `core/safety/legal_moves.py` knows.

BEGIN IMMEDIATE;

CREATE TABLE runs (
    key           INTEGER PRIMARY KEY,
    id            TEXT NOT NULL UNIQUE,
    scope         TEXT NOT NULL,
    route         TEXT NOT NULL,
    jobs          TEXT NOT NULL,
    folder        TEXT NOT NULL,
    started_at    TEXT NOT NULL,
    ended_at      TEXT,
    exit          INTEGER,
    again_because TEXT,
    whole         INTEGER NOT NULL DEFAULT 0,  -- 1 once all lines are there
    listed        INTEGER NOT NULL DEFAULT 0,  -- lines so far, rows and repeats
    attempts      INTEGER NOT NULL DEFAULT 0
);

-- When a row was sent, and in which chunk, is what its last attempt says.
CREATE TABLE rows (
    run        INTEGER NOT NULL REFERENCES runs (key),
    place      INTEGER NOT NULL,
    line       INTEGER NOT NULL,
    number     TEXT NOT NULL,
    bill       TEXT,
    state      TEXT NOT NULL DEFAULT 'planned',
    targets    TEXT,
    code       TEXT,
    reason     TEXT,
    attempts   INTEGER NOT NULL DEFAULT 0,
    attempt    INTEGER REFERENCES attempts (id),
    settled_at TEXT,
    PRIMARY KEY (run, place)
) WITHOUT ROWID;

CREATE UNIQUE INDEX rows_by_number ON rows (number, run);
CREATE UNIQUE INDEX rows_by_bill ON rows (bill, run) WHERE bill IS NOT NULL;
CREATE INDEX rows_by_state ON rows (run, state, place);

-- Counted with every move, since a million rows cannot be counted at every glance.
CREATE TABLE tallies (
    run   INTEGER NOT NULL REFERENCES runs (key),
    state TEXT NOT NULL,
    n     INTEGER NOT NULL,
    PRIMARY KEY (run, state)
) WITHOUT ROWID;

CREATE TABLE repeats (
    run         INTEGER NOT NULL REFERENCES runs (key),
    place       INTEGER NOT NULL,
    line        INTEGER NOT NULL,
    number      TEXT NOT NULL,
    first_place INTEGER NOT NULL,
    PRIMARY KEY (run, place)
) WITHOUT ROWID;

CREATE INDEX repeats_by_first ON repeats (run, first_place);

-- Only what is claimed now; the key is what keeps two runs apart.
CREATE TABLE claims (
    scope  TEXT NOT NULL,
    number TEXT NOT NULL,
    run    INTEGER NOT NULL REFERENCES runs (key),
    PRIMARY KEY (scope, number)
) WITHOUT ROWID;

CREATE INDEX claims_by_run ON claims (run, number);

-- `boot` and `uptime_s` are of the machine, when the attempt began: nobody can set them.
-- `answer` is answered, never-sent, no-answer or timed-out. Request and body are zlib streams.
-- A verdict without `ended_at` says that the executor was found dead.
CREATE TABLE attempts (
    id       INTEGER PRIMARY KEY,
    run      INTEGER NOT NULL REFERENCES runs (key),
    chunk    INTEGER NOT NULL,
    nth      INTEGER NOT NULL,
    began_at TEXT NOT NULL,
    boot     TEXT,
    uptime_s REAL NOT NULL,
    numbers  TEXT NOT NULL,
    before   TEXT,
    request  BLOB NOT NULL,
    ended_at TEXT,
    verdict  TEXT,
    answer   TEXT,
    status   INTEGER,
    because  TEXT,
    body     BLOB
);

CREATE INDEX attempts_by_run ON attempts (run, chunk);
CREATE INDEX attempts_open ON attempts (run) WHERE ended_at IS NULL;

CREATE TABLE carried (
    number  TEXT NOT NULL,
    attempt INTEGER NOT NULL REFERENCES attempts (id),
    PRIMARY KEY (number, attempt)
) WITHOUT ROWID;

CREATE TABLE notes (
    id     INTEGER PRIMARY KEY,
    number TEXT NOT NULL,
    run    INTEGER NOT NULL REFERENCES runs (key),
    at     TEXT NOT NULL,
    text   TEXT NOT NULL
);

CREATE INDEX notes_by_number ON notes (number);

-- What a person or a report wants to see of the rows.
CREATE VIEW ledger AS
SELECT
    runs.id AS run, rows.place, rows.line, rows.number, rows.bill, rows.state, rows.targets,
    rows.code, rows.reason, rows.attempts, attempts.chunk, attempts.began_at AS sent_at,
    rows.settled_at
FROM rows
JOIN runs ON runs.key = rows.run
LEFT JOIN attempts ON attempts.id = rows.attempt;

PRAGMA application_id = 0x4B335055;  -- "K3PU"
PRAGMA user_version = 1;

COMMIT;
