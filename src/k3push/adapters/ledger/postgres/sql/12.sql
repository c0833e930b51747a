-- Version 12: a ledger knows in which database it is used, and so whether it was put back.

-- Each place where runs of it were executed, and when that was first seen. A place is the cluster,
-- its timeline (a new one after a recovery to a moment, or where a standby takes over), the
-- database, and the table in it: what was restored from a dump has another table.
CREATE TABLE places (place TEXT PRIMARY KEY, seen_at TIMESTAMPTZ NOT NULL DEFAULT now());

-- As the owner, so that no tenant's role can write down a place that is not this one.
CREATE FUNCTION moved_for() RETURNS INTERVAL
LANGUAGE plpgsql SECURITY DEFINER SET search_path = k3push, pg_temp
AS $$
DECLARE
    cluster TEXT;
    here TEXT;
BEGIN
    BEGIN
        cluster := concat_ws(
            '/',
            (SELECT system_identifier FROM pg_control_system()),
            left(pg_walfile_name(pg_current_wal_lsn()), 8)
        );
    EXCEPTION WHEN OTHERS THEN
        cluster := '';  -- some services have neither: the database and the table tell by themselves
    END;
    here := concat_ws(
        '/',
        cluster,
        (SELECT oid FROM pg_database WHERE datname = current_database()),
        'rows'::regclass::oid
    );
    INSERT INTO places (place) VALUES (here) ON CONFLICT DO NOTHING;
    RETURN (
        SELECT now() - seen_at FROM places
        WHERE place = here AND EXISTS (SELECT FROM places AS former WHERE former.place <> here)
    );
END;
$$;

UPDATE schema_version SET version = 12;
