-- Version 14: a ledger whose rows were put back into its own tables is in another place.

-- With the file of the table: TRUNCATE gives it another one, before a dump of the rows is put back.
-- So does VACUUM FULL, after which one wait is needless.
CREATE OR REPLACE FUNCTION moved_for() RETURNS INTERVAL
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
        'rows'::regclass::oid,
        pg_relation_filenode('rows')
    );
    INSERT INTO places (place) VALUES (here) ON CONFLICT DO NOTHING;
    RETURN (
        SELECT now() - seen_at FROM places
        WHERE place = here AND EXISTS (SELECT FROM places AS former WHERE former.place <> here)
    );
END;
$$;
-- This version is no move. To the other places it does not matter.
UPDATE places SET place = place || '/' || pg_relation_filenode('rows');

UPDATE schema_version SET version = 14;
