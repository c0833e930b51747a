-- What a connection that writes is told besides.
PRAGMA temp_store = MEMORY;  -- first, since it takes away what is temporary already
PRAGMA busy_timeout = 0;  -- who may wait for other processes says so (`Connection.begin`)

-- What belongs together when numbers move, as one statement each: an insert into a view. Each
-- statement has a price of its own (see `verbs.sql`). Without its trigger the insert would fail, so
-- none is half done; and which moves are legal is not said here.
CREATE TEMP VIEW beginnings
    (attempt, run, chunk, nth, began_at, boot, uptime_s, numbers, places, before, request, sender)
AS SELECT NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL;

CREATE TEMP TRIGGER begin_attempt INSTEAD OF INSERT ON beginnings
BEGIN
    INSERT INTO attempts (
        id, run, chunk, nth, began_at, boot, uptime_s, numbers, before, request, sender
    )
    VALUES (
        new.attempt, new.run, new.chunk, new.nth, new.began_at, new.boot, new.uptime_s,
        new.numbers, new.before, new.request, new.sender
    );
    UPDATE runs SET attempts = attempts + 1 WHERE key = new.run;
    INSERT INTO carried (number, attempt) SELECT value, new.attempt FROM json_each(new.numbers);
    UPDATE rows
    SET state = 'sent', targets = NULL, code = NULL, reason = NULL,
        attempts = attempts + 1, attempt = new.attempt
    WHERE run = new.run AND place IN (SELECT value FROM json_each(new.places));
    INSERT INTO tallies (run, state, n)
    VALUES
        (new.run, 'planned', -json_array_length(new.numbers)),
        (new.run, 'sent', json_array_length(new.numbers))
    ON CONFLICT (run, state) DO UPDATE SET n = n + excluded.n;
END;

-- `targets` are those of rows, by place, of which all else becomes the same; `done` are pairs of a
-- number and a bill whose claims end; `change` are pairs of a state and how many rows more it has. The id of an item, times
-- nothing, keeps SQLite from going through all rows of the run for each.
CREATE TEMP VIEW moves (run, scope, state, code, reason, settled_at, targets, done, change)
AS SELECT NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL;

CREATE TEMP TRIGGER move_rows INSTEAD OF INSERT ON moves
BEGIN
    UPDATE rows
    SET state = new.state, targets = json_each.value, code = new.code, reason = new.reason,
        settled_at = new.settled_at
    FROM json_each(new.targets)
    WHERE run = new.run + 0 * json_each.id AND place = CAST(key AS INTEGER);
    DELETE FROM claims
    WHERE scope = new.scope
        AND number IN (SELECT json_extract(value, '$[0]') FROM json_each(new.done))
        AND bill IN (SELECT json_extract(value, '$[1]') FROM json_each(new.done))
        AND run = new.run;
    INSERT INTO tallies (run, state, n)
    SELECT new.run, json_extract(value, '$[0]'), json_extract(value, '$[1]')
    FROM json_each(new.change) WHERE true
    ON CONFLICT (run, state) DO UPDATE SET n = n + excluded.n;
END;
