-- Plans and commands do not stay for ever: 4 kB a home and step (installation.plans_kept).

CREATE INDEX plan_made ON plan (made_at);

CREATE FUNCTION drop_plans_before(before timestamptz, most integer DEFAULT 20000) RETURNS integer
LANGUAGE plpgsql VOLATILE STRICT SET search_path = smarthg, pg_temp AS $$
DECLARE
	dropped integer;
BEGIN
	WITH old AS MATERIALIZED (
		SELECT p.home_id, p.plan_id FROM plan p WHERE p.made_at < before ORDER BY p.made_at LIMIT most
	), commands AS (
		DELETE FROM command c USING old WHERE c.home_id = old.home_id AND c.plan_id = old.plan_id
	), plans AS (
		DELETE FROM plan p USING old WHERE p.home_id = old.home_id AND p.plan_id = old.plan_id RETURNING 1
	)
	SELECT count(*) INTO dropped FROM plans;
	RETURN dropped;
END $$;
COMMENT ON FUNCTION drop_plans_before(timestamptz, integer) IS 'Drops up to so many plans made before a moment, the oldest first, with their commands; returns how many';
