-- Version 5: how many numbers a run has, by which its turn comes; NULL where an older version has
-- queued it.
ALTER TABLE fleet_runs ADD COLUMN numbers integer;
CREATE INDEX fleet_runs_short ON fleet_runs (not_before)
    WHERE outcome IS NULL AND worker IS NULL AND numbers <= 100;

-- The engine and we ask for jobs by these, of which thousands may wait; its own indexes make such a
-- question go through all of them.
CREATE INDEX fleet_jobs_by_lock ON procrastinate_jobs (lock) WHERE status IN ('todo', 'doing');
CREATE INDEX fleet_jobs_by_name ON procrastinate_jobs (queueing_lock)
    WHERE status IN ('todo', 'doing');

UPDATE fleet_version SET version = 5;
