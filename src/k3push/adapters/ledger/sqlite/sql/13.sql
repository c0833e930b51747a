-- Version 13: the last attempt of a row stands in the row; `carried` has those before it.

BEGIN IMMEDIATE;

DELETE FROM carried WHERE EXISTS (
    SELECT 1 FROM rows WHERE rows.bill = carried.number AND rows.attempt = carried.attempt
);

PRAGMA user_version = 13;

COMMIT;
