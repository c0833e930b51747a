-- The statements of the SQLite ledger, each under its name. Parameters called :numbers and :bills
-- are JSON arrays, and :each is one of objects, so that one statement serves a chunk of any size;
-- and what returns many rows returns them as one JSON array. Each step of a statement gives the
-- interpreter's lock away, and has to have it again. In an UPDATE the run depends on each item, or
-- SQLite would go through all rows of the run for it.

-- name: application_id
PRAGMA application_id;

-- name: user_version
PRAGMA user_version;

-- name: count_tables
SELECT count(*) FROM sqlite_master;

-- name: durability
SELECT journal_mode, synchronous FROM pragma_journal_mode, pragma_synchronous;

-- name: wait_for_others
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

-- name: insert_run
INSERT INTO runs (id, scope, route, jobs, folder, started_at, ended_at, exit, again_because, whole)
VALUES (:id, :scope, :route, :jobs, :folder, :started_at, :ended_at, :exit, :again_because, :whole);

-- name: set_whole
UPDATE runs SET whole = 1 WHERE key = :run;

-- name: take_file
INSERT OR IGNORE INTO taken_files (folder, name, digest, run)
VALUES (:folder, :file, :digest, :run);

-- name: taken_file
SELECT run FROM taken_files WHERE folder = :folder AND name = :file AND digest = :digest;

-- name: set_pace
INSERT INTO paces (scope, calls) VALUES (:scope, :calls)
ON CONFLICT (scope) DO UPDATE SET calls = excluded.calls;

-- name: pace
SELECT calls FROM paces WHERE scope = :scope;

-- name: run_key
SELECT key, scope, listed, attempts FROM runs WHERE id = :run;

-- name: set_ending
UPDATE runs SET ended_at = :ended_at, exit = :exit WHERE key = :run;

-- name: select_run
SELECT id, scope, route, jobs, folder, started_at, ended_at, exit, again_because, whole
FROM runs WHERE id = :run;

-- name: select_runs
SELECT id, scope, route, jobs, folder, started_at, ended_at, exit, again_because, whole
FROM runs ORDER BY started_at, id;

-- name: places_of_numbers
SELECT j.value, r.place
FROM json_each(:numbers) AS j CROSS JOIN rows AS r ON r.number = j.value AND r.run = :run;

-- name: insert_row
INSERT INTO rows (run, place, line, number)
SELECT :run, json_extract(value, '$.place'), json_extract(value, '$.line'), json_extract(value, '$.number')
FROM json_each(:each);

-- name: insert_repeat
INSERT INTO repeats (run, place, line, number, first_place)
SELECT :run, json_extract(value, '$.place'), json_extract(value, '$.line'), json_extract(value, '$.number'),
    json_extract(value, '$.first_place')
FROM json_each(:each);

-- name: set_listed
UPDATE runs SET listed = :listed WHERE key = :run;

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

-- name: rows_by_number
SELECT json_group_array(json_array(r.place, r.state, coalesce(r.attempt, 0), r.number, coalesce(r.bill, '')))
FROM json_each(:numbers) AS j CROSS JOIN rows AS r ON r.number = j.value AND r.run = :run;

-- name: rows_by_bill
SELECT json_group_array(json_array(r.place, r.state, coalesce(r.attempt, 0), r.number, r.bill))
FROM json_each(:bills) AS j CROSS JOIN rows AS r ON r.bill = j.value AND r.run = :run;

-- name: set_bills
-- :bills are bills by place.
UPDATE rows SET bill = value FROM json_each(:bills)
WHERE run = :run + 0 * id AND place = CAST(key AS INTEGER);

-- name: row_to_repeat
INSERT INTO repeats (run, place, line, number, first_place)
SELECT run, place, line, number, json_extract(value, '$.kept')
FROM json_each(:each) CROSS JOIN rows ON run = :run AND place = json_extract(value, '$.place');

-- name: repoint_repeats
UPDATE repeats SET first_place = json_extract(value, '$.kept') FROM json_each(:each)
WHERE run = json_extract(value, '$.run') AND first_place = json_extract(value, '$.place');

-- name: delete_row
DELETE FROM rows
WHERE run = :run AND place IN (SELECT json_extract(value, '$.place') FROM json_each(:each));

-- name: select_repeats
SELECT repeats.place, repeats.line, repeats.number, rows.line
FROM repeats
JOIN rows ON rows.run = repeats.run AND rows.place = repeats.first_place
WHERE repeats.run = :run
ORDER BY repeats.place;

-- name: repeat_at
SELECT repeats.line, repeats.number, rows.line
FROM repeats
JOIN rows ON rows.run = repeats.run AND rows.place = repeats.first_place
WHERE repeats.run = :run AND repeats.place = :place;

-- name: holders
SELECT key, scope, (
    SELECT json_group_array(json_array(j.value, claims.run, holder.id, rows.place, rows.state))
    FROM json_each(:bills) AS j
    CROSS JOIN claims ON claims.scope = runs.scope AND claims.number = j.value
    CROSS JOIN runs AS holder ON holder.key = claims.run
    LEFT JOIN rows ON rows.bill = claims.number AND rows.run = claims.run
)
FROM runs WHERE id = :run;

-- name: claim_free
INSERT INTO claims (scope, number, run)
SELECT runs.scope, bills.value, runs.key
FROM runs CROSS JOIN json_each(:bills) AS bills WHERE runs.id = :run
ON CONFLICT (scope, number) DO NOTHING;

-- name: set_claims
INSERT INTO claims (scope, number, run)
SELECT :scope, value, :run FROM json_each(:bills) WHERE true
ON CONFLICT (scope, number) DO UPDATE SET run = excluded.run;

-- name: delete_claims
DELETE FROM claims
WHERE scope = :scope AND number IN (SELECT value FROM json_each(:bills)) AND run = :run;

-- name: claims_of_run
SELECT claims.number, rows.state
FROM claims LEFT JOIN rows ON rows.bill = claims.number AND rows.run = claims.run
WHERE claims.run = :run;

-- name: standings
SELECT key, scope, (SELECT coalesce(max(id), 0) + 1 FROM attempts), (
    SELECT json_group_array(json_array(r.place, r.state, coalesce(r.attempt, 0), r.bill, c.run = runs.key))
    FROM json_each(:bills) AS j
    CROSS JOIN rows AS r ON r.bill = j.value AND r.run = runs.key
    LEFT JOIN claims AS c ON c.scope = runs.scope AND c.number = r.bill
)
FROM runs WHERE id = :run;

-- name: recording_of
SELECT run, scope, numbers, attempts.ended_at IS NOT NULL, verdict IS NOT NULL, (
    SELECT json_group_array(json_array(r.place, r.state, coalesce(r.attempt, 0), r.bill, 0))
    FROM json_each(numbers) AS j
    CROSS JOIN rows AS r ON r.bill = j.value AND r.run = attempts.run
)
FROM attempts JOIN runs ON runs.key = attempts.run WHERE attempts.id = :attempt;

-- name: begin_attempt
INSERT INTO beginnings
VALUES (
    :attempt, :run, :chunk, :nth, :began_at, :boot, :uptime_s, :numbers, :places, :before,
    :request
);

-- name: move
INSERT INTO moves
VALUES (:run, :scope, :state, :code, :reason, :settled_at, :targets, :done, :change);

-- name: set_exchange
UPDATE attempts
SET ended_at = :ended_at, verdict = :verdict, answer = :answer, status = :status,
    because = :because, body = :body
WHERE id = :attempt;

-- name: sent_rows
SELECT place, state, bill FROM rows WHERE run = :run AND state = 'sent';

-- name: close_attempts
UPDATE attempts SET verdict = :verdict WHERE run = :run AND ended_at IS NULL;

-- name: insert_notes
INSERT INTO notes (number, run, at, text)
SELECT value, :run, :at, :text FROM json_each(:numbers);

-- name: page
SELECT json_group_array(json_array(
    place, line, number, bill, state, targets, code, reason, attempts, chunk, sent_at, settled_at
)) FROM (SELECT * FROM ledger WHERE run = :run AND place > :after ORDER BY place LIMIT :limit);

-- name: page_in_state
SELECT json_group_array(json_array(
    place, line, number, bill, state, targets, code, reason, attempts, chunk, sent_at, settled_at
)) FROM (
    SELECT * FROM ledger
    WHERE run = :run AND state = :state AND place > :after ORDER BY place LIMIT :limit
);

-- name: page_in_rare_state
-- The condition of the index, word for word, or SQLite would not use it.
SELECT json_group_array(json_array(
    place, line, number, bill, state, targets, code, reason, attempts, chunk, sent_at, settled_at
)) FROM (
    SELECT * FROM ledger
    WHERE run = :run AND state = :state AND state <> 'planned' AND state <> 'sent'
        AND state <> 'pushed' AND place > :after
    ORDER BY place LIMIT :limit
);

-- name: rows_of
SELECT ledger.run, place, line, number, bill, state, targets, code, reason,
    ledger.attempts, chunk, sent_at, settled_at
FROM ledger JOIN runs ON runs.id = ledger.run
WHERE number = :number OR bill = :number
ORDER BY runs.started_at, runs.id, place;

-- name: doubts
SELECT rows.bill, attempts.id, attempts.began_at, boot, uptime_s, attempts.before
FROM rows INDEXED BY rows_by_state JOIN attempts ON attempts.id = rows.attempt
WHERE rows.run = :run AND rows.state = :unknown AND rows.state <> 'planned'
    AND rows.state <> 'sent' AND rows.state <> 'pushed'
ORDER BY rows.place;

-- name: last_chunk
SELECT coalesce(max(chunk), 0) FROM attempts WHERE run = :run;

-- name: attempts_in
-- In the order of their ids, which no index has for one run alone.
SELECT attempts.id, runs.id, chunk, nth, began_at, boot, uptime_s, numbers, before, request,
    attempts.ended_at, verdict, answer, status, because, body
FROM attempts NOT INDEXED
JOIN runs ON runs.key = attempts.run
WHERE attempts.run = :run AND attempts.id > :after
ORDER BY attempts.id LIMIT :limit;

-- name: notes_in
SELECT notes.id, notes.number, notes.at, runs.id, notes.text
FROM notes JOIN runs ON runs.key = notes.run
WHERE notes.run = :run AND notes.id > :after
ORDER BY notes.id LIMIT :limit;

-- name: spans
SELECT began_at, ended_at FROM attempts WHERE run = :run AND ended_at IS NOT NULL ORDER BY id;

-- name: attempts_of
SELECT attempts.id, runs.id, chunk, nth, began_at, boot, uptime_s, numbers, before, request,
    attempts.ended_at, verdict, answer, status, because, body
FROM carried
JOIN attempts ON attempts.id = carried.attempt
JOIN runs ON runs.key = attempts.run
WHERE carried.number = :number
ORDER BY attempts.id;

-- name: notes_of
SELECT notes.id, notes.number, notes.at, runs.id, notes.text
FROM notes JOIN runs ON runs.key = notes.run
WHERE notes.number = :number ORDER BY notes.id;

-- name: insert_command
INSERT INTO commands (run, given_at, words) VALUES (:run, :given_at, :words);

-- name: select_commands
SELECT id, words, given_at, obeyed_at, on_their_way FROM commands WHERE run = :run ORDER BY id;

-- name: set_obeyed
UPDATE commands SET obeyed_at = :obeyed_at, on_their_way = :on_their_way
WHERE id = :id AND obeyed_at IS NULL;

-- name: delete_commands
DELETE FROM commands WHERE run = :run;
