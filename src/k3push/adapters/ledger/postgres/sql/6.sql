-- Version 6: what `auto` has found of a server, beside the calls at once, and when.

-- Calls at once without what they cost tell the next night nothing.
DELETE FROM paces;
-- A JSON object: call_s, number_s, look_s, knee, power, far.
ALTER TABLE paces ADD COLUMN server TEXT;
ALTER TABLE paces ADD COLUMN at TEXT COLLATE "C";

UPDATE schema_version SET version = 6;
