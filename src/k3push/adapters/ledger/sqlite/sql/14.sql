-- Version 14: a bill that has got another number is found by its id.

BEGIN IMMEDIATE;

CREATE INDEX rows_by_source ON rows (source_id) WHERE source_id > '';

PRAGMA user_version = 14;

COMMIT;
