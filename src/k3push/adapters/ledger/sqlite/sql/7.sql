-- Version 7: a claim is of a source bill and a target form on an account, whatever the route or the
-- rule; runs know their account, attempts who sent them.

BEGIN IMMEDIATE;

ALTER TABLE runs ADD COLUMN account TEXT NOT NULL DEFAULT '';
ALTER TABLE runs ADD COLUMN begun_with TEXT;
ALTER TABLE attempts ADD COLUMN sender TEXT NOT NULL DEFAULT '';

UPDATE runs SET account = substr(scope, 1, instr(scope || '|', '|') - 1);
UPDATE runs
SET scope = account || '|' || lower(json_extract(route, '$.source'))
    || '|' || lower(json_extract(route, '$.target'));

CREATE INDEX runs_by_account ON runs (account, started_at, id);
CREATE INDEX runs_by_scope ON runs (scope, started_at, id);

-- Runs that held one bill under two rules: of those, one that may have sent it keeps the claim.
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

-- Measured under the scopes of old.
DELETE FROM paces;

CREATE INDEX attempts_in_order ON attempts (run);
CREATE INDEX attempts_by_sender ON attempts (run, sender);
CREATE INDEX rows_of_twins ON rows (run) WHERE code = 'twin';

-- Two accounts may watch one folder.
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
