-- The statements that both databases take as they are, each under its name. What a statement is
-- given, the `sql/verbs.sql` of each ledger says at its head; a name stands here or there, never in
-- both. A part goes where its name stands in braces, here and there; `records.py` reads its columns.

-- part: columns_of_run
id, scope, route, jobs, folder, started_at, ended_at, exit, again_because, whole, begun_with,
    archive

-- part: columns_of_attempt
attempts.id, runs.id, chunk, nth, began_at, boot, uptime_s, numbers, before, request,
    sender, attempts.ended_at, verdict, answer, status, because, body

-- part: columns_of_step
steps.id, runs.id, kind, ids, stood, began_at, boot, uptime_s, request, steps.sender,
    steps.ended_at, verdict, answer, status, because, body

-- part: over_and_done_with
exit IN (0, 3) AND whole = 1 AND NOT EXISTS (
    SELECT 1 FROM tallies
    WHERE tallies.run = runs.key AND state IN ('planned', 'sent', 'unknown')
    GROUP BY state HAVING sum(n) > 0
) AND NOT EXISTS (
    SELECT 1 FROM documents
    WHERE documents.run = runs.key AND coalesce(follow, 'unknown') IN ('unknown', 'waiting')
) AND NOT EXISTS (SELECT 1 FROM rows WHERE rows.run = runs.key AND code = 'twin')

-- name: set_whole
UPDATE runs SET whole = 1 WHERE key = :run;

-- name: taker_of
SELECT runs.id FROM taken_files AS taken JOIN runs ON runs.key = taken.run
WHERE taken.folder = :folder AND name = :file AND digest = :digest AND account = :account
LIMIT 1;

-- name: set_pace
INSERT INTO paces (scope, calls, server, at)
VALUES (:scope, CAST(:calls AS integer), :server, :at)
ON CONFLICT (scope) DO UPDATE
SET calls = excluded.calls, server = excluded.server, at = excluded.at;

-- name: pace
SELECT calls, server, at FROM paces WHERE scope = :scope AND server IS NOT NULL;

-- name: run_key
SELECT key, scope, listed FROM runs WHERE id = :run AND account = :account;

-- name: set_ending
UPDATE runs SET ended_at = :ended_at, exit = :exit WHERE key = :run;

-- name: select_run
SELECT {columns_of_run} FROM runs WHERE id = :run AND account = :account;

-- name: newest_runs
SELECT {columns_of_run} FROM runs
-- In the order in which they were opened, since the clock may have been set back.
WHERE account = :account AND key < :before
ORDER BY key DESC LIMIT :last;

-- name: undone_runs
SELECT {columns_of_run} FROM runs
WHERE account = :account AND key < :before AND (exit IS NULL OR exit <> 0)
ORDER BY key DESC LIMIT :last;

-- name: runs_begun_with
SELECT {columns_of_run} FROM runs
WHERE begun_with = :group AND account = :account
ORDER BY key;

-- name: set_listed
UPDATE runs SET listed = :listed WHERE key = :run;

-- name: select_repeats
SELECT repeats.place, repeats.line, repeats.number, rows.line, rows.place
FROM repeats
JOIN rows ON rows.run = repeats.run AND rows.place = repeats.first_place
WHERE repeats.run = :run
ORDER BY repeats.place;

-- name: set_exchange
UPDATE attempts
SET ended_at = :ended_at, verdict = :verdict, answer = :answer, status = :status,
    because = :because, body = :body
WHERE id = :attempt;

-- name: close_attempts
UPDATE attempts SET verdict = :verdict WHERE run = :run AND ended_at IS NULL;

-- name: newest_with_documents
-- A run at a time, the newest first, since most often one is enough.
SELECT key, id FROM runs
WHERE scope = :scope AND EXISTS (
    SELECT 1 FROM tallies
    WHERE tallies.run = runs.key AND state IN ('pushed', 'draft') AND n > 0
)
ORDER BY started_at DESC, id DESC;

-- name: count_twins
SELECT count(*) FROM rows WHERE run = :run AND code = 'twin';

-- name: count_partly
SELECT count(*) FROM rows WHERE run = :run AND code = 'partly';

-- name: last_chunk
SELECT coalesce(max(chunk), 0) FROM attempts WHERE run = :run;

-- name: spans
SELECT began_at, ended_at FROM attempts
WHERE run = :run AND ended_at IS NOT NULL AND answer <> 'never-sent' ORDER BY id;

-- name: notes_of
-- Not joined: PostgreSQL might go through all notes of the account's runs.
SELECT notes.id, number, at, (SELECT runs.id FROM runs WHERE key = notes.run), text
FROM notes
WHERE number = :number AND (SELECT account FROM runs WHERE key = notes.run) = :account
ORDER BY notes.id;

-- name: select_commands
SELECT id, words, given_at, obeyed_at, on_their_way FROM commands WHERE run = :run ORDER BY id;

-- name: run_of_command
SELECT runs.id FROM commands JOIN runs ON runs.key = commands.run
WHERE commands.id = :id AND runs.account = :account;

-- name: set_obeyed
UPDATE commands SET obeyed_at = :obeyed_at, on_their_way = :on_their_way
WHERE id = :id AND obeyed_at IS NULL;

-- name: delete_commands
DELETE FROM commands WHERE run = :run;

-- name: count_documents
SELECT coalesce(follow, ''), count(*) FROM documents WHERE run = :run GROUP BY 1;

-- name: set_step_exchange
UPDATE steps
SET ended_at = :ended_at, verdict = :verdict, answer = :answer, status = :status,
    because = :because, body = :body
WHERE id = :step;

-- name: doubt_open_steps
UPDATE documents SET follow = 'unknown', reason = :reason
WHERE run = :run AND step IN (
    SELECT id FROM steps WHERE run = :run AND ended_at IS NULL AND verdict IS NULL
);

-- name: close_steps
UPDATE steps SET verdict = :verdict WHERE run = :run AND ended_at IS NULL AND verdict IS NULL;

-- name: select_step
SELECT {columns_of_step}
FROM steps JOIN runs ON runs.key = steps.run
WHERE steps.id = :step AND runs.account = :account;

-- name: insert_memo
INSERT INTO memos (account, kind, id, at, value, about, open)
VALUES (:account, :kind, :id, :at, :value, :about, :open)
ON CONFLICT (account, kind, id) DO NOTHING;

-- name: select_memo
SELECT kind, id, at, value, about, open, version FROM memos
WHERE account = :account AND kind = :kind AND id = :id;

-- name: select_memos
SELECT kind, id, at, value, about, open, version FROM memos
WHERE account = :account AND kind = :kind
ORDER BY at DESC, id DESC LIMIT :limit;

-- name: memos_about
SELECT kind, id, at, value, about, open, version FROM memos
WHERE account = :account AND kind = :kind AND about = :about AND about <> ''
    AND open >= :least
ORDER BY at DESC, id DESC LIMIT :limit;

-- name: open_memos
SELECT kind, id, at, value, about, open, version FROM memos
WHERE account = :account AND kind = :kind AND open = 1
ORDER BY at DESC, id DESC LIMIT :limit;

-- name: due_for_archive
SELECT {columns_of_run} FROM runs
WHERE account = :account AND pruned = 0 AND ended_at < :before AND (
    archive IS NOT NULL OR ({over_and_done_with})
)
ORDER BY account, ended_at LIMIT :limit;

-- name: archive_of
SELECT archive, pruned FROM runs WHERE key = :run;

-- name: set_pruned
UPDATE runs SET pruned = 1 WHERE key = :run;

-- name: insert_run
-- Ids name the locks of runs and the folders of results, of whichever account.
INSERT INTO runs (
    id, account, scope, route, jobs, folder, started_at, ended_at, exit, again_because, whole,
    begun_with
)
VALUES (
    :id, :account, :scope, :route, :jobs, :folder, :started_at, :ended_at, :exit, :again_because,
    :whole, :begun_with
)
ON CONFLICT (id) DO NOTHING;

-- name: revise_memo
UPDATE memos SET value = :value, about = :about, open = :open, version = version + 1
WHERE account = :account AND kind = :kind AND id = :id AND version = :version;

-- name: set_archive
UPDATE runs SET archive = :archive
WHERE id = :run AND account = :account AND pruned = 0 AND archive IS NULL
    AND {over_and_done_with};

-- name: take_file
INSERT INTO taken_files (folder, name, digest, run) VALUES (:folder, :file, :digest, :run)
ON CONFLICT DO NOTHING;
