-- Version 3: one worker finds what is due for all, and looks have places of their own.

-- Who leads, and until when, by the database's clock.
CREATE TABLE fleet_leader (
    one boolean PRIMARY KEY DEFAULT true CHECK (one),
    worker text NOT NULL,
    until timestamptz NOT NULL
);

-- `wanted` schedules begin at `begin_at`, and `looker` is the worker that looks after one.
ALTER TABLE fleet_schedules ADD COLUMN spread_s integer NOT NULL DEFAULT 0;
ALTER TABLE fleet_schedules ADD COLUMN begin_at timestamptz;
ALTER TABLE fleet_schedules ADD COLUMN looker text;
ALTER TABLE fleet_schedules ADD COLUMN looked_at timestamptz;
CREATE INDEX fleet_schedules_due ON fleet_schedules (due_at);
CREATE INDEX fleet_schedules_wanted ON fleet_schedules (begin_at) WHERE wanted;
CREATE INDEX fleet_schedules_looked ON fleet_schedules (tenant) WHERE looker IS NOT NULL;

CREATE INDEX fleet_runs_of_worker ON fleet_runs (worker) WHERE worker IS NOT NULL;
CREATE INDEX fleet_runs_ended ON fleet_runs (ended_at) WHERE outcome IS NOT NULL;

CREATE INDEX fleet_runs_last ON fleet_runs (tenant, coalesce(ended_at, asked_at) DESC, run DESC);
CREATE INDEX fleet_runs_waiting ON fleet_runs (tenant)
    WHERE outcome IS NULL OR outcome = 'person';

UPDATE fleet_version SET version = 3;
