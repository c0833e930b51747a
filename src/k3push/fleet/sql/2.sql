-- Which request of a server a run was queued for; '' is none. A request queues its runs once.
ALTER TABLE fleet_runs ADD COLUMN asked_by text NOT NULL DEFAULT '';
