-- The statements of the SQLite ledger, each under its name. Parameters called :numbers and :bills
-- are JSON arrays, and :each is one of objects, so that one statement serves a chunk of any size.
-- :listed are pairs of a number and an id as the job file has them, :called of a number and a bill;
-- bills of one number are those that are called so, or so and a comma and an id ('-' comes after it);
-- and what returns many rows returns them as one JSON array. Each step of a statement gives the
-- interpreter's lock away, and has to have it again. In an UPDATE the run depends on each item, or
-- SQLite would go through all rows of the run for it. Every statement is given :account, the one
-- that the ledger is opened for; each that finds a run, or finds something over all runs, asks for it.

-- part: columns_of_row
place, line, number, bill, state, targets, code, reason, ledger.attempts, chunk, sent_at,
    settled_at, listed_id, source_id

-- part: holds_words
number LIKE :like ESCAPE '\' OR bill LIKE :like ESCAPE '\' OR targets LIKE :in_json ESCAPE '\'
    OR reason LIKE :like ESCAPE '\' OR code LIKE :like ESCAPE '\'
    OR source_id = :words OR listed_id = :words
    OR substr(reason, 1, instr(reason, '{') - 1) IN (SELECT value FROM json_each(:remarks))

-- name: application_id
PRAGMA application_id;

-- name: user_version
PRAGMA user_version;

-- name: count_tables
SELECT count(*) FROM sqlite_master;

-- name: durability
SELECT journal_mode, synchronous FROM pragma_journal_mode, pragma_synchronous;

-- name: wait_while_locked
PRAGMA busy_timeout = 30000;

-- name: wait_for_nobody
PRAGMA busy_timeout = 0;

-- name: begin_write
BEGIN IMMEDIATE;

-- name: begin_read
BEGIN;

-- name: commit
COMMIT;

-- name: rollback
ROLLBACK;

-- name: other_spelling
-- An account's id is told in one spelling by the ERP, and a person may type another.
-- The runs of the account's own spelling, which are many, are passed over.
SELECT * FROM (
    SELECT account FROM runs WHERE lower(account) = lower(:account) AND account < :account LIMIT 1
)
UNION ALL
SELECT * FROM (
    SELECT account FROM runs WHERE lower(account) = lower(:account) AND account > :account LIMIT 1
);

-- name: home
SELECT file, moved_at FROM home;

-- name: leave_home
DELETE FROM home;

-- name: settle_in
INSERT INTO home (file, moved_at) VALUES (:file, :moved_at);

-- name: last_begun
-- Of whichever account.
SELECT max(began_at) FROM attempts JOIN runs ON runs.key = attempts.run WHERE runs.id = :run;

-- name: runs_named
SELECT {columns_of_run} FROM runs
WHERE id >= :beginning AND id < :beginning || char(1114111) AND +account = :account
ORDER BY key;

-- name: runs_called
SELECT {columns_of_run} FROM runs
WHERE account = :account AND key < :before
    AND (jobs LIKE :like ESCAPE '\' OR id IN (SELECT value FROM json_each(:ids)))
ORDER BY key DESC LIMIT :last;

-- name: places_of_listed
SELECT r.number, r.listed_id, r.place, r.line
FROM json_each(:listed) AS j
CROSS JOIN rows AS r ON r.number = json_extract(j.value, '$[0]')
    AND r.listed_id = json_extract(j.value, '$[1]') AND r.run = :run;

-- name: insert_row
INSERT INTO rows (run, place, line, number, listed_id)
SELECT :run, json_extract(value, '$.place'), json_extract(value, '$.line'),
    json_extract(value, '$.number'), json_extract(value, '$.listed_id')
FROM json_each(:each);

-- name: insert_repeat
INSERT INTO repeats (run, place, line, number, first_place)
SELECT :run, json_extract(value, '$.place'), json_extract(value, '$.line'), json_extract(value, '$.number'),
    json_extract(value, '$.first_place')
FROM json_each(:each);

-- name: tally
INSERT INTO tallies (run, state, n)
SELECT :run, json_extract(value, '$.state'), json_extract(value, '$.n') FROM json_each(:each) WHERE true
ON CONFLICT (run, state) DO UPDATE SET n = n + excluded.n;

-- name: select_tallies
SELECT state, n FROM tallies WHERE run = :run AND n > 0;

-- name: count_targets
-- The ids are sorted out in SQLite's own temporary storage, so a million cost no memory.
SELECT count(DISTINCT json_extract(target.value, '$[0]'))
FROM rows CROSS JOIN json_each(rows.targets) AS target
WHERE rows.run = :run;

-- name: rows_of_lines
-- Bills by what they are called, bills by their number, and lines of the job file.
SELECT json_group_array(json_array(
    place, state, coalesce(attempt, 0), number, listed_id, coalesce(bill, ''),
    coalesce(source_id, '')
))
FROM (
    SELECT r.*
    FROM runs CROSS JOIN json_each(:bills) AS j
    CROSS JOIN rows AS r ON r.bill = j.value AND r.run = runs.key
    WHERE runs.id = :run AND runs.account = :account
    UNION ALL
    SELECT r.*
    FROM runs CROSS JOIN json_each(:listed) AS j
    CROSS JOIN rows AS r ON r.number = json_extract(j.value, '$[0]')
        AND r.listed_id = json_extract(j.value, '$[1]') AND r.run = runs.key
    WHERE runs.id = :run AND runs.account = :account
    UNION ALL
    SELECT r.*
    FROM runs CROSS JOIN json_each(:of) AS j
    CROSS JOIN rows AS r ON r.bill >= j.value AND r.bill < j.value || '-' AND +r.run = runs.key
    WHERE runs.id = :run AND runs.account = :account
        AND (r.bill = j.value OR substr(r.bill, length(j.value) + 1, 1) = ',')
);

-- name: rows_of_sources
SELECT r.place, r.source_id
FROM json_each(:ids) AS j
CROSS JOIN rows AS r ON r.source_id = j.value AND r.source_id > '' AND +r.run = :run;

-- name: set_bills
-- :named are pairs of what a bill is called and its id, by place.
UPDATE rows SET bill = json_extract(value, '$[0]'), source_id = json_extract(value, '$[1]')
FROM json_each(:named)
WHERE run = :run + 0 * id AND place = CAST(key AS INTEGER);

-- name: row_to_repeat
INSERT INTO repeats (run, place, line, number, first_place)
SELECT run, place, line, CASE listed_id WHEN '' THEN number ELSE number || ',' || listed_id END,
    json_extract(value, '$.kept')
FROM json_each(:each) CROSS JOIN rows ON run = :run AND place = json_extract(value, '$.place');

-- name: repoint_repeats
UPDATE repeats SET first_place = json_extract(value, '$.kept') FROM json_each(:each)
WHERE run = :run + 0 * id AND first_place = json_extract(value, '$.place');

-- name: delete_row
DELETE FROM rows
WHERE run = :run AND place IN (SELECT json_extract(value, '$.place') FROM json_each(:each));

-- name: repeats_at
SELECT repeats.line, repeats.number, rows.line
FROM repeats
JOIN rows ON rows.run = repeats.run AND rows.place = repeats.first_place
WHERE repeats.run = :run AND repeats.place IN (SELECT value FROM json_each(:places))
ORDER BY repeats.place;

-- name: holders
SELECT key, scope, (
    SELECT json_group_array(json_array(
        claims.bill, claims.run, holder.id, rows.place, rows.state
    ))
    FROM json_each(:called) AS j
    CROSS JOIN claims ON claims.scope = runs.scope AND claims.number = json_extract(j.value, '$[0]')
    CROSS JOIN runs AS holder ON holder.key = claims.run
    LEFT JOIN rows ON rows.bill = claims.bill AND rows.run = claims.run
)
FROM runs WHERE id = :run AND account = :account;

-- name: claim_free
INSERT INTO claims (scope, number, bill, run)
SELECT runs.scope, json_extract(j.value, '$[0]'), json_extract(j.value, '$[1]'), runs.key
FROM runs CROSS JOIN json_each(:called) AS j
WHERE runs.id = :run AND runs.account = :account
ON CONFLICT (scope, number) DO NOTHING;

-- name: in_hand
SELECT rows.source_id, runs.id, rows.bill
FROM json_each(:ids) AS j
CROSS JOIN rows ON rows.source_id = j.value AND rows.source_id > ''
CROSS JOIN runs ON runs.key = rows.run AND runs.scope = :scope
WHERE rows.state = 'sent' OR rows.state = 'unknown'
ORDER BY runs.started_at, runs.id, rows.place;

-- name: set_claims
INSERT INTO claims (scope, number, bill, run)
SELECT :scope, json_extract(value, '$[0]'), json_extract(value, '$[1]'), :run
FROM json_each(:called) WHERE true
ON CONFLICT (scope, number) DO UPDATE SET bill = excluded.bill, run = excluded.run;

-- name: delete_claims
DELETE FROM claims
WHERE scope = :scope AND number IN (SELECT json_extract(value, '$[0]') FROM json_each(:called))
    AND bill IN (SELECT json_extract(value, '$[1]') FROM json_each(:called)) AND run = :run;

-- name: pass_claims_on
-- Two runs may be in doubt over one bill if an earlier version told claims apart by rules.
INSERT INTO claims (scope, number, bill, run)
SELECT :scope, json_extract(j.value, '$[0]'), r.bill, r.run
FROM json_each(:called) AS j
CROSS JOIN rows AS r ON r.bill = json_extract(j.value, '$[1]')
CROSS JOIN runs ON runs.key = r.run
WHERE runs.scope = :scope AND (r.state = 'sent' OR r.state = 'unknown')
ON CONFLICT (scope, number) DO NOTHING;

-- name: claims_of_run
SELECT claims.bill, rows.state
FROM claims LEFT JOIN rows ON rows.bill = claims.bill AND rows.run = claims.run
WHERE claims.run = :run;

-- name: standings
SELECT key, scope, (SELECT coalesce(max(id), 0) + 1 FROM attempts), (
    SELECT json_group_array(json_array(
        r.place, r.state, coalesce(r.attempt, 0), r.bill, c.run = runs.key AND c.bill = r.bill
    ))
    FROM json_each(:called) AS j
    CROSS JOIN rows AS r ON r.bill = json_extract(j.value, '$[1]') AND r.run = runs.key
    LEFT JOIN claims AS c ON c.scope = runs.scope AND c.number = json_extract(j.value, '$[0]')
)
FROM runs WHERE id = :run AND account = :account;

-- name: recording_of
SELECT run, scope, numbers, attempts.ended_at IS NOT NULL, verdict IS NOT NULL, (
    SELECT json_group_array(json_array(r.place, r.state, coalesce(r.attempt, 0), r.bill, 0))
    FROM json_each(numbers) AS j
    CROSS JOIN rows AS r ON r.bill = j.value AND r.run = attempts.run
)
FROM attempts JOIN runs ON runs.key = attempts.run
WHERE attempts.id = :attempt AND runs.account = :account;

-- name: insert_attempt
INSERT INTO attempts (
    id, run, chunk, nth, began_at, boot, uptime_s, numbers, before, request, sender
)
VALUES (
    :attempt, :run, :chunk, :nth, :began_at, :boot, :uptime_s, :numbers, :before, :request, :sender
);

-- name: count_attempt
UPDATE runs SET attempts = attempts + 1 WHERE key = :run;

-- name: carry
-- The attempt before this one, whose place in the row this one takes.
INSERT OR IGNORE INTO carried (number, attempt)
SELECT bill, attempt FROM json_each(:places) AS j
CROSS JOIN rows ON run = :run AND place = j.value
WHERE attempt IS NOT NULL;

-- name: send_rows
UPDATE rows
SET state = 'sent', targets = NULL, code = NULL, reason = NULL,
    attempts = attempts + 1, attempt = :attempt
WHERE run = :run AND place IN (SELECT value FROM json_each(:places));

-- name: move_rows
-- :targets are the documents of each row, by its place; all else is the same for all of them.
UPDATE rows
SET state = :state, targets = json_each.value, code = :code, reason = :reason,
    settled_at = :settled_at
FROM json_each(:targets)
WHERE run = :run + 0 * json_each.id AND place = CAST(key AS INTEGER);

-- name: sent_rows
SELECT place, state, bill FROM rows WHERE run = :run AND state = 'sent';

-- name: insert_notes
INSERT INTO notes (number, run, at, text)
SELECT value, :run, :at, :text FROM json_each(:numbers);

-- name: page
SELECT json_group_array(json_array({columns_of_row})) FROM (
    SELECT * FROM ledger WHERE run = :run AND place > :after ORDER BY place LIMIT :limit
) AS ledger;

-- name: page_in_state
SELECT json_group_array(json_array({columns_of_row})) FROM (
    SELECT * FROM ledger
    WHERE run = :run AND state = :state AND place > :after ORDER BY place LIMIT :limit
) AS ledger;

-- name: page_in_rare_state
-- The condition of the index, word for word, or SQLite would not use it.
SELECT json_group_array(json_array({columns_of_row})) FROM (
    SELECT * FROM ledger
    WHERE run = :run AND state = :state AND state <> 'planned' AND state <> 'sent'
        AND state <> 'pushed' AND place > :after
    ORDER BY place LIMIT :limit
) AS ledger;

-- name: rows_of_number
SELECT ledger.run, {columns_of_row}
FROM ledger JOIN runs ON runs.id = ledger.run
WHERE (number = :number OR bill = :number OR (bill > :number || ',' AND bill < :number || '-'))
    AND +runs.account = :account
ORDER BY runs.started_at, runs.id, place;

-- name: rows_of_bill
SELECT ledger.run, {columns_of_row}
FROM ledger JOIN runs ON runs.id = ledger.run
WHERE ((number = :number AND listed_id = :id) OR bill = :bill) AND runs.account = :account
ORDER BY runs.started_at, runs.id, place;

-- name: accounts_with
SELECT DISTINCT runs.account
FROM ledger JOIN runs ON runs.id = ledger.run
WHERE (number = :number AND :id IN ('', listed_id)) OR bill = :bill
    OR (bill > :bill || ',' AND bill < :bill || '-' AND :id = '');

-- name: find_rows
SELECT ledger.run, {columns_of_row}
FROM ledger JOIN runs ON runs.id = ledger.run
WHERE runs.account = :account AND ({holds_words})
ORDER BY runs.started_at DESC, runs.id DESC, place LIMIT :limit;

-- name: runs_holding
SELECT DISTINCT ledger.run
FROM ledger JOIN runs ON runs.id = ledger.run
WHERE runs.account = :account AND ({holds_words});

-- name: made_in
-- The latest of each bill last. A bill is found by its number, and by its id under any number.
-- Of the run :but only other rows of the same bill count, which have another number.
WITH asked AS MATERIALIZED (
    SELECT json_extract(j.value, '$[0]') AS number, json_extract(j.value, '$[1]') AS bill,
        coalesce(nullif(json_extract(j.value, '$[2]'), ''), own.source_id) AS id
    FROM json_each(:called) AS j
    LEFT JOIN rows AS own ON own.bill = json_extract(j.value, '$[1]') AND own.run = :but
),
found AS (
    SELECT asked.bill AS asked, asked.id AS asked_id, r.*
    FROM asked CROSS JOIN rows AS r ON r.bill >= asked.number AND r.bill < asked.number || '-'
    WHERE r.run IS NOT :but
    UNION ALL
    SELECT asked.bill, asked.id, r.*
    FROM asked CROSS JOIN rows AS r ON r.source_id = asked.id AND r.source_id > ''
    WHERE r.run IS NOT :but OR r.bill <> asked.bill
)
SELECT found.asked, found.asked_id, found.bill, found.source_id, runs.id, found.state, found.targets,
    found.code
FROM found CROSS JOIN runs ON runs.key = found.run
WHERE runs.scope = :scope AND (
    found.state = 'pushed' OR found.state = 'draft' OR (:or_found AND found.state = 'already')
)
ORDER BY runs.started_at, runs.id, found.place;

-- name: made_of_namesakes
SELECT json_extract(j.value, '$[1]'), r.bill, r.source_id, r.targets
FROM json_each(:called) AS j
CROSS JOIN rows AS r ON r.bill >= json_extract(j.value, '$[0]')
    AND r.bill < json_extract(j.value, '$[0]') || '-'
CROSS JOIN runs ON runs.key = r.run
WHERE runs.scope = :scope AND (r.state = 'pushed' OR r.state = 'draft');

-- name: made_by_any
-- Documents are made by attempts, so the newest are those of the newest attempts, and no index is
-- needed that each number would have to pay for. SQLite goes through the numbers of one in their
-- order, and would sort all of the run if it were told to.
SELECT :id, r.bill, r.state, r.targets, r.code
FROM attempts AS a INDEXED BY attempts_in_order
CROSS JOIN json_each(a.numbers) AS j
CROSS JOIN rows AS r ON r.bill = j.value AND r.run = :run
WHERE a.run = :run AND r.attempt = a.id AND r.targets IS NOT NULL
    AND (r.state = 'pushed' OR r.state = 'draft')
ORDER BY a.id DESC LIMIT :limit;

-- name: made_by_one
SELECT :id, r.bill, r.state, r.targets, r.code
FROM attempts AS a INDEXED BY attempts_by_sender
CROSS JOIN json_each(a.numbers) AS j
CROSS JOIN rows AS r ON r.bill = j.value AND r.run = :run
WHERE a.run = :run AND a.sender = :sender AND r.attempt = a.id AND r.targets IS NOT NULL
    AND (r.state = 'pushed' OR r.state = 'draft')
ORDER BY a.id DESC LIMIT :limit;

-- name: fruitful
SELECT a.id
FROM json_each(:attempts) AS wanted CROSS JOIN attempts AS a ON a.id = wanted.value
WHERE a.run = :run AND EXISTS (
    SELECT 1 FROM json_each(a.numbers) AS j
    CROSS JOIN rows AS r ON r.bill = j.value AND r.run = :run
    WHERE r.attempt = a.id AND (r.state = 'pushed' OR r.state = 'draft')
);

-- name: documents
SELECT r.bill, r.place, r.state, r.targets
FROM json_each(:bills) AS j CROSS JOIN rows AS r ON r.bill = j.value AND r.run = :run;

-- name: amend
UPDATE rows
SET state = json_extract(value, '$.state'), targets = json_extract(value, '$.targets'),
    code = json_extract(value, '$.code'), reason = json_extract(value, '$.reason')
FROM json_each(:each)
WHERE run = :run + 0 * id AND place = json_extract(value, '$.place');

-- name: put_off
UPDATE rows INDEXED BY rows_by_bill
SET code = json_extract(value, '$.code'), reason = json_extract(value, '$.reason')
FROM json_each(:each)
WHERE bill = json_extract(value, '$.bill') AND run = :run
    AND state = json_extract(value, '$.state') AND state IN ('planned', 'unknown');

-- name: doubts
SELECT rows.bill, attempts.id, attempts.began_at, boot, uptime_s, attempts.before,
    attempts.sender, json_array_length(attempts.numbers), rows.listed_id, rows.source_id
FROM rows INDEXED BY rows_by_state JOIN attempts ON attempts.id = rows.attempt
WHERE rows.run = :run AND rows.state = 'unknown' AND rows.state <> 'planned'
    AND rows.state <> 'sent' AND rows.state <> 'pushed'
ORDER BY rows.place;

-- name: lost_calls
SELECT (attempts.ended_at IS NULL AND verdict IS NULL) OR EXISTS (
    SELECT 1 FROM json_each(numbers) AS each
    CROSS JOIN rows INDEXED BY rows_by_bill ON rows.bill = each.value AND rows.run = runs.key
    WHERE rows.attempt = attempts.id AND rows.state = 'unknown'
), {columns_of_attempt}
FROM (
    SELECT id FROM attempts WHERE id > :after AND id < :before ORDER BY id DESC LIMIT :limit
) AS late
CROSS JOIN attempts ON attempts.id = late.id
CROSS JOIN runs ON runs.key = attempts.run
WHERE runs.account = :account AND runs.pruned = 0
    AND (runs.ended_at IS NULL OR runs.ended_at >= :since) AND began_at >= :since
    AND (attempts.ended_at IS NULL OR verdict LIKE 'note.doubt%')
    AND :since <= (
        SELECT newest.began_at FROM attempts AS newest INDEXED BY attempts_in_order
        WHERE newest.run = runs.key ORDER BY newest.id DESC LIMIT 1
    )
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
        SELECT 1 FROM json_each(numbers) AS each
        CROSS JOIN rows INDEXED BY rows_by_bill
            ON rows.bill = each.value AND rows.run = runs.key
        WHERE rows.attempt = attempts.id AND rows.attempts = 1 AND rows.state = 'pushed'
    ))
)

-- name: last_successes
SELECT {columns_of_attempt}
FROM (
    SELECT max(attempts.id) AS id FROM attempts CROSS JOIN runs ON runs.key = attempts.run
    WHERE attempts.id > :after AND attempts.ended_at <= :until AND {tells_of_documents}
    GROUP BY attempts.sender
) AS newest
CROSS JOIN attempts ON attempts.id = newest.id
JOIN runs ON runs.key = attempts.run
ORDER BY attempts.id;

-- name: last_answered
SELECT {columns_of_attempt}
FROM attempts CROSS JOIN runs ON runs.key = attempts.run
WHERE attempts.id > :after AND attempts.id < :before
    AND attempts.id <> :attempt AND (attempts.id < :attempt OR began_at <= :until)
    AND runs.account = :account AND attempts.ended_at IS NOT NULL
    AND (verdict NOT LIKE 'note.doubt%' OR verdict LIKE 'note.doubt{"code":"server_timeout"%')
ORDER BY attempts.ended_at DESC, attempts.id DESC LIMIT 1;

-- name: count_attempts
SELECT attempts FROM runs WHERE key = :run;

-- name: attempts_in
SELECT {columns_of_attempt}
FROM attempts INDEXED BY attempts_in_order
JOIN runs ON runs.key = attempts.run
WHERE attempts.run = :run AND attempts.id > :after
ORDER BY attempts.id LIMIT :limit;

-- name: notes_in
SELECT notes.id, notes.number, notes.at, runs.id, notes.text
FROM notes JOIN runs ON runs.key = notes.run
WHERE notes.run = :run AND notes.id > :after
ORDER BY notes.id LIMIT :limit;

-- name: lately_sent
-- :called are pairs of a bill and its id. Of the runs that knew it by another number, theirs counts.
WITH called AS MATERIALIZED (
    SELECT json_extract(value, '$[0]') AS asked, json_extract(value, '$[1]') AS id
    FROM json_each(:called)
),
found AS (
    SELECT asked, asked AS bill, carried.attempt
    FROM called CROSS JOIN carried ON carried.number = called.asked
    UNION
    SELECT asked, asked, rows.attempt FROM called CROSS JOIN rows ON rows.bill = called.asked
    UNION
    SELECT asked, rows.bill, rows.attempt
    FROM called CROSS JOIN rows ON rows.source_id = called.id AND rows.source_id > ''
    UNION
    SELECT asked, rows.bill, carried.attempt
    FROM called CROSS JOIN rows ON rows.source_id = called.id AND rows.source_id > ''
    CROSS JOIN carried ON carried.number = rows.bill
    CROSS JOIN attempts ON attempts.id = carried.attempt AND attempts.run = rows.run
)
SELECT json_group_array(json_array(found.asked, found.bill)), {columns_of_attempt}
FROM found
CROSS JOIN attempts ON attempts.id = found.attempt
JOIN runs ON runs.key = attempts.run
WHERE runs.scope = :scope AND runs.key <> :run AND attempts.began_at >= :since
GROUP BY attempts.id
ORDER BY attempts.id;

-- name: attempts_of
SELECT {columns_of_attempt}
FROM (
    SELECT attempt FROM carried WHERE number = :number
    UNION
    SELECT attempt FROM rows WHERE bill = :number
) AS found
CROSS JOIN attempts ON attempts.id = found.attempt
JOIN runs ON runs.key = attempts.run
WHERE runs.account = :account AND runs.archive IS NULL
ORDER BY attempts.id;

-- name: insert_command
INSERT INTO commands (run, given_at, words) VALUES (:run, :given_at, :words);

-- name: enrol
INSERT INTO documents (run, id, number, sender, follow, reason, at)
SELECT :run, json_extract(value, '$.id'), json_extract(value, '$.number'),
    json_extract(value, '$.sender'), json_extract(value, '$.follow'),
    json_extract(value, '$.reason'), :at
FROM json_each(:each) WHERE true
ON CONFLICT (run, id) DO NOTHING;

-- name: select_documents
SELECT id, number, sender, follow, reason, step FROM documents
WHERE run = :run AND id > :after
    AND (:every OR coalesce(follow, '') IN (SELECT value FROM json_each(:follows)))
ORDER BY id LIMIT :limit;

-- name: documents_by_id
SELECT d.id, d.number, d.sender, d.follow, d.reason, d.step
FROM json_each(:ids) AS j CROSS JOIN documents AS d ON d.run = :run AND d.id = j.value;

-- name: set_documents
UPDATE documents
SET number = json_extract(value, '$.number'), follow = json_extract(value, '$.follow'),
    reason = json_extract(value, '$.reason'), at = :at
FROM json_each(:each)
WHERE run = :run + 0 * json_each.id AND documents.id = json_extract(value, '$.id');

-- name: steps_so_far
SELECT coalesce(max(id), 0), (
    SELECT json_group_array(steps.id) FROM steps CROSS JOIN runs ON runs.key = steps.run
    WHERE runs.account = :account AND steps.ended_at IS NULL AND verdict IS NULL
)
FROM steps;

-- name: step_elsewhere
SELECT 1
FROM (
    SELECT run, ids FROM steps WHERE id > :last
    UNION ALL
    SELECT run, ids FROM steps WHERE id IN (SELECT value FROM json_each(:under_way))
    UNION ALL
    SELECT run, ids FROM steps WHERE ended_at IS NULL AND verdict IS NULL
) AS s
CROSS JOIN runs ON runs.key = s.run AND runs.account = :account
WHERE s.run <> :run
    AND substr(runs.scope, -length(:form)) = :form
    AND EXISTS (
        SELECT 1 FROM json_each(s.ids) AS theirs
        WHERE theirs.value IN (SELECT value FROM json_each(:ids))
    )
LIMIT 1;

-- name: insert_step
INSERT INTO steps (run, kind, ids, stood, began_at, boot, uptime_s, sender, request)
VALUES (:run, :kind, :ids, :stood, :began_at, :boot, :uptime_s, :sender, :request);

-- name: set_step_of
UPDATE documents SET step = :step
WHERE run = :run AND id IN (SELECT value FROM json_each(:ids));

-- name: step_recording
SELECT steps.run, steps.ended_at IS NOT NULL, verdict IS NOT NULL
FROM steps JOIN runs ON runs.key = steps.run
WHERE steps.id = :step AND runs.account = :account;

-- name: steps_of
SELECT {columns_of_step}
FROM documents AS d
JOIN runs ON runs.key = d.run AND runs.account = :account
-- To read the list of each step as JSON takes several times as long.
JOIN steps ON steps.run = d.run AND instr(steps.ids, json_quote(d.id))
WHERE d.id = :document
ORDER BY steps.id;

-- name: long_steps
SELECT {columns_of_step}
FROM (SELECT id FROM steps ORDER BY id DESC LIMIT :limit) AS late
CROSS JOIN steps ON steps.id = late.id
CROSS JOIN runs ON runs.key = steps.run AND runs.account = :account
WHERE steps.began_at >= :since
    AND (
        steps.ended_at IS NULL OR verdict LIKE 'note.doubt%'
        OR (julianday(steps.ended_at) - julianday(steps.began_at)) * 86400 > :longer_s
    )
ORDER BY steps.id;

-- name: prune_repeats
-- Those behind the page whose row goes with it are found by that row.
DELETE FROM repeats
WHERE run = :run AND (
    (place > :after AND place <= :until) OR first_place IN (
        SELECT value FROM json_each(:places)
    )
);

-- name: prunable
-- What has made no document, and what another row of the scope tells of as well.
SELECT place, state
FROM rows AS r
WHERE run = :run AND place > :after AND place <= :until AND (
    state = 'rejected' OR (state = 'already' AND EXISTS (
        SELECT 1 FROM rows AS other JOIN runs ON runs.key = other.run
        WHERE other.bill = r.bill AND other.run <> r.run AND runs.scope = :scope
            -- Another bill may have got the number.
            AND (coalesce(other.source_id, '') IN ('', r.source_id) OR coalesce(r.source_id, '') = '')
            AND (other.state IN ('pushed', 'draft') OR (other.state = 'already' AND other.run > r.run))
    ))
)
ORDER BY place;

-- name: prune_rows
DELETE FROM rows WHERE run = :run AND place IN (SELECT value FROM json_each(:places));

-- name: attempts_to_prune
SELECT id, numbers FROM attempts INDEXED BY attempts_in_order
WHERE run = :run AND id > :after ORDER BY id LIMIT :limit;

-- name: prune_carried
DELETE FROM carried
WHERE attempt = :attempt AND number IN (SELECT value FROM json_each(:numbers));

-- name: prune_attempt
-- Numbers of which the row tells that this attempt was its last one.
UPDATE attempts
SET request = :nothing, before = NULL, body = CASE WHEN body IS NULL THEN NULL ELSE :nothing END,
    numbers = (
        SELECT json_group_array(j.value) FROM json_each(attempts.numbers) AS j
        CROSS JOIN rows AS r ON r.bill = j.value AND r.run = attempts.run
        WHERE r.attempt = attempts.id
    )
WHERE id = :attempt;

-- name: prune_notes
DELETE FROM notes WHERE id IN (SELECT id FROM notes WHERE run = :run ORDER BY id LIMIT :limit);
