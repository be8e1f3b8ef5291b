-- The second wall between tenants, after the queries that name theirs: each table
-- that knows tenants shows a transaction the rows of its own only, whoever asks
-- and whatever was forgotten in the question. Said again after every migration,
-- so that no table is without it.
DO $$
DECLARE name text;
BEGIN
	FOR name IN
		SELECT c.relname FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid
		WHERE c.relkind = 'r' AND c.relnamespace = current_schema()::regnamespace
			AND a.attname = 'tenant' AND NOT a.attisdropped
			AND NOT EXISTS (SELECT 1 FROM pg_policy p WHERE p.polrelid = c.oid AND p.polname = 'wall')
	LOOP
		EXECUTE format('CREATE POLICY wall ON %I USING (tenant = current_setting(''clusy.tenant'', true) OR current_setting(''clusy.tenant'', true) = ''*'')', name);
		EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', name);
		EXECUTE format('ALTER TABLE %I FORCE ROW LEVEL SECURITY', name);
	END LOOP;
END $$;
