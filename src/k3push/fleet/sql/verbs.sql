-- The statements of the fleet's database, each under its name: who takes a run, and who a schedule.

-- name: version
SELECT CASE
    WHEN to_regclass('k3push_fleet.fleet_runs') IS NULL THEN 0
    WHEN to_regclass('k3push_fleet.fleet_version') IS NULL THEN 1
    ELSE 2
END AS version;

-- name: version_noted
SELECT version FROM fleet_version;

-- name: one_at_a_time
SELECT pg_advisory_xact_lock(hashtext('k3push_fleet'));

-- name: is_registered
SELECT EXISTS (SELECT FROM procrastinate_workers WHERE id = :engine) AS found;

-- name: beat_of_engine
UPDATE procrastinate_workers SET last_heartbeat = now() WHERE id = :engine;

-- name: now
SELECT now() AS now;

-- name: ask
-- Nothing where another run is of that part.
INSERT INTO fleet_runs (tenant, run, lock, send_window, time_zone, part)
VALUES (:tenant, :run, :lock, :window, :zone, :part)
ON CONFLICT (tenant, part) WHERE part <> '' DO NOTHING
RETURNING run;

-- name: run_of_part
SELECT run, listed, extract(epoch FROM now() - asked_at)::float8 AS age_s
FROM fleet_runs WHERE tenant = :tenant AND part = :part;

-- name: runs_of_turn
SELECT run FROM fleet_runs WHERE tenant = :tenant AND starts_with(part, :turn);

-- name: free_part
-- One that was not listed is never executed then, though it was cancelled and is queued again.
UPDATE fleet_runs
SET part = '', outcome = CASE WHEN listed THEN outcome ELSE 'dropped' END,
    ended_at = CASE WHEN listed THEN ended_at ELSE now() END
WHERE tenant = :tenant AND run = :run AND part = :part AND listed = :listed;

-- name: unask
-- Its id was another account's.
DELETE FROM fleet_runs WHERE tenant = :tenant AND run = :run AND NOT listed;

-- name: listed
-- Nothing where it was dropped meanwhile.
UPDATE fleet_runs SET listed = true, numbers = :numbers
WHERE tenant = :tenant AND run = :run AND outcome IS DISTINCT FROM 'dropped'
RETURNING run;

-- name: hand_over
INSERT INTO fleet_runs AS r (
    tenant, run, lock, send_window, time_zone, listed, asked_by, numbers
)
VALUES (:tenant, :run, :lock, '', '', true, :request, :numbers)
-- What waits, perhaps only to be settled, goes on now; what a worker executes, after that.
ON CONFLICT (tenant, run) DO UPDATE
SET asked_by = excluded.asked_by, lock = excluded.lock, numbers = excluded.numbers, outcome = NULL,
    not_before = least(r.not_before, now()), waits = 0, why = '',
    only_settle = r.only_settle AND r.outcome IS NULL AND r.worker IS NOT NULL,
    worker = CASE WHEN r.outcome IS NULL THEN r.worker END
WHERE r.asked_by <> excluded.asked_by;

-- name: unlisted
SELECT tenant, run, extract(epoch FROM now() - asked_at)::float8 AS age_s
FROM fleet_runs
WHERE outcome IS NULL AND NOT listed AND tenant = ANY(:tenants::text[]);

-- name: due
SELECT tenant, run, lock, extract(epoch FROM not_before)::float8 AS since_s,
    coalesce(numbers, 0) AS numbers
FROM fleet_runs AS r
WHERE outcome IS NULL AND worker IS NULL AND listed AND not_before <= now()
    AND NOT EXISTS (SELECT FROM fleet_pauses AS p WHERE p.tenant = r.tenant)
    AND NOT EXISTS (
        SELECT FROM procrastinate_jobs AS j
        WHERE j.queueing_lock = r.tenant || '/' || r.run AND j.status IN ('todo', 'doing')
    )
ORDER BY asked_at, run
LIMIT :most;

-- name: due_of
-- Of the runs of a tenant that were asked for just now.
SELECT tenant, run, lock, extract(epoch FROM not_before)::float8 AS since_s,
    coalesce(numbers, 0) AS numbers
FROM fleet_runs AS r
WHERE tenant = :tenant AND run = ANY(:runs)
    AND outcome IS NULL AND worker IS NULL AND listed AND not_before <= now()
    AND NOT EXISTS (SELECT FROM fleet_pauses AS p WHERE p.tenant = r.tenant)
    AND NOT EXISTS (
        SELECT FROM procrastinate_jobs AS j
        WHERE j.queueing_lock = r.tenant || '/' || r.run AND j.status IN ('todo', 'doing')
    )
ORDER BY asked_at, run
LIMIT :most;

-- name: is_short
SELECT EXISTS (
    SELECT FROM fleet_runs WHERE tenant = :tenant AND run = :run AND numbers <= :short
) AS found;

-- name: fetch_short
-- As the engine fetches a job, of short runs alone, in the order of their coming.
UPDATE procrastinate_jobs AS fetched SET status = 'doing', worker_id = :engine
FROM (
    SELECT j.id
    FROM fleet_runs AS r
    JOIN procrastinate_jobs AS j ON j.queueing_lock = r.tenant || '/' || r.run
    WHERE r.outcome IS NULL AND r.worker IS NULL AND r.numbers <= :short
        AND (r.asked_by <> '' OR NOT :asked)
        AND j.status = 'todo' AND j.queue_name = ANY(:tenants::text[])
        AND NOT EXISTS (
            SELECT FROM procrastinate_jobs AS o
            WHERE o.lock = j.lock AND (
                o.status = 'doing'
                OR o.status = 'todo' AND (o.priority, -o.id) > (j.priority, -j.id)
            )
        )
    ORDER BY r.not_before LIMIT 1
    FOR UPDATE OF j SKIP LOCKED
) AS next
WHERE fetched.id = next.id
RETURNING fetched.*;

-- name: begin
UPDATE fleet_runs AS r SET worker = :worker, began_at = now()
WHERE tenant = :tenant AND run = :run
    AND outcome IS NULL AND worker IS NULL AND not_before <= now()
    AND NOT EXISTS (SELECT FROM fleet_pauses AS p WHERE p.tenant = r.tenant)
RETURNING send_window, time_zone, waits, only_settle, asked_by;

-- name: end
-- Somebody may have asked for it once more since: it was only settled, or has ended in the ledger
-- and people are told of that.
UPDATE fleet_runs
SET outcome = CASE WHEN asked_by = :asked_by THEN :outcome END,
    only_settle = only_settle AND asked_by = :asked_by,
    exit = :exit, why = :why, unarchived = :unarchived, ended_at = now(), worker = NULL,
    in_doubt = :in_doubt
WHERE tenant = :tenant AND run = :run AND outcome IS NULL AND worker = :worker
RETURNING run;

-- name: put_off
UPDATE fleet_runs
SET not_before = CASE WHEN asked_by = :asked_by THEN now() + :seconds * interval '1 second'
        ELSE now() END,
    only_settle = :only_settle AND asked_by = :asked_by,
    waits = CASE WHEN asked_by = :asked_by THEN :waits ELSE 0 END,
    in_doubt = coalesce(:in_doubt, in_doubt), exit = coalesce(:exit, exit), why = :why,
    ended_at = now(), worker = NULL
WHERE tenant = :tenant AND run = :run AND outcome IS NULL AND worker = :worker
RETURNING run;

-- name: end_cancelled
-- A person has cancelled it while it was executed.
UPDATE fleet_runs SET in_doubt = :in_doubt, exit = :exit
WHERE tenant = :tenant AND run = :run AND outcome = 'cancelled' AND worker = :worker;

-- name: in_doubt
SELECT tenant, run, in_doubt FROM fleet_runs
WHERE tenant = ANY(:names::text[]) AND in_doubt > 0 ORDER BY tenant, run;

-- name: others
-- Of tenants of other hosts, and of those whose files were renamed or removed.
SELECT tenant, count(*) AS runs FROM fleet_runs
WHERE tenant <> ALL(:names::text[]) AND (outcome IS NULL OR outcome = 'person' OR in_doubt > 0)
GROUP BY tenant ORDER BY tenant;

-- name: drop
UPDATE fleet_runs SET outcome = 'dropped', why = :why, ended_at = now(), part = ''
WHERE tenant = :tenant AND run = :run AND outcome IS NULL AND NOT listed;

-- name: cancel
UPDATE fleet_runs SET outcome = 'cancelled', ended_at = now()
WHERE tenant = :tenant AND outcome IS NULL
RETURNING run;

-- name: retry
UPDATE fleet_runs SET outcome = NULL, not_before = now(), waits = 0, only_settle = false, worker = NULL
WHERE tenant = :tenant AND outcome IN ('person', 'cancelled')
RETURNING run;

-- name: hurry
UPDATE fleet_runs SET not_before = now(), waits = 0
WHERE tenant = :tenant AND outcome IS NULL AND worker IS NULL AND not_before > now()
RETURNING run;

-- name: hurry_looks
UPDATE fleet_schedules SET begin_at = now() WHERE tenant = :tenant AND wanted AND why <> '';

-- name: waiting_jobs
SELECT id FROM procrastinate_jobs WHERE queue_name = :tenant AND status = 'todo';

-- name: doing
SELECT run FROM fleet_runs WHERE tenant = :tenant AND outcome IS NULL AND worker IS NOT NULL;

-- name: open_runs
SELECT run FROM fleet_runs WHERE tenant = :tenant AND outcome IS NULL;

-- name: left_behind
SELECT r.tenant, r.run, r.worker
FROM fleet_runs AS r LEFT JOIN fleet_workers AS w ON w.worker = r.worker
WHERE r.outcome IS NULL AND r.worker IS NOT NULL
    AND (
        coalesce(w.seen_at, r.began_at) < now() - :silence_s * interval '1 second'
        OR coalesce(w.seen_at, r.began_at) < now() - :gone_s * interval '1 second'
        AND NOT EXISTS (SELECT FROM pg_stat_activity AS a WHERE a.application_name = r.worker)
    );

-- name: executed_by
SELECT tenant, run FROM fleet_runs WHERE worker = :worker AND outcome IS NULL;

-- name: jobs_of
SELECT id FROM procrastinate_jobs WHERE queueing_lock = :name AND status = 'doing';

-- name: let_go
UPDATE fleet_runs SET worker = NULL
WHERE tenant = :tenant AND run = :run AND worker = :worker
RETURNING run;

-- name: cancelled_of
SELECT tenant, run FROM fleet_runs WHERE worker = :worker AND outcome = 'cancelled';

-- name: pause
INSERT INTO fleet_pauses (tenant, why) VALUES (:tenant, :why) ON CONFLICT DO NOTHING;

-- name: go_on
DELETE FROM fleet_pauses WHERE tenant = :tenant RETURNING why;

-- name: pauses
SELECT tenant, since, why FROM fleet_pauses ORDER BY tenant;

-- name: plan_schedules
INSERT INTO fleet_schedules AS s (tenant, schedule, cron, due_at, spread_s)
SELECT * FROM unnest(
    :tenants::text[], :schedules::text[], :crons::text[], :dues::timestamptz[], :spreads::integer[]
)
ON CONFLICT (tenant, schedule) DO UPDATE
SET cron = excluded.cron, spread_s = excluded.spread_s,
    due_at = CASE WHEN s.cron = excluded.cron THEN s.due_at ELSE excluded.due_at END
WHERE (s.cron, s.spread_s) <> (excluded.cron, excluded.spread_s);

-- name: schedules
SELECT tenant, schedule, cron, due_at, why FROM fleet_schedules ORDER BY tenant, schedule;

-- name: due_schedules
SELECT tenant, schedule, cron, due_at, spread_s FROM fleet_schedules WHERE due_at <= now();

-- name: take_dues
UPDATE fleet_schedules AS s
SET due_at = d.next, wanted = true, begin_at = greatest(d.due, now()) + d.wait * interval '1 second',
    turn = CASE WHEN (s.wanted OR s.looker IS NOT NULL) AND s.turn IS NOT NULL THEN s.turn
        ELSE d.due END
FROM unnest(
    :tenants::text[], :schedules::text[], :dues::timestamptz[], :nexts::timestamptz[],
    :waits::integer[]
) AS d (tenant, schedule, due, next, wait)
WHERE s.tenant = d.tenant AND s.schedule = d.schedule AND s.due_at = d.due;

-- name: forget_schedules
DELETE FROM fleet_schedules AS s
WHERE tenant = ANY(:served)
    AND NOT EXISTS (
        SELECT FROM unnest(:tenants::text[], :schedules::text[]) AS kept (tenant, schedule)
        WHERE kept.tenant = s.tenant AND kept.schedule = s.schedule
    );

-- name: claim_looks
-- Not what an older worker has a job for; of one tenant one after another.
UPDATE fleet_schedules AS s
SET wanted = false, looker = :worker, looked_at = now(), turn = coalesce(s.turn, now())
FROM (
    SELECT tenant, schedule FROM fleet_schedules AS w
    WHERE wanted AND coalesce(begin_at, now()) <= now() AND looker IS NULL
        AND tenant = ANY(:tenants::text[])
        AND NOT EXISTS (SELECT FROM fleet_pauses AS p WHERE p.tenant = w.tenant)
        AND NOT EXISTS (
            SELECT FROM fleet_schedules AS o
            WHERE o.tenant = w.tenant AND (
                o.looker IS NOT NULL
                OR o.wanted AND coalesce(o.begin_at, now()) <= now() AND o.schedule < w.schedule
            )
        )
        AND NOT EXISTS (
            SELECT FROM procrastinate_jobs AS j
            WHERE j.queueing_lock = w.tenant || '//' || w.schedule AND j.status IN ('todo', 'doing')
        )
    ORDER BY begin_at
    LIMIT :most
    FOR UPDATE SKIP LOCKED
) AS next
WHERE s.tenant = next.tenant AND s.schedule = next.schedule
RETURNING s.tenant, s.schedule, s.turn;

-- name: look_done
UPDATE fleet_schedules SET looker = NULL, turn = NULL, why = :why
WHERE tenant = :tenant AND schedule = :schedule AND looker = :worker;

-- name: look_again
UPDATE fleet_schedules SET looker = NULL, wanted = true, begin_at = now() + interval '5 seconds'
WHERE tenant = :tenant AND schedule = :schedule AND looker = :worker;

-- name: look_later
-- Ever more seldom: after as long as it has been due for.
UPDATE fleet_schedules SET looker = NULL, wanted = true, why = :why,
    begin_at = now() + least(greatest(now() - turn, interval '1 minute'), interval '30 minutes')
WHERE tenant = :tenant AND schedule = :schedule AND looker = :worker;

-- name: leave_looks
UPDATE fleet_schedules SET looker = NULL, wanted = true, begin_at = now() WHERE looker = :worker;

-- name: free_looks
UPDATE fleet_schedules AS s SET looker = NULL, wanted = true
FROM fleet_schedules AS o LEFT JOIN fleet_workers AS w ON w.worker = o.looker
WHERE o.looker IS NOT NULL AND o.tenant = s.tenant AND o.schedule = s.schedule
    AND (
        coalesce(w.seen_at, o.looked_at) < now() - :silence_s * interval '1 second'
        OR coalesce(w.seen_at, o.looked_at) < now() - :gone_s * interval '1 second'
        AND NOT EXISTS (SELECT FROM pg_stat_activity AS a WHERE a.application_name = o.looker)
    );

-- name: lead
INSERT INTO fleet_leader AS l (worker, until)
VALUES (:worker, now() + :lease_s * interval '1 second')
ON CONFLICT (one) DO UPDATE SET worker = excluded.worker, until = excluded.until
WHERE l.worker = excluded.worker OR l.until < now() OR l.until > now() + interval '1 hour'
RETURNING worker, now() AS now;

-- name: come_back
-- No time that is written down is so far ahead, save by a clock that was.
WITH
    heard AS (
        UPDATE fleet_workers SET seen_at = now() WHERE seen_at > now() + interval '1 day'
    ),
    looked AS (
        UPDATE fleet_schedules SET begin_at = now()
        WHERE wanted AND begin_at > now() + interval '2 days'
    )
UPDATE fleet_runs SET not_before = now()
WHERE outcome IS NULL AND worker IS NULL AND not_before > now() + interval '2 days';

-- name: bring_forward
UPDATE fleet_schedules AS s SET due_at = d.next
FROM unnest(:tenants::text[], :schedules::text[], :nexts::timestamptz[])
    AS d (tenant, schedule, next)
WHERE s.tenant = d.tenant AND s.schedule = d.schedule AND s.due_at > d.next + interval '1 day';

-- name: resign
DELETE FROM fleet_leader WHERE worker = :worker;

-- name: looked_after
UPDATE fleet_schedules SET wanted = false, why = :why
WHERE tenant = :tenant AND schedule = :schedule;

-- name: put_aside
INSERT INTO fleet_aside (tenant, digest, file) VALUES (:tenant, :digest, :file)
ON CONFLICT DO NOTHING;

-- name: asides_of
SELECT digest, file FROM fleet_aside WHERE tenant = :tenant;

-- name: asides
SELECT tenant, file, at FROM fleet_aside ORDER BY tenant, at, file;

-- name: try_asides
DELETE FROM fleet_aside WHERE tenant = :tenant RETURNING file;

-- name: here
INSERT INTO fleet_workers AS w (worker, name, host, serves)
VALUES (:worker, :name, :host, :serves)
ON CONFLICT (worker) DO UPDATE SET serves = excluded.serves, seen_at = now();

-- name: gone
DELETE FROM fleet_workers WHERE worker = :worker;

-- name: forget_workers
DELETE FROM fleet_workers AS w
WHERE seen_at < now() - interval '1 day'
    AND NOT EXISTS (SELECT FROM fleet_runs AS r WHERE r.worker = w.worker);

-- name: forget_runs
DELETE FROM fleet_runs
WHERE outcome IN ('done', 'dropped', 'cancelled') AND ended_at < now() - interval '90 days';

-- name: figures
SELECT
    (SELECT count(*) FROM fleet_workers
        WHERE seen_at > now() - :silence_s * interval '1 second') AS workers,
    (SELECT extract(epoch FROM min(due))::float8 FROM (
        SELECT min(not_before) AS due FROM fleet_runs AS r
        WHERE outcome IS NULL AND worker IS NULL AND listed AND not_before <= now()
            AND NOT EXISTS (SELECT FROM fleet_pauses AS p WHERE p.tenant = r.tenant)
        UNION ALL
        SELECT min(coalesce(begin_at, due_at)) FROM fleet_schedules AS s
        WHERE (wanted AND coalesce(begin_at, now()) <= now() OR due_at <= now())
            AND NOT EXISTS (SELECT FROM fleet_pauses AS p WHERE p.tenant = s.tenant)
    ) AS waiting) AS oldest_due,
    (SELECT extract(epoch FROM min(not_before))::float8 FROM fleet_runs AS r
        WHERE outcome IS NULL AND worker IS NULL AND listed AND not_before <= now()
            AND numbers <= :short
            AND NOT EXISTS (SELECT FROM fleet_pauses AS p WHERE p.tenant = r.tenant)
            -- Runs of one lock go one after another.
            AND NOT EXISTS (
                SELECT FROM procrastinate_jobs AS j WHERE j.lock = r.lock AND j.status = 'doing'
            )) AS oldest_short,
    (SELECT count(*) FROM fleet_schedules
        WHERE wanted AND coalesce(begin_at, now()) < now() - interval '1 minute'
            OR due_at < now() - interval '1 minute') AS overdue,
    (SELECT count(*) FROM fleet_pauses) AS paused,
    (SELECT count(*) FROM fleet_runs WHERE outcome = 'person') AS failed,
    (SELECT count(*) FROM fleet_aside) AS aside;

-- name: unarchived
-- Runs after which nobody tried say nothing.
SELECT t.tenant, l.unarchived AS why
FROM (SELECT DISTINCT tenant FROM fleet_runs WHERE unarchived <> '') AS t CROSS JOIN LATERAL (
    SELECT unarchived FROM fleet_runs AS r
    WHERE r.tenant = t.tenant AND unarchived IS NOT NULL
    ORDER BY coalesce(ended_at, asked_at) DESC, run DESC LIMIT 1
) AS l
WHERE l.unarchived <> '';

-- name: workers
SELECT w.name, w.host, w.serves, w.seen_at, extract(epoch FROM now() - w.seen_at)::float8 AS age_s,
    (SELECT count(*) FROM fleet_runs AS r WHERE r.worker = w.worker AND outcome IS NULL)
        AS busy
FROM fleet_workers AS w ORDER BY w.name, w.worker;

-- name: tenants
-- What is open, or waits for a person, is counted; of what is done, the last run is enough.
SELECT t.tenant, coalesce(n.queued, 0) AS queued, coalesce(n.doing, 0) AS doing,
    coalesce(n.failed, 0) AS failed, l.run AS last_run, l.exit, l.why, l.ended_at
FROM unnest(:names::text[]) AS t (tenant)
LEFT JOIN (
    SELECT tenant, count(*) FILTER (WHERE outcome IS NULL AND worker IS NULL) AS queued,
        count(*) FILTER (WHERE outcome IS NULL AND worker IS NOT NULL) AS doing,
        count(*) FILTER (WHERE outcome = 'person') AS failed
    FROM fleet_runs WHERE outcome IS NULL OR outcome = 'person' GROUP BY tenant
) AS n ON n.tenant = t.tenant
LEFT JOIN LATERAL (
    SELECT run, exit, why, ended_at FROM fleet_runs AS r
    WHERE r.tenant = t.tenant
    ORDER BY coalesce(ended_at, asked_at) DESC, run DESC LIMIT 1
) AS l ON true
ORDER BY t.tenant;

-- name: run
SELECT run, outcome, exit, why, worker, ended_at, not_before
FROM fleet_runs WHERE tenant = :tenant AND run = :run;

-- name: end_sessions
-- Those of other tenants, and of the queue, may be of roles that this one has no right to.
SELECT pg_terminate_backend(pid) FROM pg_stat_activity
WHERE application_name = :worker AND pg_has_role(usesysid, 'USAGE');
