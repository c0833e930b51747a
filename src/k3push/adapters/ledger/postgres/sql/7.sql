-- Version 7: the newest runs of an account, those of it that are not done, and those that one
-- command began are found by an index, however many others there are.

CREATE INDEX runs_newest ON runs (account, key);
CREATE INDEX runs_undone ON runs (account, key) WHERE exit IS NULL OR exit <> 0;
CREATE INDEX runs_begun_with ON runs (begun_with) WHERE begun_with IS NOT NULL;
CREATE INDEX runs_by_spelling ON runs (lower(account), account);
DROP INDEX runs_by_account;

UPDATE schema_version SET version = 7;
