-- A ledger as version 2 of the SQLite schema wrote it.
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

INSERT INTO runs (key, id, scope, route, jobs, folder, started_at, ended_at, exit, again_because, whole, listed, attempts) VALUES (1, 'r0', 'other scope', '{"name":"po-instock","source":"PUR_PurchaseOrder","target":"STK_InStock","rule":"","source_number_field":"","draft_when_save_fails":false,"send_blocked":false,"allow_partial":false,"target_bill_type_id":"","target_org_id":0,"custom_params":{"k":[1,"二"]}}', '["orders.csv","更多.txt"]', 'results/orders.r1', '2024-05-17T12:00:00.250Z', NULL, NULL, NULL, 0, 2, 0);
INSERT INTO runs (key, id, scope, route, jobs, folder, started_at, ended_at, exit, again_because, whole, listed, attempts) VALUES (2, 'r1', 's', '{"name":"po-instock","source":"PUR_PurchaseOrder","target":"STK_InStock","rule":"","source_number_field":"","draft_when_save_fails":false,"send_blocked":false,"allow_partial":false,"target_bill_type_id":"","target_org_id":0,"custom_params":{"k":[1,"二"]}}', '["orders.csv","更多.txt"]', 'results/orders.r1', '2024-05-17T12:00:00.250Z', '2024-05-17T12:00:09.250Z', 4, NULL, 1, 8, 2);
INSERT INTO attempts (id, run, chunk, nth, began_at, boot, uptime_s, numbers, before, request, ended_at, verdict, answer, status, because, body) VALUES (1, 2, 1, 1, '2024-05-17T12:00:00.250Z', '3f1c', 86400.125, '["A","B"]', '{"A":["before-A"],"B":["before-B"]}', x'789cab56f22bcd4d4a2d2a56b252d2d3d353aa050032a60521', '2024-05-17T12:00:01.250Z', 'read back', 'answered', 200, NULL, x'789cab560a4a2d2ecd2951b2aaaead0500213504ee');
INSERT INTO attempts (id, run, chunk, nth, began_at, boot, uptime_s, numbers, before, request, ended_at, verdict, answer, status, because, body) VALUES (2, 2, 2, 1, '2024-05-17T12:00:00.250Z', '3f1c', 86400.125, '["C","丁"]', '{"C":["before-C"],"丁":["before-丁"]}', x'789cab56f22bcd4d4a2d2a56b252d2d3d353aa050032a60521', '2024-05-17T12:00:02.250Z', 'doubt', 'no-answer', NULL, 'reset', NULL);
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
INSERT INTO claims (scope, number, run) VALUES ('s', 'C', 2);
INSERT INTO claims (scope, number, run) VALUES ('s', 'F', 2);
INSERT INTO claims (scope, number, run) VALUES ('s', '丁', 2);
INSERT INTO carried (number, attempt) VALUES ('A', 1);
INSERT INTO carried (number, attempt) VALUES ('B', 1);
INSERT INTO carried (number, attempt) VALUES ('C', 2);
INSERT INTO carried (number, attempt) VALUES ('丁', 2);
INSERT INTO notes (id, number, run, at, text) VALUES (1, 'E', 2, '2024-05-17T12:00:03.250Z', '未审核 (precheck)');
INSERT INTO commands (id, run, given_at, words, obeyed_at, on_their_way) VALUES (1, 2, '2024-05-17T12:00:00.250Z', 'pause', '2024-05-17T12:00:01.250Z', 2);
