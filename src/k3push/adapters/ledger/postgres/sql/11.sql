-- Version 11: a number costs a fifth less, and nothing more where other accounts have it as well.

-- A row is known by its run and its place, as in SQLite.
ALTER TABLE repeats ADD COLUMN first_place BIGINT;
UPDATE repeats SET first_place = rows.place FROM rows WHERE rows.id = repeats.first_row;
ALTER TABLE repeats ALTER COLUMN first_place SET NOT NULL;
ALTER TABLE repeats DROP COLUMN first_row;
ALTER TABLE rows DROP COLUMN id;
ALTER TABLE rows DROP CONSTRAINT rows_run_place_key, ADD PRIMARY KEY (run, place);
ALTER TABLE repeats ADD FOREIGN KEY (run, first_place) REFERENCES rows (run, place);
CREATE INDEX repeats_by_first ON repeats (run, first_place);

-- Tenants' bills have the same numbers and ids, since each ERP counts from one. The hash of the
-- account (`database.account_hash`) only narrows what is looked at: a run tells whose its rows are.
DROP INDEX rows_by_bill;
DROP INDEX rows_by_source;
DROP INDEX rows_by_number;
ALTER TABLE rows ADD COLUMN account_hash INTEGER NOT NULL DEFAULT 0;
UPDATE rows
SET account_hash =
    ('x' || encode(substr(sha256(convert_to(runs.account, 'UTF8')), 1, 4), 'hex'))::bit(32)::int
FROM runs
WHERE runs.key = rows.run;
ALTER TABLE rows ALTER COLUMN account_hash DROP DEFAULT;
CREATE UNIQUE INDEX rows_by_bill ON rows (account_hash, bill, run) WHERE bill IS NOT NULL;
CREATE INDEX rows_by_source ON rows (account_hash, source_id) WHERE source_id > '';
-- Nearly each line names its bill as the ERP does, and is found by the bill, once that is known.
CREATE UNIQUE INDEX rows_by_number ON rows (account_hash, number, listed_id, run)
WHERE bill IS NULL OR bill <> number OR listed_id <> '';

UPDATE schema_version SET version = 11;
