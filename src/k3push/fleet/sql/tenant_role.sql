-- Binds a role of PostgreSQL to an account of a ledger. To be run as the owner of the schema k3push,
-- who sees all rows as before; it may be run again, and is after an upgrade of the schema.
BEGIN;
SET LOCAL search_path = k3push;

-- Which role sees which accounts; a role is told its own alone.
CREATE TABLE IF NOT EXISTS role_accounts (
    role name NOT NULL,
    account text NOT NULL,
    PRIMARY KEY (role, account)
);
CREATE OR REPLACE FUNCTION accounts_of(wanted name) RETURNS text[]
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = k3push, pg_temp
AS $$
    SELECT coalesce(array_agg(account), '{}') FROM role_accounts
    WHERE role = wanted AND pg_has_role(session_user, wanted, 'member')
$$;

-- What a role asks of other accounts' rows is not there.
{policies}

-- The role; give it a password with \password in psql.
DO $$ BEGIN CREATE ROLE {role_name} LOGIN; EXCEPTION WHEN duplicate_object THEN NULL; END $$;
GRANT CONNECT ON DATABASE {database_name} TO {role_name};
GRANT USAGE ON SCHEMA k3push TO {role_name};
GRANT SELECT, INSERT, UPDATE, DELETE ON {tables} TO {role_name};
GRANT SELECT ON schema_version TO {role_name};
GRANT USAGE ON ALL SEQUENCES IN SCHEMA k3push TO {role_name};
GRANT EXECUTE ON FUNCTION accounts_of(name) TO {role_name};
INSERT INTO role_accounts (role, account) VALUES ({role}, {account}) ON CONFLICT DO NOTHING;
COMMIT;
