-- SmartHG: roles, identifiers and settings of one installation (DESIGN.md sections 1 and 9).
\echo Use "CREATE EXTENSION smarthg" to load this file. \quit

-- Roles belong to the cluster, so they are made only where absent and never dropped.
DO $$
DECLARE
	wanted text;
BEGIN
	FOREACH wanted IN ARRAY ARRAY['smarthg_admin', 'smarthg_service', 'smarthg_market', 'smarthg_bridge', 'smarthg_analyst'] LOOP
		IF NOT EXISTS (SELECT FROM pg_catalog.pg_roles WHERE rolname = wanted) THEN
			-- The operator's COPY passes by row-level security, which COPY FROM does not know.
			EXECUTE pg_catalog.format('CREATE ROLE %I NOLOGIN %s', wanted, CASE wanted WHEN 'smarthg_admin' THEN 'BYPASSRLS' ELSE '' END);
		END IF;
	END LOOP;
END $$;

CREATE TABLE installation (
	only_one boolean PRIMARY KEY DEFAULT true CHECK (only_one),
	shard_no integer NOT NULL DEFAULT 0 CHECK (shard_no BETWEEN 0 AND 32767),
	base_slot interval NOT NULL DEFAULT '15 min'
		CHECK (base_slot BETWEEN '1 min' AND '1 hour' AND 86400 % extract(epoch FROM base_slot) = 0),
	interpolation_limit interval NOT NULL DEFAULT '1 hour' CHECK (interpolation_limit BETWEEN '1 min' AND '1 day'),
	gap_limit interval NOT NULL DEFAULT '35 days' CHECK (gap_limit BETWEEN '1 hour' AND '400 days'),
	accepted_age interval NOT NULL DEFAULT '10 years' CHECK (accepted_age BETWEEN '1 day' AND '50 years'),
	plausible_kw float8 NOT NULL DEFAULT 10000 CHECK (plausible_kw BETWEEN 1 AND 1e9),
	partitions_ahead interval NOT NULL DEFAULT '2 months' CHECK (partitions_ahead BETWEEN '1 day' AND '5 years'),
	readings_kept interval CHECK (readings_kept >= '1 month'),
	plans_kept interval CHECK (plans_kept >= '1 day'),
	forecasts_kept interval DEFAULT '400 days' CHECK (forecasts_kept >= '1 day'),
	events_kept interval DEFAULT '400 days' CHECK (events_kept >= '1 day')
);
COMMENT ON TABLE installation IS 'Settings of this database: at most one row; without it the defaults hold (DESIGN.md sections 2, 6, 9)';
COMMENT ON COLUMN installation.only_one IS 'Always true: there is one row at most';
COMMENT ON COLUMN installation.shard_no IS 'Number of this shard; the upper bits of every identifier made here, so that they are unique across shards. Set it before the first row is made';
COMMENT ON COLUMN installation.base_slot IS 'Length of the stored interval-energy slots: a divisor of a day from 1 minute to 1 hour. Set it before the first reading';
COMMENT ON COLUMN installation.interpolation_limit IS 'Energy between two readings further apart than this is spread over slots that are flagged as estimated';
COMMENT ON COLUMN installation.gap_limit IS 'Energy between two readings further apart than this is not spread at all: its slots stay unknown';
COMMENT ON COLUMN installation.accepted_age IS 'Readings older than this on arrival go to quarantine: their device''s clock is wrong';
COMMENT ON COLUMN installation.plausible_kw IS 'A register that rises faster than this makes no energy, kW';
COMMENT ON COLUMN installation.partitions_ahead IS 'Upkeep makes the partitions of readings this far ahead';
COMMENT ON COLUMN installation.readings_kept IS 'Upkeep drops whole months of readings that are older; null: all are kept. Energy stays';
COMMENT ON COLUMN installation.forecasts_kept IS 'prune_forecasts deletes stored forecasts made longer ago; null: all are kept';
COMMENT ON COLUMN installation.events_kept IS 'Upkeep drops events of gateways that are older, and closed sessions, resolved telegrams of quarantine, finished messages and ended mirrors; null: all are kept';
COMMENT ON COLUMN installation.plans_kept IS 'Upkeep drops plans that are older, with their commands; null: all are kept';

CREATE FUNCTION settings() RETURNS installation
LANGUAGE sql STABLE PARALLEL SAFE SET search_path = smarthg, pg_temp AS $$
	SELECT coalesce((SELECT i FROM installation i), (true, 0, '15 min', '1 hour', '35 days', '10 years', 10000, '2 months', NULL, NULL, '400 days', '400 days')::installation)
$$;
COMMENT ON FUNCTION settings() IS 'The row of installation, or the defaults where there is none';

CREATE SEQUENCE id_sequence AS bigint MAXVALUE 1099511627775;
COMMENT ON SEQUENCE id_sequence IS 'Lower 40 bits of new identifiers';

CREATE FUNCTION new_id() RETURNS bigint
LANGUAGE sql VOLATILE PARALLEL UNSAFE SECURITY DEFINER SET search_path = smarthg, pg_temp AS $$
	SELECT ((smarthg.settings()).shard_no::bigint << 40) | pg_catalog.nextval('smarthg.id_sequence')
$$;
COMMENT ON FUNCTION new_id() IS 'A new identifier, unique across shards: shard number in the upper bits, a sequence in the lower 40 (DESIGN.md section 9)';

CREATE FUNCTION new_ids(count integer) RETURNS bigint[]
LANGUAGE sql VOLATILE PARALLEL UNSAFE SECURITY DEFINER SET search_path = smarthg, pg_temp AS $$
	SELECT coalesce(pg_catalog.array_agg((s.shard << 40) | pg_catalog.nextval('smarthg.id_sequence')), '{}')
	FROM (SELECT (smarthg.settings()).shard_no::bigint AS shard OFFSET 0) AS s, pg_catalog.generate_series(1, count)
$$;
COMMENT ON FUNCTION new_ids(integer) IS 'So many new identifiers at once, as of new_id';

CREATE FUNCTION is_time_zone(name text) RETURNS boolean
LANGUAGE plpgsql STABLE STRICT PARALLEL UNSAFE SET search_path = smarthg, pg_temp AS $$
BEGIN
	PERFORM pg_catalog.now() AT TIME ZONE name;
	RETURN true;
EXCEPTION WHEN invalid_parameter_value THEN
	RETURN false;
END $$;
COMMENT ON FUNCTION is_time_zone(text) IS 'Whether the server knows a time zone of this name';

CREATE FUNCTION is_eui64(value bytea) RETURNS boolean
LANGUAGE sql IMMUTABLE PARALLEL SAFE RETURN octet_length(value) = 8;
COMMENT ON FUNCTION is_eui64(bytea) IS 'Whether value has the 8 bytes of an EUI-64; null for null';

CREATE FUNCTION slot_start(at timestamptz, slot_length interval) RETURNS timestamptz
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
RETURN date_bin(slot_length, at, '2000-01-01 00:00:00+00'::timestamptz);
COMMENT ON FUNCTION slot_start(timestamptz, interval) IS 'Start of the half-open slot that holds at; slots are aligned in UTC (DESIGN.md section 2)';

CREATE FUNCTION table_changed() RETURNS trigger
LANGUAGE c SET search_path = smarthg, pg_temp AS 'MODULE_PATHNAME', 'smarthg_table_changed';
COMMENT ON FUNCTION table_changed() IS 'Trigger: from its commit on, all backends read again what they keep in memory of the table';
