-- Version 10: a bill that has got another number is found by its id.

CREATE INDEX rows_by_source ON rows (source_id) WHERE source_id > '';

UPDATE schema_version SET version = 10;
