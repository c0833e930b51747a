-- The statements of the PostgreSQL ledger, each under its name. :each is a JSON array of objects
-- and :numbers, :bills and :places are arrays, so that one statement serves a chunk of any size.
-- :numbers and :ids are lines as the job file has them, :numbers and :bills bills and their numbers;
-- bills of one number are those that are called so, or so and a comma and an id ('-' comes after it).
--
-- The planner knows nothing of a run that has just been written down, and takes it for a row or
-- two. So each statement leaves it one index that is any good, or a million rows are walked
-- through for each chunk: rows are found by run and place, or one by one by number or bill (`run +
-- 0` is no index's); `OFFSET 0` and `LIMIT 1` keep the planner from doing so in another order, and
-- pages are cut by comparing as many columns as their index has. A line whose bill is called as it
-- is written, which is nearly each, is found by its bill: `rows_by_number` has the others alone,
-- and is named by what it leaves out.
--
-- Every statement is given :account, the one that the ledger is opened for; each that finds a run,
-- or finds something over all runs, asks for it. ERPs number their bills alike, so that rows are
-- looked for by :account_hash first, or each bill costs as much as there are tenants.
--
-- Locks are taken in one order, so that two writers never wait for each other in a ring: the run,
-- claims by number, rows by place, the attempt, tallies by state.

-- part: columns_of_row
rows.place, rows.line, rows.number, rows.bill, rows.state, rows.targets, rows.code,
    rows.reason, rows.attempts, attempts.chunk, attempts.began_at, rows.settled_at, rows.listed_id,
    rows.source_id

-- part: holds_words
rows.number ILIKE :like OR (rows.bill <> rows.number AND rows.bill ILIKE :like)
    OR rows.targets COLLATE "C" ILIKE :in_json OR rows.reason COLLATE "C" ILIKE :like
    OR rows.code ILIKE :like OR rows.source_id = :words OR rows.listed_id = :words
    OR split_part(rows.reason, '{', 1) = ANY (:remarks)

-- name: sign
-- A slot names its role, by which a tenant's own is kept from others (fleet/isolation.py).
INSERT INTO signatures (slot, nth) VALUES (:slot || ' ' || current_user, :nth)
ON CONFLICT (slot) DO UPDATE SET nth = excluded.nth, at = excluded.at
RETURNING nth;

-- name: signed
-- A writing statement, since it must wait for a transaction of that slot which still goes on.
INSERT INTO signatures (slot, nth) VALUES (:slot || ' ' || current_user, 0)
ON CONFLICT (slot) DO UPDATE SET at = excluded.at
RETURNING nth;

-- name: moved_for
-- A dump that is being put back gets its keys last. Before that, two who come would write down one
-- place twice, and its key could never be made: so it is no ledger yet.
SELECT moved_for() WHERE 'k3push.places_pkey'::regclass IS NOT NULL;

-- name: seen_here
-- When the ledger was first seen where it is: no two places have one time.
SELECT now() - moved_for() WHERE 'k3push.places_pkey'::regclass IS NOT NULL;

-- name: forget_signatures
DELETE FROM signatures WHERE at < now() - interval '7 days';

-- name: durability
SELECT current_setting('synchronous_commit'), current_setting('fsync'),
    current_setting('server_encoding'), pg_is_in_recovery(),
    current_setting('idle_in_transaction_session_timeout');

-- name: schema_there
SELECT to_regnamespace('k3push') IS NOT NULL, to_regclass('k3push.schema_version') IS NOT NULL;

-- name: schema_version
SELECT version FROM k3push.schema_version;

-- name: lock_schema
-- "K3PU", and no run has the key 0.
SELECT pg_advisory_xact_lock(1261654101, 0);

-- name: try_run_lock
SELECT pg_try_advisory_lock(1261654101, :run::int);

-- name: give_run_lock_back
-- A session holds the lock of one run and no other, however often it was asked for.
SELECT pg_advisory_unlock_all();

-- name: is_alive
SELECT EXISTS (
    SELECT FROM pg_locks
    WHERE locktype = 'advisory' AND granted AND classid = 1261654101 AND objid = :run::bigint::oid
        AND objsubid = 2
        AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
);

-- name: new_epoch
-- With the table: a backup that is put back while a run goes on has another.
UPDATE runs SET epoch = epoch + 1 WHERE key = :run RETURNING epoch || ' ' || tableoid;

-- name: epoch
SELECT epoch || ' ' || tableoid FROM runs WHERE key = :run;

-- name: other_spelling
-- An account's id is told in one spelling by the ERP, and a person may type another.
-- The runs of the account's own spelling, which are many, are passed over.
(SELECT account FROM runs WHERE lower(account) = lower(:account) AND account < :account LIMIT 1)
UNION ALL
(SELECT account FROM runs WHERE lower(account) = lower(:account) AND account > :account LIMIT 1);

-- name: lock_run_shared
-- Many may write for one run at once, but none while another process takes the run over.
SELECT key, scope, listed, epoch || ' ' || tableoid FROM runs
WHERE id = :run AND account = :account FOR SHARE;

-- name: lock_run
SELECT key, scope, listed, epoch || ' ' || tableoid FROM runs
WHERE id = :run AND account = :account FOR NO KEY UPDATE;

-- name: runs_named
SELECT {columns_of_run} FROM runs
WHERE id >= :beginning AND id < :beginning || chr(1114111) AND account = :account
ORDER BY key;

-- name: runs_called
SELECT {columns_of_run} FROM runs
WHERE account = :account AND key < :before AND (jobs COLLATE "C" ILIKE :like OR id = ANY(:ids::text[]))
ORDER BY key DESC LIMIT :last;

-- name: glances
-- The last run of each route, and those that may have left something in doubt. Only what tells
-- them from the others is sorted: of thousands of accounts there are a million runs to look at.
SELECT wanted.account, (
        SELECT json_object_agg(state, n)::text
        FROM (
            SELECT state, sum(n) AS n FROM tallies WHERE run = found.key
            GROUP BY state HAVING sum(n) > 0
        ) AS counted
    ),
    {columns_of_run}
FROM unnest(:accounts::text[]) AS wanted (account) CROSS JOIN LATERAL (
    SELECT key, exit AS code, row_number() OVER (PARTITION BY route ORDER BY key DESC) AS nth
    FROM (
        SELECT key, route, exit FROM runs
        WHERE account = wanted.account ORDER BY key DESC LIMIT :among
    ) AS newest
) AS ranked JOIN runs AS found USING (key)
WHERE nth = 1 OR code IS NULL OR code NOT IN (0, 3)
ORDER BY wanted.account, key;

-- name: places_of_listed
SELECT rows.number, rows.listed_id, rows.place, rows.line
FROM unnest(:numbers::text[], :ids::text[]) AS wanted (number, id) CROSS JOIN LATERAL (
    SELECT * FROM rows
    WHERE account_hash = :account_hash
        AND number = wanted.number AND listed_id = wanted.id AND run + 0 = :run
        AND (bill IS NULL OR bill <> number OR listed_id <> '')
    UNION ALL
    SELECT * FROM rows
    WHERE account_hash = :account_hash
        AND bill = wanted.number AND number = bill AND listed_id = '' AND wanted.id = ''
        AND run + 0 = :run
    OFFSET 0
) AS rows;

-- name: insert_row
INSERT INTO rows (run, place, line, number, listed_id, account_hash)
SELECT :run, e.place, e.line, e.number, e.listed_id, :account_hash
FROM json_to_recordset(:each::json) AS e (place bigint, line bigint, number text, listed_id text)
ORDER BY e.place;

-- name: insert_repeat
INSERT INTO repeats (run, place, line, number, first_place)
SELECT :run, e.place, e.line, e.number, e.first_place
FROM json_to_recordset(:each::json)
    AS e (place bigint, line bigint, number text, first_place bigint);

-- name: tally
INSERT INTO tallies (run, state, shard, n)
SELECT :run, e.state, pg_backend_pid() % 16, e.n
FROM json_to_recordset(:each::json) AS e (state text, n bigint)
ORDER BY e.state
ON CONFLICT (run, state, shard) DO UPDATE SET n = tallies.n + excluded.n;

-- name: select_tallies
SELECT state, sum(n)::bigint FROM tallies WHERE run = :run GROUP BY state HAVING sum(n) > 0;

-- name: count_targets
SELECT count(DISTINCT (target -> 0)::text)
FROM rows CROSS JOIN LATERAL json_array_elements(rows.targets::json) AS target
WHERE rows.run = :run;

-- name: lock_claims
SELECT bill, run FROM claims
WHERE scope = (SELECT scope FROM runs WHERE id = :run AND account = :account) AND number = ANY(:numbers::text[])
ORDER BY number
FOR UPDATE;

-- name: lock_rows
SELECT rows.place, state, coalesce(attempt, 0), number, listed_id, coalesce(bill, ''),
    coalesce(source_id, '')
FROM unnest(:bills::text[]) AS wanted CROSS JOIN LATERAL (
    SELECT run, place FROM rows
    WHERE account_hash = :account_hash AND bill = wanted
        AND run + 0 = (SELECT key FROM runs WHERE id = :run AND account = :account) LIMIT 1
) AS found
JOIN rows ON rows.run = found.run AND rows.place = found.place
ORDER BY rows.place
FOR UPDATE OF rows;

-- name: rows_of_lines
-- Bills by what they are called, bills by their number, and lines of the job file. They are locked.
SELECT rows.place, state, coalesce(attempt, 0), number, listed_id, coalesce(bill, ''),
    coalesce(source_id, '')
FROM (
    SELECT rows.run, rows.place FROM unnest(:bills::text[]) AS wanted CROSS JOIN LATERAL (
        SELECT run, place FROM rows
        WHERE account_hash = :account_hash AND bill = wanted
            AND run + 0 = (SELECT key FROM runs WHERE id = :run AND account = :account) LIMIT 1
    ) AS rows
    UNION
    -- As the number alone, and with an id behind its comma.
    SELECT rows.run, rows.place FROM unnest(:of::text[]) AS wanted CROSS JOIN LATERAL (
        SELECT run, place FROM rows
        WHERE account_hash = :account_hash AND bill = wanted
            AND run + 0 = (SELECT key FROM runs WHERE id = :run AND account = :account)
        UNION ALL
        SELECT run, place FROM rows
        WHERE account_hash = :account_hash AND bill >= wanted || ',' AND bill < wanted || '-'
            AND run + 0 = (SELECT key FROM runs WHERE id = :run AND account = :account)
        OFFSET 0
    ) AS rows
    UNION
    SELECT rows.run, rows.place
    FROM unnest(:numbers::text[], :ids::text[]) AS wanted (number, id) CROSS JOIN LATERAL (
        SELECT run, place FROM rows
        WHERE account_hash = :account_hash AND number = wanted.number AND listed_id = wanted.id
            AND (bill IS NULL OR bill <> number OR listed_id <> '')
            AND run + 0 = (SELECT key FROM runs WHERE id = :run AND account = :account)
        UNION ALL
        SELECT run, place FROM rows
        WHERE account_hash = :account_hash
            AND bill = wanted.number AND number = bill AND listed_id = '' AND wanted.id = ''
            AND run + 0 = (SELECT key FROM runs WHERE id = :run AND account = :account)
        OFFSET 0
    ) AS rows
) AS found
JOIN rows ON rows.run = found.run AND rows.place = found.place
ORDER BY rows.place
FOR UPDATE OF rows;

-- name: rows_of_sources
SELECT place, source_id FROM rows
WHERE account_hash = :account_hash
    AND source_id = ANY(:ids::text[]) AND source_id > '' AND run + 0 = :run;

-- name: set_bills
-- :named are pairs of what a bill is called and its id, by place.
UPDATE rows SET bill = e.bill, source_id = e.source_id
FROM (
    SELECT :run::bigint AS run, key::bigint AS place, value ->> 0 AS bill, value ->> 1 AS source_id
    FROM json_each(:named::json)
    OFFSET 0
) AS e
WHERE rows.run = e.run AND rows.place = e.place;

-- name: row_to_repeat
INSERT INTO repeats (run, place, line, number, first_place)
SELECT rows.run, rows.place, rows.line,
    CASE rows.listed_id WHEN '' THEN rows.number ELSE rows.number || ',' || rows.listed_id END, e.kept
FROM (
    SELECT :run::bigint AS run, e.*
    FROM json_to_recordset(:each::json) AS e (place bigint, kept bigint)
    OFFSET 0
) AS e
JOIN rows ON rows.run = e.run AND rows.place = e.place;

-- name: repoint_repeats
UPDATE repeats SET first_place = e.kept
FROM (
    SELECT :run::bigint AS run, e.*
    FROM json_to_recordset(:each::json) AS e (place bigint, kept bigint)
    OFFSET 0
) AS e
WHERE repeats.run = e.run AND repeats.first_place = e.place;

-- name: delete_row
DELETE FROM rows
USING (
    SELECT :run::bigint AS run, e.*
    FROM json_to_recordset(:each::json) AS e (place bigint, kept bigint)
    OFFSET 0
) AS e
WHERE rows.run = e.run AND rows.place = e.place;

-- name: repeats_at
SELECT repeats.line, repeats.number, rows.line
FROM repeats
JOIN rows ON rows.run = repeats.run AND rows.place = repeats.first_place
WHERE repeats.run = :run AND repeats.place = ANY(:places::bigint[])
ORDER BY repeats.place;

-- name: claim_free
INSERT INTO claims (scope, number, bill, run)
SELECT runs.scope, wanted.number, wanted.bill, runs.key
FROM runs CROSS JOIN unnest(:numbers::text[], :bills::text[]) AS wanted (number, bill)
WHERE runs.id = :run AND runs.account = :account
ORDER BY wanted.number
ON CONFLICT DO NOTHING;

-- name: holders
-- After `lock_claims`: from then on no state of these numbers can change but by this transaction.
SELECT claims.bill, claims.run, runs.id, rows.place, rows.state
FROM claims
JOIN runs ON runs.key = claims.run
LEFT JOIN LATERAL (
    SELECT place, state FROM rows
    WHERE account_hash = :account_hash AND bill = claims.bill AND run + 0 = claims.run LIMIT 1
) AS rows ON true
WHERE claims.scope = (SELECT scope FROM runs WHERE id = :run AND account = :account)
    AND claims.number = ANY(:numbers::text[])
    AND (runs.id <> :run OR claims.bill NOT IN (SELECT unnest(:bills::text[])))
ORDER BY claims.number;

-- name: in_hand
SELECT rows.source_id, runs.id, rows.bill
FROM unnest(:ids::text[]) AS wanted (id) CROSS JOIN LATERAL (
    SELECT source_id, run, bill, place FROM rows
    WHERE account_hash = :account_hash
        AND source_id = wanted.id AND source_id > '' AND state IN ('sent', 'unknown')
    OFFSET 0
) AS rows
CROSS JOIN LATERAL (
    SELECT id, started_at, scope FROM runs WHERE key = rows.run LIMIT 1
) AS runs
WHERE runs.scope = :scope
ORDER BY runs.started_at, runs.id, rows.place;

-- name: move_claims
UPDATE claims SET run = :run, bill = wanted.bill
FROM unnest(:numbers::text[], :bills::text[]) AS wanted (number, bill)
WHERE claims.scope = :scope AND claims.number = wanted.number;

-- name: delete_claims
DELETE FROM claims USING unnest(:numbers::text[], :bills::text[]) AS given (number, bill)
WHERE scope = :scope AND claims.number = given.number AND claims.bill = given.bill AND run = :run;

-- name: pass_claims_on
-- Two runs may be in doubt over one bill if an earlier version told claims apart by rules.
INSERT INTO claims (scope, number, bill, run)
SELECT runs.scope, wanted.number, rows.bill, rows.run
FROM unnest(:numbers::text[], :bills::text[]) AS wanted (number, bill) CROSS JOIN LATERAL (
    SELECT * FROM rows
    WHERE account_hash = :account_hash AND bill = wanted.bill AND state IN ('sent', 'unknown')
    OFFSET 0
) AS rows
CROSS JOIN LATERAL (SELECT scope FROM runs WHERE key = rows.run LIMIT 1) AS runs
WHERE runs.scope = :scope
ORDER BY rows.bill, rows.run
ON CONFLICT DO NOTHING;

-- name: claims_of_run
SELECT claims.bill, rows.state
FROM claims LEFT JOIN LATERAL (
    SELECT place, state FROM rows
    WHERE account_hash = :account_hash AND bill = claims.bill AND run + 0 = claims.run LIMIT 1
) AS rows ON true
WHERE claims.scope = :scope AND claims.run = :run
ORDER BY claims.number
FOR UPDATE OF claims;

-- name: insert_attempt
WITH wanted AS MATERIALIZED (
    SELECT :run::bigint AS run, place FROM unnest(:places::bigint[]) AS place
), made AS (
    INSERT INTO attempts (
        run, chunk, nth, began_at, boot, uptime_s, numbers, before, request, sender
    )
    VALUES (
        :run, :chunk, :nth, :began_at, :boot, :uptime_s, :numbers, :before, :request, :sender
    )
    RETURNING id
), carry AS (
    -- The attempt before this one, whose place in the row this one takes.
    INSERT INTO carried (number, attempt)
    SELECT rows.bill, rows.attempt
    FROM wanted JOIN rows ON rows.run = wanted.run AND rows.place = wanted.place
    WHERE rows.attempt IS NOT NULL
    ON CONFLICT DO NOTHING
), send AS (
    UPDATE rows
    SET state = 'sent', targets = NULL, code = NULL, reason = NULL,
        attempts = rows.attempts + 1, attempt = made.id
    FROM made CROSS JOIN wanted
    WHERE rows.run = wanted.run AND rows.place = wanted.place
)
SELECT id FROM made;

-- name: set_outcome
UPDATE rows
SET state = e.state, targets = e.targets, code = e.code, reason = e.reason,
    settled_at = e.settled_at
FROM (
    SELECT :run::bigint AS run, e.*
    FROM json_to_recordset(:each::json)
        AS e (place bigint, state text, targets text, code text, reason text, settled_at text)
    OFFSET 0
) AS e
WHERE rows.run = e.run AND rows.place = e.place;

-- name: kill
-- The holder's next executor may be doing the same, so only rows that are sent still.
UPDATE rows
SET state = 'unknown', targets = NULL, code = :code, reason = :reason, settled_at = NULL
FROM (
    SELECT :run::bigint AS run, place FROM unnest(:places::bigint[]) AS place OFFSET 0
) AS wanted
WHERE rows.run = wanted.run AND rows.place = wanted.place AND rows.state = 'sent'
RETURNING rows.place;

-- name: recording_of
SELECT numbers, ended_at IS NOT NULL, verdict IS NOT NULL
FROM attempts WHERE id = :attempt FOR NO KEY UPDATE;

-- name: sent_rows
-- By the attempts that are open, since no index has the state of a row.
SELECT rows.place, rows.state, rows.bill
FROM attempts
CROSS JOIN LATERAL json_array_elements_text(attempts.numbers::json) AS each (wanted)
CROSS JOIN LATERAL (
    SELECT run, place FROM rows
    WHERE account_hash = :account_hash AND bill = wanted AND run + 0 = :run LIMIT 1
) AS found
JOIN rows ON rows.run = found.run AND rows.place = found.place
WHERE attempts.run = :run AND attempts.ended_at IS NULL AND rows.state = 'sent'
ORDER BY rows.place
FOR UPDATE OF rows;

-- name: insert_notes
INSERT INTO notes (number, run, at, text)
SELECT number, :run, :at, :text
FROM unnest(:numbers::text[]) WITH ORDINALITY AS each (number, nth) ORDER BY nth;

-- name: page
SELECT {columns_of_row}
FROM rows LEFT JOIN attempts ON attempts.id = rows.attempt
WHERE (rows.run, rows.place) > (:run, :after) AND rows.run <= :run
ORDER BY rows.run, rows.place LIMIT :limit;

-- name: page_in_states
-- The few rows of a rare state are found at once, by an index that has no others.
SELECT {columns_of_row}
FROM (
    (
        SELECT rows.* FROM unnest(:rare::text[]) AS wanted CROSS JOIN LATERAL (
            SELECT * FROM rows
            WHERE run = :run AND (rare, place) > (wanted, :after) AND rare <= wanted
            ORDER BY rare, place LIMIT :limit
        ) AS rows
    )
    UNION ALL
    (
        SELECT * FROM rows
        WHERE cardinality(:common::text[]) > 0 AND (run, place) > (:run, :after) AND run <= :run
            AND state = ANY (:common::text[])
        ORDER BY run, place LIMIT :limit
    )
    ORDER BY place LIMIT :limit
) AS rows
LEFT JOIN attempts ON attempts.id = rows.attempt
ORDER BY rows.place;

-- name: rows_of_number
SELECT runs.id, {columns_of_row}
FROM (
    SELECT run, place FROM rows
    WHERE account_hash = :account_hash
        AND number = :number AND (bill IS NULL OR bill <> number OR listed_id <> '')
    UNION
    SELECT run, place FROM rows WHERE account_hash = :account_hash AND bill = :number
    UNION
    SELECT run, place FROM rows
    WHERE account_hash = :account_hash AND bill > :number || ',' AND bill < :number || '-'
) AS found
JOIN rows ON rows.run = found.run AND rows.place = found.place
JOIN runs ON runs.key = rows.run
LEFT JOIN attempts ON attempts.id = rows.attempt
WHERE runs.account = :account
ORDER BY runs.started_at, runs.id, rows.place;

-- name: rows_of_bill
SELECT runs.id, {columns_of_row}
FROM (
    SELECT run, place FROM rows
    WHERE account_hash = :account_hash AND number = :number AND listed_id = :id
        AND (bill IS NULL OR bill <> number OR listed_id <> '')
    UNION
    SELECT run, place FROM rows
    WHERE account_hash = :account_hash
        AND bill = :number AND number = bill AND listed_id = '' AND :id::text = ''
    UNION
    SELECT run, place FROM rows WHERE account_hash = :account_hash AND bill = :bill
) AS found
JOIN rows ON rows.run = found.run AND rows.place = found.place
JOIN runs ON runs.key = rows.run
LEFT JOIN attempts ON attempts.id = rows.attempt
WHERE runs.account = :account
ORDER BY runs.started_at, runs.id, rows.place;

-- name: accounts_with
SELECT wanted.account
FROM unnest(:accounts::text[], :hashes::integer[]) AS wanted (account, hash)
WHERE EXISTS (
    SELECT FROM (
        SELECT run FROM rows
        WHERE account_hash = wanted.hash
            AND number = :number AND (bill IS NULL OR bill <> number OR listed_id <> '')
            AND :id::text IN ('', listed_id)
        UNION ALL
        SELECT run FROM rows WHERE account_hash = wanted.hash AND bill = :bill
        UNION ALL
        SELECT run FROM rows
        WHERE account_hash = wanted.hash
            AND bill > :bill || ',' AND bill < :bill || '-' AND :id::text = ''
    ) AS found
    JOIN runs ON runs.key = found.run
    WHERE runs.account = wanted.account
);

-- name: find_rows
-- To compare so takes nearly all of the time, and most bills are called as their lines say.
SELECT runs.id, {columns_of_row}
FROM rows
JOIN runs ON runs.key = rows.run
LEFT JOIN attempts ON attempts.id = rows.attempt
WHERE runs.account = :account AND rows.account_hash = :account_hash AND ({holds_words})
ORDER BY runs.started_at DESC, runs.id DESC, rows.place LIMIT :limit;

-- name: runs_holding
SELECT DISTINCT runs.id
FROM rows JOIN runs ON runs.key = rows.run
WHERE runs.account = :account AND rows.account_hash = :account_hash AND ({holds_words});

-- name: made_in
-- The latest of each bill last. A bill is found by its number, and by its id under any number.
-- Of the run :but only other rows of the same bill count, which have another number. Each row's
-- run is looked up: of a scope there may be thousands.
SELECT asked.bill, asked.id, rows.bill, rows.source_id, runs.id, rows.state, rows.targets,
    rows.code
FROM (
    SELECT wanted.number, wanted.bill, coalesce(nullif(wanted.id, ''), own.source_id) AS id
    FROM unnest(:numbers::text[], :bills::text[], :ids::text[]) AS wanted (number, bill, id)
    LEFT JOIN LATERAL (
        SELECT source_id FROM rows
        WHERE account_hash = :account_hash AND bill = wanted.bill AND run + 0 = :but::bigint LIMIT 1
    ) AS own ON true
    OFFSET 0  -- or the id is an expression, by which no index is used under a tenant's policy
) AS asked
CROSS JOIN LATERAL (
    -- As the number alone, with an id behind its comma, and by the id.
    SELECT * FROM rows
    WHERE account_hash = :account_hash AND bill = asked.number AND run IS DISTINCT FROM :but::bigint
    UNION ALL
    SELECT * FROM rows
    WHERE account_hash = :account_hash
        AND bill >= asked.number || ',' AND bill < asked.number || '-'
        AND run IS DISTINCT FROM :but::bigint
    UNION ALL
    SELECT * FROM rows
    WHERE account_hash = :account_hash AND source_id = asked.id AND source_id > ''
        AND (run IS DISTINCT FROM :but::bigint OR bill <> asked.bill)
    OFFSET 0
) AS rows
CROSS JOIN LATERAL (
    SELECT id, started_at, scope FROM runs WHERE key = rows.run LIMIT 1
) AS runs
WHERE runs.scope = :scope
    AND (rows.state IN ('pushed', 'draft') OR (:or_found AND rows.state = 'already'))
ORDER BY runs.started_at, runs.id, rows.place;

-- name: made_of_namesakes
SELECT wanted.bill, rows.bill, rows.source_id, rows.targets
FROM unnest(:numbers::text[], :bills::text[]) AS wanted (number, bill) CROSS JOIN LATERAL (
    SELECT * FROM rows WHERE account_hash = :account_hash AND bill = wanted.number
    UNION ALL
    SELECT * FROM rows
    WHERE account_hash = :account_hash
        AND bill >= wanted.number || ',' AND bill < wanted.number || '-'
    OFFSET 0
) AS rows
CROSS JOIN LATERAL (
    SELECT id, started_at, scope FROM runs WHERE key = rows.run LIMIT 1
) AS runs
WHERE runs.scope = :scope AND rows.state IN ('pushed', 'draft');

-- name: made_by_any
-- Documents are made by attempts, so the newest are those of the newest attempts, and no index is
-- needed that each number would have to pay for.
SELECT :id, rows.bill, rows.state, rows.targets, rows.code
FROM attempts
CROSS JOIN LATERAL json_array_elements_text(attempts.numbers::json)
    WITH ORDINALITY AS each (wanted, nth)
CROSS JOIN LATERAL (
    SELECT * FROM rows
    WHERE account_hash = :account_hash AND bill = wanted AND run + 0 = :run LIMIT 1
) AS rows
WHERE attempts.run = :run AND rows.attempt = attempts.id
    AND rows.targets IS NOT NULL AND rows.state IN ('pushed', 'draft')
ORDER BY attempts.run DESC, attempts.id DESC, each.nth LIMIT :limit;

-- name: made_by_one
SELECT :id, rows.bill, rows.state, rows.targets, rows.code
FROM attempts
CROSS JOIN LATERAL json_array_elements_text(attempts.numbers::json)
    WITH ORDINALITY AS each (wanted, nth)
CROSS JOIN LATERAL (
    SELECT * FROM rows
    WHERE account_hash = :account_hash AND bill = wanted AND run + 0 = :run LIMIT 1
) AS rows
WHERE attempts.run = :run AND attempts.sender = :sender AND rows.attempt = attempts.id
    AND rows.targets IS NOT NULL AND rows.state IN ('pushed', 'draft')
ORDER BY attempts.run DESC, attempts.sender DESC, attempts.id DESC, each.nth LIMIT :limit;

-- name: fruitful
SELECT attempts.id FROM attempts
WHERE run = :run AND id = ANY(:attempts::bigint[]) AND EXISTS (
    SELECT FROM json_array_elements_text(attempts.numbers::json) AS each (wanted)
    CROSS JOIN LATERAL (
        SELECT attempt, state FROM rows
        WHERE account_hash = :account_hash AND bill = wanted AND run + 0 = :run LIMIT 1
    ) AS row
    WHERE row.attempt = attempts.id AND row.state IN ('pushed', 'draft')
);

-- name: lock_documents
SELECT rows.bill, rows.place, rows.state, rows.targets
FROM unnest(:bills::text[]) AS wanted CROSS JOIN LATERAL (
    SELECT run, place FROM rows
    WHERE account_hash = :account_hash AND bill = wanted
        AND run + 0 = (SELECT key FROM runs WHERE id = :run AND account = :account) LIMIT 1
) AS found
JOIN rows ON rows.run = found.run AND rows.place = found.place
ORDER BY rows.place
FOR UPDATE OF rows;

-- name: amend
UPDATE rows
SET state = e.state, targets = e.targets, code = e.code, reason = e.reason
FROM (
    SELECT :run::bigint AS run, e.*
    FROM json_to_recordset(:each::json)
        AS e (place bigint, state text, targets text, code text, reason text)
    OFFSET 0
) AS e
WHERE rows.run = e.run AND rows.place = e.place;

-- name: put_off
UPDATE rows
SET code = e.code, reason = e.reason
FROM (
    SELECT :run::bigint AS run, :account_hash::int AS account_hash, e.*
    FROM json_to_recordset(:each::json) AS e (bill text, state text, code text, reason text)
    OFFSET 0
) AS e
WHERE rows.account_hash = e.account_hash AND rows.bill = e.bill AND rows.run = e.run
    AND rows.state = e.state AND rows.state IN ('planned', 'unknown');

-- name: doubts
SELECT rows.bill, attempts.id, attempts.began_at, boot, uptime_s, attempts.before,
    attempts.sender, json_array_length(attempts.numbers::json),
    rows.listed_id, rows.source_id
FROM rows JOIN attempts ON attempts.id = rows.attempt
WHERE rows.run = :run AND rows.rare >= 'unknown' AND rows.rare <= 'unknown'
ORDER BY rows.rare, rows.place;

-- name: lost_calls
SELECT (attempts.ended_at IS NULL AND verdict IS NULL) OR EXISTS (
    SELECT FROM json_array_elements_text(numbers::json) AS each (bill)
    CROSS JOIN LATERAL (
        SELECT attempt, state FROM rows
        WHERE account_hash = :account_hash AND bill = each.bill AND run = runs.key OFFSET 0
    ) AS rows
    WHERE rows.attempt = attempts.id AND state = 'unknown'
), {columns_of_attempt}
FROM (
    SELECT key FROM runs WHERE account = :account AND pruned = 0 AND ended_at IS NULL
    UNION ALL
    SELECT key FROM runs WHERE account = :account AND pruned = 0 AND ended_at >= :since
) AS of_late CROSS JOIN LATERAL (
    SELECT began_at AS at FROM attempts WHERE run = of_late.key ORDER BY id DESC LIMIT 1
) AS newest CROSS JOIN LATERAL (
    SELECT * FROM attempts
    WHERE run = of_late.key AND id > :after AND id < :before AND newest.at >= :since
    ORDER BY id DESC LIMIT :limit
) AS attempts
JOIN runs ON runs.key = attempts.run
WHERE attempts.began_at >= :since
    AND (attempts.ended_at IS NULL OR verdict LIKE 'note.doubt%')
ORDER BY attempts.id;

-- part: tells_of_documents
-- The verdict is a remark (`runs.sending.attempt.remark_on`). Words of the ERP may stand in it, so
-- that only its beginning tells.
runs.account = :account AND (
    verdict LIKE 'note.success%' OR verdict LIKE 'note.also{"first":["note.success"%'
    OR ((
        verdict LIKE 'note.silent_success%'
        OR verdict LIKE 'note.also{"first":["note.silent_success"%'
    ) AND EXISTS (
        SELECT FROM json_array_elements_text(numbers::json) AS each (bill)
        CROSS JOIN LATERAL (
            SELECT attempt, attempts AS sendings, state FROM rows
            WHERE account_hash = :account_hash AND bill = each.bill AND run = runs.key OFFSET 0
        ) AS rows
        WHERE rows.attempt = attempts.id AND sendings = 1 AND state = 'pushed'
    ))
)

-- name: last_successes
SELECT {columns_of_attempt}
FROM (
    SELECT max(attempts.id) AS id FROM attempts JOIN runs ON runs.key = attempts.run
    WHERE attempts.id > :after AND attempts.ended_at <= :until AND {tells_of_documents}
    GROUP BY attempts.sender
) AS newest
JOIN attempts ON attempts.id = newest.id
JOIN runs ON runs.key = attempts.run
ORDER BY attempts.id;

-- name: last_answered
SELECT {columns_of_attempt}
FROM attempts JOIN runs ON runs.key = attempts.run
WHERE attempts.id > :after AND attempts.id < :before
    AND attempts.id <> :attempt AND (attempts.id < :attempt OR began_at <= :until)
    AND runs.account = :account AND attempts.ended_at IS NOT NULL
    AND (verdict NOT LIKE 'note.doubt%' OR verdict LIKE 'note.doubt{"code":"server_timeout"%')
ORDER BY attempts.ended_at DESC, attempts.id DESC LIMIT 1;

-- name: count_attempts
SELECT count(*) FROM attempts WHERE run = :run;

-- name: attempts_in
SELECT {columns_of_attempt}
FROM (
    SELECT * FROM attempts WHERE (run, id) > (:run, :after) AND run <= :run
    ORDER BY run, id LIMIT :limit
) AS attempts
JOIN runs ON runs.key = attempts.run
ORDER BY attempts.id;

-- name: notes_in
SELECT notes.id, notes.number, notes.at, runs.id, notes.text
FROM (
    SELECT * FROM notes WHERE (run, id) > (:run, :after) AND run <= :run
    ORDER BY run, id LIMIT :limit
) AS notes
JOIN runs ON runs.key = notes.run
ORDER BY notes.id;

-- name: lately_sent
-- A run of then may have known a bill by another number, and by its id.
SELECT found.bills, {columns_of_attempt}
FROM (
    SELECT attempt, json_agg(json_build_array(asked, bill))::text AS bills
    FROM (
        SELECT asked, asked AS bill, carried.attempt
        FROM unnest(:bills::text[]) AS wanted (asked) JOIN carried ON carried.number = wanted.asked
        UNION
        SELECT asked, asked, rows.attempt
        FROM unnest(:bills::text[]) AS wanted (asked) CROSS JOIN LATERAL (
            SELECT attempt FROM rows
            WHERE account_hash = :account_hash AND bill = wanted.asked OFFSET 0
        ) AS rows
        UNION
        SELECT asked, rows.bill, rows.attempt
        FROM unnest(:bills::text[], :ids::text[]) AS wanted (asked, id) CROSS JOIN LATERAL (
            SELECT bill, attempt FROM rows
            WHERE account_hash = :account_hash AND source_id = wanted.id AND source_id > '' OFFSET 0
        ) AS rows
        UNION
        SELECT asked, rows.bill, carried.attempt
        FROM unnest(:bills::text[], :ids::text[]) AS wanted (asked, id) CROSS JOIN LATERAL (
            SELECT bill, run FROM rows
            WHERE account_hash = :account_hash AND source_id = wanted.id AND source_id > '' OFFSET 0
        ) AS rows
        CROSS JOIN LATERAL (SELECT attempt FROM carried WHERE number = rows.bill OFFSET 0) AS carried
        WHERE (SELECT run FROM attempts WHERE id = carried.attempt) = rows.run
    ) AS pairs
    GROUP BY attempt
) AS found
CROSS JOIN LATERAL (SELECT * FROM attempts WHERE id = found.attempt LIMIT 1) AS attempts
CROSS JOIN LATERAL (SELECT id, scope FROM runs WHERE key = attempts.run LIMIT 1) AS runs
WHERE runs.scope = :scope AND attempts.run <> :run AND attempts.began_at >= :since
ORDER BY attempts.id;

-- name: attempts_of
SELECT {columns_of_attempt}
FROM (
    SELECT attempt FROM carried WHERE number = :number
    UNION
    SELECT attempt FROM rows WHERE account_hash = :account_hash AND bill = :number
) AS found
JOIN attempts ON attempts.id = found.attempt
JOIN runs ON runs.key = attempts.run
WHERE runs.account = :account AND runs.archive IS NULL
ORDER BY attempts.id;

-- name: insert_command
INSERT INTO commands (run, given_at, words) VALUES (:run, :given_at, :words) RETURNING id;

-- name: enrol
INSERT INTO documents (run, id, number, sender, follow, reason, at)
SELECT :run, e.id, e.number, e.sender, e.follow, e.reason, :at
FROM json_to_recordset(:each::json)
    AS e (id text, number text, sender text, follow text, reason text)
ON CONFLICT (run, id) DO NOTHING;

-- name: select_documents
SELECT id, number, sender, follow, reason, step FROM documents
WHERE run = :run AND id > :after AND (:every::boolean OR coalesce(follow, '') = ANY (:follows::text[]))
ORDER BY id LIMIT :limit;

-- name: documents_by_id
SELECT id, number, sender, follow, reason, step FROM documents
WHERE run = :run AND id = ANY (:ids::text[]);

-- name: set_documents
UPDATE documents
SET number = e.number, follow = e.follow, reason = e.reason, at = :at
FROM json_to_recordset(:each::json) AS e (id text, number text, follow text, reason text)
WHERE documents.run = :run AND documents.id = e.id;

-- name: share_steps
-- Before it takes a number: until its commit nobody learns which number is the last one.
SELECT pg_advisory_xact_lock_shared(hashtextextended(:account::text || ' steps', 0));

-- name: lock_steps
SELECT pg_advisory_xact_lock(hashtextextended(:account::text || ' steps', 0));

-- name: steps_so_far
SELECT coalesce(max(id), 0), ARRAY(
    SELECT steps.id FROM steps JOIN runs ON runs.key = steps.run
    WHERE runs.account = :account AND steps.ended_at IS NULL AND verdict IS NULL
)
FROM steps;

-- name: lock_for_step
SELECT pg_advisory_xact_lock(hashtextextended(:account::text || ' document ' || id, 0))
FROM unnest(:ids::text[]) AS id;

-- name: step_elsewhere
SELECT 1
FROM (
    SELECT run, ids FROM steps WHERE id > :last
    UNION ALL
    SELECT run, ids FROM steps WHERE id = ANY(:under_way::bigint[])
    UNION ALL
    SELECT run, ids FROM steps WHERE ended_at IS NULL AND verdict IS NULL
) AS s
JOIN runs ON runs.key = s.run AND runs.account = :account
WHERE s.run <> :run
    AND right(runs.scope, length(:form::text)) = :form::text
    AND s.ids::jsonb ?| :ids::text[]
LIMIT 1;

-- name: insert_step
WITH made AS (
    INSERT INTO steps (run, kind, ids, stood, began_at, boot, uptime_s, sender, request)
    VALUES (:run, :kind, :ids, :stood, :began_at, :boot, :uptime_s, :sender, :request)
    RETURNING id
), carry AS (
    UPDATE documents SET step = made.id
    FROM made
    WHERE run = :run AND documents.id = ANY (:documents::text[])
)
SELECT id FROM made;

-- name: step_recording
SELECT runs.id, steps.ended_at IS NOT NULL, verdict IS NOT NULL
FROM steps JOIN runs ON runs.key = steps.run
WHERE steps.id = :step AND runs.account = :account
FOR NO KEY UPDATE OF steps;

-- name: steps_of
SELECT {columns_of_step}
FROM documents AS d
JOIN runs ON runs.key = d.run AND runs.account = :account
-- To read the list of each step as JSON takes several times as long.
JOIN steps ON steps.run = d.run AND strpos(steps.ids, to_json(d.id)::text) > 0
WHERE d.id = :document
ORDER BY steps.id;

-- name: long_steps
SELECT {columns_of_step}
FROM (SELECT key FROM runs WHERE account = :account) AS mine
CROSS JOIN LATERAL (
    SELECT * FROM steps WHERE steps.run = mine.key ORDER BY steps.id DESC LIMIT :limit
) AS steps
JOIN runs ON runs.key = steps.run
WHERE steps.began_at >= :since
    AND (
        steps.ended_at IS NULL OR verdict LIKE 'note.doubt%'
        OR extract(epoch FROM steps.ended_at::timestamptz - steps.began_at::timestamptz)
            > :longer_s::double precision
    )
ORDER BY steps.id;

-- name: prunable
-- What has made no document, and what another row of the scope tells of as well.
SELECT r.place, r.state
FROM rows AS r
WHERE (r.run, r.place) > (:run, :after) AND (r.run, r.place) <= (:run, :until) AND (
    r.state = 'rejected' OR (r.state = 'already' AND EXISTS (
        SELECT FROM rows AS other JOIN runs ON runs.key = other.run
        WHERE other.account_hash = :account_hash AND other.bill = r.bill
            AND other.run <> r.run AND runs.scope = :scope
            -- Another bill may have got the number.
            AND (coalesce(other.source_id, '') IN ('', r.source_id) OR coalesce(r.source_id, '') = '')
            AND (other.state IN ('pushed', 'draft') OR (other.state = 'already' AND other.run > r.run))
    ))
)
ORDER BY r.place
FOR UPDATE OF r;

-- name: prune_repeats
-- Those behind the page whose row goes with it are found by that row.
DELETE FROM repeats
WHERE run = :run
    AND (place > :after AND place <= :until OR first_place = ANY (:places::bigint[]));

-- name: prune_rows
DELETE FROM rows
USING (
    SELECT :run::bigint AS run, place FROM unnest(:places::bigint[]) AS place OFFSET 0
) AS wanted
WHERE rows.run = wanted.run AND rows.place = wanted.place;

-- name: attempts_to_prune
SELECT id, numbers FROM attempts
WHERE (run, id) > (:run, :after) AND run <= :run ORDER BY run, id LIMIT :limit
FOR UPDATE;

-- name: prune_carried
DELETE FROM carried WHERE number = ANY (:numbers::text[]) AND attempt = :attempt;

-- name: prune_attempt
-- Numbers of which the row tells that this attempt was its last one.
UPDATE attempts
SET request = :nothing, before = NULL, body = CASE WHEN body IS NULL THEN NULL ELSE :nothing END,
    numbers = (
        SELECT coalesce(json_agg(each.wanted ORDER BY each.nth), '[]')::text
        FROM json_array_elements_text(attempts.numbers::json)
            WITH ORDINALITY AS each (wanted, nth)
        CROSS JOIN LATERAL (
            SELECT attempt FROM rows
            WHERE account_hash = :account_hash AND bill = wanted AND run + 0 = :run LIMIT 1
        ) AS row
        WHERE row.attempt = attempts.id
    )
WHERE attempts.id = :attempt;

-- name: prune_notes
DELETE FROM notes WHERE id IN (
    SELECT id FROM notes WHERE (run, id) > (:run, 0) AND run <= :run ORDER BY run, id LIMIT :limit
);
