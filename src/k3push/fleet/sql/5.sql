-- Version 5: how many numbers a run has, by which its turn comes; NULL where an older version has
-- queued it.
ALTER TABLE fleet_runs ADD COLUMN numbers integer;
CREATE INDEX fleet_runs_short ON fleet_runs (numbers) WHERE outcome IS NULL AND worker IS NULL;

UPDATE fleet_version SET version = 5;
