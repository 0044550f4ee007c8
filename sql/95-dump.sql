-- All tables hold the user's data, so pg_dump takes their rows along; partitions of reading_day are
-- made later, belong to no extension, and are dumped whole.
DO $$
DECLARE
	kept regclass;
BEGIN
	FOR kept IN
		SELECT c.oid::regclass FROM pg_catalog.pg_class c
		WHERE c.relnamespace = 'smarthg'::regnamespace AND c.relkind IN ('r', 'p', 'S') ORDER BY c.relname
	LOOP
		PERFORM pg_catalog.pg_extension_config_dump(kept, '');
	END LOOP;
END $$;
