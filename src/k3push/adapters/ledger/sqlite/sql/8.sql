-- Version 8: a row knows its source by id; what follows a push has documents and steps.

BEGIN IMMEDIATE;

-- `listed_id` is what the job file says, `source_id` what the ERP told of the bill. `bill` has the
-- id behind a comma where the ERP has several bills of the number.
ALTER TABLE rows ADD COLUMN listed_id TEXT NOT NULL DEFAULT '';
ALTER TABLE rows ADD COLUMN source_id TEXT;

DROP INDEX rows_by_number;
CREATE UNIQUE INDEX rows_by_number ON rows (number, listed_id, run);

-- A number is claimed for one bill at a time: documents may name nothing but the number.
ALTER TABLE claims ADD COLUMN bill TEXT NOT NULL DEFAULT '';
UPDATE claims SET bill = number;

DROP VIEW ledger;
CREATE VIEW ledger AS
SELECT
    runs.id AS run, rows.place, rows.line, rows.number, rows.bill, rows.state, rows.targets,
    rows.code, rows.reason, rows.attempts, attempts.chunk, attempts.began_at AS sent_at,
    rows.settled_at, rows.listed_id, rows.source_id
FROM rows
JOIN runs ON runs.key = rows.run
LEFT JOIN attempts ON attempts.id = rows.attempt;

-- A document that is to be submitted or approved, once for each run, whatever its sources.
-- `follow` is NULL until something is known: submitted, approved, waiting, refused, unknown.
-- `step` is the last attempt at a step of it.
CREATE TABLE documents (
    run    INTEGER NOT NULL REFERENCES runs (key),
    id     TEXT NOT NULL,
    number TEXT NOT NULL,
    sender TEXT NOT NULL,  -- whose push made it, who may be the only one to see it
    follow TEXT,
    reason TEXT,
    step   INTEGER REFERENCES steps (id),
    at     TEXT NOT NULL,
    PRIMARY KEY (run, id)
) WITHOUT ROWID;

-- Columns are those of `attempts`; `kind` is submit or audit, `ids` a list of documents, and
-- `stood` the status (FDocumentStatus) that all of them were read to have.
CREATE TABLE steps (
    id       INTEGER PRIMARY KEY,
    run      INTEGER NOT NULL REFERENCES runs (key),
    kind     TEXT NOT NULL,
    ids      TEXT NOT NULL,
    stood    TEXT NOT NULL,
    began_at TEXT NOT NULL,
    boot     TEXT,
    uptime_s REAL NOT NULL,
    sender   TEXT NOT NULL DEFAULT '',
    request  BLOB NOT NULL,
    ended_at TEXT,
    verdict  TEXT,
    answer   TEXT,
    status   INTEGER,
    because  TEXT,
    body     BLOB
);

CREATE INDEX steps_open ON steps (run) WHERE ended_at IS NULL;
CREATE INDEX steps_by_run ON steps (run, id);

CREATE INDEX rows_in_part ON rows (run) WHERE code = 'partly';

PRAGMA user_version = 8;

COMMIT;
