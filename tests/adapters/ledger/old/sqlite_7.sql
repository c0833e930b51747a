-- A ledger as version 7 of the SQLite schema wrote it.
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

CREATE TABLE claims (
    scope  TEXT NOT NULL,
    number TEXT NOT NULL,
    run    INTEGER NOT NULL REFERENCES runs (key),
    PRIMARY KEY (scope, number)
) WITHOUT ROWID;

CREATE INDEX claims_by_run ON claims (run, number);

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

BEGIN IMMEDIATE;

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

BEGIN IMMEDIATE;

CREATE TABLE taken_files (
    folder TEXT NOT NULL,
    name   TEXT NOT NULL,
    digest TEXT NOT NULL,
    run    INTEGER NOT NULL REFERENCES runs (key),
    PRIMARY KEY (folder, name, digest)
) WITHOUT ROWID;

PRAGMA user_version = 3;

DROP INDEX rows_by_state;
CREATE INDEX rows_by_state ON rows (run, state, place)
WHERE state <> 'planned' AND state <> 'sent' AND state <> 'pushed';

DROP INDEX claims_by_run;

PRAGMA user_version = 4;

CREATE TABLE paces (
    scope TEXT PRIMARY KEY,
    calls INTEGER NOT NULL
) WITHOUT ROWID;

ALTER TABLE runs ADD COLUMN account TEXT NOT NULL DEFAULT '';
ALTER TABLE runs ADD COLUMN begun_with TEXT;
ALTER TABLE attempts ADD COLUMN sender TEXT NOT NULL DEFAULT '';

UPDATE runs SET account = substr(scope, 1, instr(scope || '|', '|') - 1);
UPDATE runs
SET scope = account || '|' || lower(json_extract(route, '$.source'))
    || '|' || lower(json_extract(route, '$.target'));

CREATE INDEX runs_by_account ON runs (account, started_at, id);
CREATE INDEX runs_by_scope ON runs (scope, started_at, id);

CREATE TABLE joined_claims (
    scope  TEXT NOT NULL,
    number TEXT NOT NULL,
    run    INTEGER NOT NULL REFERENCES runs (key),
    PRIMARY KEY (scope, number)
) WITHOUT ROWID;

INSERT OR IGNORE INTO joined_claims (scope, number, run)
SELECT runs.scope, claims.number, claims.run
FROM claims
JOIN runs ON runs.key = claims.run
LEFT JOIN rows ON rows.bill = claims.number AND rows.run = claims.run
ORDER BY coalesce(rows.state, '') IN ('sent', 'unknown') DESC, claims.run;

DROP TABLE claims;
ALTER TABLE joined_claims RENAME TO claims;

DELETE FROM paces;

CREATE INDEX attempts_in_order ON attempts (run);
CREATE INDEX attempts_by_sender ON attempts (run, sender);
CREATE INDEX rows_of_twins ON rows (run) WHERE code = 'twin';

CREATE TABLE taken_by_runs (
    folder TEXT NOT NULL,
    name   TEXT NOT NULL,
    digest TEXT NOT NULL,
    run    INTEGER NOT NULL REFERENCES runs (key),
    PRIMARY KEY (folder, name, digest, run)
) WITHOUT ROWID;

INSERT INTO taken_by_runs SELECT folder, name, digest, run FROM taken_files;
DROP TABLE taken_files;
ALTER TABLE taken_by_runs RENAME TO taken_files;

PRAGMA user_version = 7;

COMMIT;

INSERT INTO runs (key, id, account, scope, route, jobs, folder, started_at, ended_at, exit, again_because, whole, listed, begun_with, attempts) VALUES (1, 'r0', 's', 's|po|other', '{"name":"po-instock","source":"PUR_PurchaseOrder","target":"STK_InStock","rule":"","source_number_field":"","draft_when_save_fails":false,"send_blocked":false,"allow_partial":false,"target_bill_type_id":"","target_org_id":0,"custom_params":{"k":[1,"二"]}}', '["orders.csv","更多.txt"]', 'results/orders.r1', '2024-05-17T12:00:00.250Z', NULL, NULL, NULL, 0, 2, NULL, 0);
INSERT INTO runs (key, id, account, scope, route, jobs, folder, started_at, ended_at, exit, again_because, whole, listed, begun_with, attempts) VALUES (2, 'r1', 's', 's|po|in', '{"name":"po-instock","source":"PUR_PurchaseOrder","target":"STK_InStock","rule":"","source_number_field":"","draft_when_save_fails":false,"send_blocked":false,"allow_partial":false,"target_bill_type_id":"","target_org_id":0,"custom_params":{"k":[1,"二"]}}', '["orders.csv","更多.txt"]', 'results/orders.r1', '2024-05-17T12:00:00.250Z', '2024-05-17T12:00:09.250Z', 4, NULL, 1, 8, 'r0', 2);
INSERT INTO attempts (id, run, chunk, nth, began_at, boot, uptime_s, numbers, before, request, sender, ended_at, verdict, answer, status, because, body) VALUES (1, 2, 1, 1, '2024-05-17T12:00:00.250Z', '3f1c', 86400.125, '["A","B"]', '{"A":["before-A"],"B":["before-B"]}', X'4889AB56F22BCD4D4A2D2A56B252D2D3D353AA050032A60521', 'push', '2024-05-17T12:00:01.250Z', 'read back', 'answered', 200, NULL, X'4889AB560A4A2D2ECD2951B2AAAEAD0500213504EE');
INSERT INTO attempts (id, run, chunk, nth, began_at, boot, uptime_s, numbers, before, request, sender, ended_at, verdict, answer, status, because, body) VALUES (2, 2, 2, 1, '2024-05-17T12:00:00.250Z', '3f1c', 86400.125, '["C","丁"]', '{"C":["before-C"],"丁":["before-丁"]}', X'4889AB56F22BCD4D4A2D2A56B252D2D3D353AA050032A60521', 'push', '2024-05-17T12:00:02.250Z', 'doubt', 'no-answer', NULL, 'reset', NULL);
INSERT INTO rows (run, place, line, number, bill, state, targets, code, reason, attempts, attempt, settled_at) VALUES (1, 1, 1, 'A', 'A', 'planned', NULL, NULL, NULL, 0, NULL, NULL);
INSERT INTO rows (run, place, line, number, bill, state, targets, code, reason, attempts, attempt, settled_at) VALUES (1, 2, 2, 'B', 'B', 'planned', NULL, NULL, NULL, 0, NULL, NULL);
INSERT INTO rows (run, place, line, number, bill, state, targets, code, reason, attempts, attempt, settled_at) VALUES (2, 1, 1, 'A', 'A', 'pushed', '[["id-A","CGRK-A"]]', NULL, NULL, 1, 1, '2024-05-17T12:00:01.250Z');
INSERT INTO rows (run, place, line, number, bill, state, targets, code, reason, attempts, attempt, settled_at) VALUES (2, 2, 2, 'B', 'B', 'pushed', '[["id-B","CGRK-B"]]', NULL, NULL, 1, 1, '2024-05-17T12:00:01.250Z');
INSERT INTO rows (run, place, line, number, bill, state, targets, code, reason, attempts, attempt, settled_at) VALUES (2, 3, 3, 'C', 'C', 'unknown', NULL, '4', '单据 C 不满足条件', 1, 2, NULL);
INSERT INTO rows (run, place, line, number, bill, state, targets, code, reason, attempts, attempt, settled_at) VALUES (2, 4, 4, '丁', '丁', 'unknown', NULL, '4', '单据 丁 不满足条件', 1, 2, NULL);
INSERT INTO rows (run, place, line, number, bill, state, targets, code, reason, attempts, attempt, settled_at) VALUES (2, 5, 5, 'e', 'E', 'rejected', NULL, '4', '单据 E 不满足条件', 0, NULL, '2024-05-17T12:00:03.250Z');
INSERT INTO rows (run, place, line, number, bill, state, targets, code, reason, attempts, attempt, settled_at) VALUES (2, 7, 7, 'F', 'F', 'planned', NULL, NULL, NULL, 0, NULL, NULL);
INSERT INTO tallies (run, state, n) VALUES (1, 'planned', 2);
INSERT INTO tallies (run, state, n) VALUES (2, 'planned', 1);
INSERT INTO tallies (run, state, n) VALUES (2, 'pushed', 2);
INSERT INTO tallies (run, state, n) VALUES (2, 'rejected', 1);
INSERT INTO tallies (run, state, n) VALUES (2, 'sent', 0);
INSERT INTO tallies (run, state, n) VALUES (2, 'unknown', 2);
INSERT INTO repeats (run, place, line, number, first_place) VALUES (2, 6, 6, 'E', 5);
INSERT INTO repeats (run, place, line, number, first_place) VALUES (2, 8, 8, 'A', 1);
INSERT INTO claims (scope, number, run) VALUES ('s|po|in', 'C', 2);
INSERT INTO claims (scope, number, run) VALUES ('s|po|in', 'F', 2);
INSERT INTO claims (scope, number, run) VALUES ('s|po|in', '丁', 2);
INSERT INTO carried (number, attempt) VALUES ('A', 1);
INSERT INTO carried (number, attempt) VALUES ('B', 1);
INSERT INTO carried (number, attempt) VALUES ('C', 2);
INSERT INTO carried (number, attempt) VALUES ('丁', 2);
INSERT INTO notes (id, number, run, at, text) VALUES (1, 'E', 2, '2024-05-17T12:00:03.250Z', '未审核 (precheck)');
INSERT INTO commands (id, run, given_at, words, obeyed_at, on_their_way) VALUES (1, 2, '2024-05-17T12:00:00.250Z', 'pause', '2024-05-17T12:00:01.250Z', 2);
INSERT INTO taken_files (folder, name, digest, run) VALUES ('/inbox', '订单.csv', '00ff', 2);
INSERT INTO paces (scope, calls) VALUES ('s|po|in', 16);
