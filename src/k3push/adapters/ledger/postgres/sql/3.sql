-- Version 3: a claim is of a source bill and a target form on an account, whatever the route or the
-- rule; runs know their account, attempts who sent them.

ALTER TABLE runs ADD COLUMN account TEXT COLLATE "C" NOT NULL DEFAULT '';
ALTER TABLE runs ADD COLUMN begun_with TEXT COLLATE "C";
ALTER TABLE attempts ADD COLUMN sender TEXT COLLATE "C" NOT NULL DEFAULT '';

UPDATE runs SET account = split_part(scope, '|', 1);
UPDATE runs
SET scope = account || '|' || lower(route::json ->> 'source') || '|' || lower(route::json ->> 'target');

CREATE INDEX runs_by_account ON runs (account, started_at, id);
CREATE INDEX runs_by_scope ON runs (scope, started_at, id);

-- Runs that held one bill under two rules: of those, one that may have sent it keeps the claim.
CREATE TEMPORARY TABLE joined_claims ON COMMIT DROP AS
SELECT DISTINCT ON (runs.scope, claims.number) runs.scope, claims.number, claims.run
FROM claims
JOIN runs ON runs.key = claims.run
LEFT JOIN rows ON rows.bill = claims.number AND rows.run = claims.run
ORDER BY runs.scope, claims.number, coalesce(rows.state, '') IN ('sent', 'unknown') DESC, claims.run;

DELETE FROM claims;
INSERT INTO claims (scope, number, run) SELECT scope, number, run FROM joined_claims;

-- Measured under the scopes of old.
DELETE FROM paces;

CREATE INDEX attempts_by_sender ON attempts (run, sender, id);
CREATE INDEX rows_of_twins ON rows (run) WHERE code = 'twin';

-- Two accounts may watch one folder.
ALTER TABLE taken_files DROP CONSTRAINT taken_files_pkey;
ALTER TABLE taken_files ADD PRIMARY KEY (folder, name, digest, run);

UPDATE schema_version SET version = 3;
