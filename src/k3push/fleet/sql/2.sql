-- Version 2: files that are not read any more, and who asked for a run.

CREATE TABLE fleet_version (version integer NOT NULL);

-- Job files that ended their readers, by what is in them; a person may have them tried again.
CREATE TABLE fleet_aside (
    tenant text NOT NULL,
    digest text NOT NULL,
    file text NOT NULL,
    at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (tenant, digest)
);

-- Which request of a server a run was queued for; '' is none. A request queues its runs once.
ALTER TABLE fleet_runs ADD COLUMN IF NOT EXISTS asked_by text NOT NULL DEFAULT '';

INSERT INTO fleet_version (version) VALUES (2);
