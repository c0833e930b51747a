-- What the fleet has to do. All times are the database's, since hosts' clocks may be minutes apart.
-- It stands in the schema k3push_fleet, beside the engine's tables.

-- Runs that are the fleet's to execute; their numbers are in the tenants' ledgers.
CREATE TABLE fleet_runs (
    tenant text NOT NULL,
    run text NOT NULL,
    lock text NOT NULL,                              -- runs of one lock go one after another
    send_window text NOT NULL,                       -- of its schedule; '' is the tenant's own
    time_zone text NOT NULL,                         -- whose clock the window goes by; '' is the host's
    asked_at timestamptz NOT NULL DEFAULT now(),
    listed boolean NOT NULL DEFAULT false,           -- all of its numbers are in the ledger
    not_before timestamptz NOT NULL DEFAULT now(),
    only_settle boolean NOT NULL DEFAULT false,      -- nothing is sent
    waits integer NOT NULL DEFAULT 0,                -- vain executions in a row
    worker text,                                     -- who executes it
    began_at timestamptz,
    outcome text,                                    -- NULL while it is to be done
    exit integer,                                    -- of the last execution
    why text NOT NULL DEFAULT '',
    ended_at timestamptz,
    PRIMARY KEY (tenant, run)
);
CREATE INDEX fleet_runs_open ON fleet_runs (asked_at) WHERE outcome IS NULL;

-- Tenants of whom nothing begins.
CREATE TABLE fleet_pauses (
    tenant text PRIMARY KEY,
    since timestamptz NOT NULL DEFAULT now(),
    why text NOT NULL
);

CREATE TABLE fleet_schedules (
    tenant text NOT NULL,
    schedule text NOT NULL,
    cron text NOT NULL,                              -- with its time zone
    due_at timestamptz NOT NULL,
    wanted boolean NOT NULL DEFAULT false,           -- it was due, and has not been looked after
    why text NOT NULL DEFAULT '',                    -- what was wrong the last time
    PRIMARY KEY (tenant, schedule)
);

CREATE TABLE fleet_workers (
    worker text PRIMARY KEY,                         -- also the application_name of its sessions
    name text NOT NULL,
    host text NOT NULL,
    serves integer NOT NULL,
    seen_at timestamptz NOT NULL DEFAULT now()
);
