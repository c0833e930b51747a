-- Version 8: old runs are archived, and what nothing rests on is removed.

-- `archive` is a JSON object: file, sha256, at. `pruned` is 1 once nothing is left to be removed.
ALTER TABLE runs ADD COLUMN archive TEXT;
ALTER TABLE runs ADD COLUMN pruned INTEGER NOT NULL DEFAULT 0;

CREATE INDEX runs_unpruned ON runs (account, ended_at) WHERE pruned = 0;

UPDATE schema_version SET version = 8;
