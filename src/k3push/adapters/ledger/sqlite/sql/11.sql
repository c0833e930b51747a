-- Version 11: the newest runs of an account, those of it that are not done, and those that one
-- command began are found by an index, however many others there are.

BEGIN IMMEDIATE;

-- Each ends with the key of the run, as every index does.
CREATE INDEX runs_newest ON runs (account);
CREATE INDEX runs_undone ON runs (account) WHERE exit IS NULL OR exit <> 0;
CREATE INDEX runs_begun_with ON runs (begun_with) WHERE begun_with IS NOT NULL;
CREATE INDEX runs_by_spelling ON runs (lower(account), account);
DROP INDEX runs_by_account;

PRAGMA user_version = 11;

COMMIT;
