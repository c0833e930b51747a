-- Version 6: what is asked for once. A look that fails half way is made again, for the same turn.

-- Which turn of a schedule is looked after: when it was due. NULL once that is done.
ALTER TABLE fleet_schedules ADD COLUMN turn timestamptz;

-- What a run is of, such as a file, or a turn of a schedule: no two are of one; '' is anything.
ALTER TABLE fleet_runs ADD COLUMN part text NOT NULL DEFAULT '';
CREATE UNIQUE INDEX fleet_runs_of_part ON fleet_runs (tenant, part) WHERE part <> '';

-- Numbers that the last execution has left in doubt.
ALTER TABLE fleet_runs ADD COLUMN in_doubt integer NOT NULL DEFAULT 0;
CREATE INDEX fleet_runs_in_doubt ON fleet_runs (tenant) WHERE in_doubt > 0;

UPDATE fleet_version SET version = 6;
