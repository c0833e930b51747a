-- Version 4: why old runs of a tenant could not be archived after a run; '' if they could, NULL if
-- nobody tried.
ALTER TABLE fleet_runs ADD COLUMN unarchived text;
CREATE INDEX fleet_runs_unarchived ON fleet_runs (tenant) WHERE unarchived <> '';

UPDATE fleet_version SET version = 4;
