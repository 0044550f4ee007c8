#!/bin/bash
# The way of readings into the database at the scale of a country: COPY into the landing table
# beside COPY into a bare one, settling, interval energy with its rollups, live rounds of one reading
# a meter, the bridge's function, and reads while all that is there. READINGS=2400000 says how many
# are loaded: ten days of every quarter of an hour of READINGS / 960 meters, a day at a time, so that
# the first and the last show how rates hold as the tables grow ten-fold; bare table and landing
# table take turns. 3.4 million meters at 15 minutes are 3,778 readings a second. Run by `make bench`
# on a private cluster with fsync on.
set -euo pipefail
readings=${READINGS:-2400000}
meters=$((readings / 960))
readings=$((meters * 960))
database=smarthg_bench_$$
files=$(mktemp -d)
trap 'dropdb --if-exists --force "$database"; rm -rf "$files"' EXIT
chmod 777 "$files"
createdb "$database"
export PGDATABASE=$database
psql -X -q -v ON_ERROR_STOP=1 -v readings="$readings" -v meters="$meters" -v files="$files" <<'SQL'
CREATE EXTENSION smarthg;
SET search_path = smarthg, public;
SELECT setseed(0.42) \g /dev/null
INSERT INTO price_area (price_area_id, name) VALUES (1, 'area');
INSERT INTO substation (substation_id, name) VALUES (1, 'substation');
INSERT INTO feeder (feeder_id, substation_id, name) VALUES (1, 1, 'feeder');
INSERT INTO home (home_id, feeder_id, price_area_id, name) SELECT n, 1, 1, 'home ' || n FROM generate_series(1, :meters) AS n;
INSERT INTO gateway (gateway_id, home_id, eui64) SELECT n, n, decode(lpad(to_hex(n), 16, '0'), 'hex') FROM generate_series(1, :meters) AS n;
INSERT INTO meter (meter_id, home_id, gateway_id, device_address, name, default_divisor) SELECT n, n, n, decode(lpad(to_hex(n), 16, '0'), 'hex'), 'main', 1000 FROM generate_series(1, :meters) AS n;
INSERT INTO register (register_id, meter_id, obis, unit, cumulative) SELECT n, n, '1-0:1.8.0.255', 'kWh', true FROM generate_series(1, :meters) AS n;
INSERT INTO register_epoch SELECT n, '-infinity', 1, 1000, 281474976710656, 'first reading' FROM generate_series(1, :meters) AS n;
-- Every meter each quarter of an hour, quarter by quarter as they come; counts that rise unevenly.
CREATE UNLOGGED TABLE public.source AS
	SELECT n / :meters AS quarter, 1 + n % :meters AS register_id, '2026-01-01'::timestamptz + n / :meters * interval '15 min' AS measured_at,
		100000 + n / :meters * 150 + (75 * random())::bigint AS raw_value
	FROM generate_series(0, :readings::bigint - 1) AS n;
SELECT format('COPY (SELECT register_id, measured_at, raw_value FROM source WHERE quarter / 96 = %s ORDER BY quarter) TO %L (FORMAT binary)',
	part, :'files' || '/' || part) FROM generate_series(0, 9) AS part \gexec
DROP TABLE source;
CREATE TABLE public.bare (register_id bigint NOT NULL, measured_at timestamptz NOT NULL, raw_value bigint NOT NULL);
CREATE TABLE public.timing (n serial, what text, part integer, seconds float8, wal_bytes numeric);
VACUUM ANALYZE;
CHECKPOINT;
CREATE PROCEDURE public.time(what text, part integer, query text) LANGUAGE plpgsql AS $$
DECLARE
	wal_began pg_lsn := pg_current_wal_insert_lsn();
	began timestamptz := clock_timestamp();
BEGIN
	EXECUTE query;
	COMMIT;
	INSERT INTO public.timing (what, part, seconds, wal_bytes) VALUES (what, part, extract(epoch FROM clock_timestamp() - began), pg_current_wal_insert_lsn() - wal_began);
END $$;
CREATE PROCEDURE public.load(files text) LANGUAGE plpgsql AS $$
BEGIN
	FOR part IN 0 .. 9 LOOP
		CALL public.time('bare', part, format('COPY bare FROM %L (FORMAT binary)', files || '/' || part));
		CALL public.time('landing', part, format('COPY smarthg.reading_landing (register_id, measured_at, raw_value) FROM %L (FORMAT binary)', files || '/' || part));
		WHILE EXISTS (SELECT FROM smarthg.reading_landing) LOOP
			CALL public.time('settle', part, 'SELECT smarthg.settle_readings()');
		END LOOP;
		CALL public.time('energy', part, 'SELECT smarthg.refresh_interval_energy()');
	END LOOP;
END $$;
CALL public.load(:'files');

SELECT part.name AS part, rate.bare AS bare_copy_per_s, rate.landing AS landing_copy_per_s, round(rate.landing / rate.bare, 2) AS ratio,
	rate.settle AS settled_per_s, rate.energy AS energy_of_readings_per_s, rate.whole AS land_settle_energy_per_s
FROM (VALUES ('first tenth', 0, 0), ('last tenth', 9, 9), ('all', 0, 9)) AS part(name, first, last),
	LATERAL (SELECT round(((last - first + 1) * :readings::bigint / 10 / sum(seconds) FILTER (WHERE what = 'bare'))::numeric) AS bare, round(((last - first + 1) * :readings::bigint / 10 / sum(seconds) FILTER (WHERE what = 'landing'))::numeric) AS landing,
			round(((last - first + 1) * :readings::bigint / 10 / sum(seconds) FILTER (WHERE what = 'settle'))::numeric) AS settle, round(((last - first + 1) * :readings::bigint / 10 / sum(seconds) FILTER (WHERE what = 'energy'))::numeric) AS energy,
			round(((last - first + 1) * :readings::bigint / 10 / sum(seconds) FILTER (WHERE what <> 'bare'))::numeric) AS whole
		FROM public.timing t WHERE t.part BETWEEN first AND last) AS rate;
VACUUM reading_landing;
SELECT what, round(sum(wal_bytes) / :readings, 1) AS wal_bytes_per_reading,
	CASE what WHEN 'bare' THEN round(pg_table_size('bare')::numeric / :readings, 1)
		WHEN 'settle' THEN (SELECT round(sum(pg_total_relation_size(inhrelid)) / :readings, 1) FROM pg_inherits WHERE inhparent = 'reading_day'::regclass)
		WHEN 'energy' THEN (SELECT round((pg_total_relation_size('energy_day') + sum(pg_total_relation_size(relid))) / :readings, 1) FROM pg_partition_tree('energy_rollup')) END AS stored_bytes_per_reading
FROM public.timing GROUP BY what ORDER BY min(n);

-- Live: a reading of every meter lands, settles into the day begun and gives energy, 24 times over.
CREATE PROCEDURE public.live(meters integer) LANGUAGE plpgsql AS $$
BEGIN
	FOR quarter IN 0 .. 23 LOOP
		CALL public.time('live landing', NULL, format('INSERT INTO smarthg.reading_landing (register_id, measured_at, raw_value)
			SELECT n, ''2026-01-11''::timestamptz + %s * interval ''15 min'', 300000 + 150 * %s FROM generate_series(1, %s) AS n', quarter, quarter, meters));
		CALL public.time('live settle', NULL, 'SELECT smarthg.settle_readings()');
		CALL public.time('live energy', NULL, 'SELECT smarthg.refresh_interval_energy()');
	END LOOP;
END $$;
CALL public.live(:meters);
SELECT coalesce(what, 'live, all three') AS what, round((:meters * 24 / sum(seconds))::numeric) AS readings_per_s, round(sum(wal_bytes) / 24 / :meters) AS wal_bytes_per_reading
FROM public.timing WHERE what LIKE 'live %' GROUP BY ROLLUP (what) ORDER BY grouping(what), min(n);

-- The bridge's function: batches of 500 gateways with a record and a reading each.
CREATE PROCEDURE public.feed(batches integer, meters integer) LANGUAGE plpgsql AS $$
BEGIN
	FOR b IN 0 .. batches - 1 LOOP
		PERFORM smarthg.bridge_ingest(array_agg(g), array_agg(no), array_fill(now(), '{500}'), array_fill(now(), '{500}'), array_fill(1::smallint, '{500}'), array_fill('\x00'::bytea, '{500}'),
			array_fill('\x01'::bytea, '{500}'), array_fill(NULL::text, '{500}'), array_agg(n::integer), array_agg(decode(lpad(to_hex(g), 16, '0'), 'hex')), array_fill(1::smallint, '{500}'),
			array_fill('1-0:1.8.0.255'::text, '{500}'), array_fill('kWh'::text, '{500}'), array_agg(1000000 + no), array_fill(1::bigint, '{500}'), array_fill(1000::bigint, '{500}'),
			array_agg(date_trunc('hour', now()) + no * interval '1 min'))
		FROM (SELECT n, 1 + (b * 500 + n) % meters AS g, 1 + (b * 500 + n) / meters AS no FROM generate_series(1, 500) AS n) AS r;
		COMMIT;
	END LOOP;
END $$;
CREATE PROCEDURE public.time_feed(batches integer, meters integer) LANGUAGE plpgsql AS $$
DECLARE
	wal_began pg_lsn := pg_current_wal_insert_lsn();
	began timestamptz := clock_timestamp();
BEGIN
	CALL public.feed(batches, meters);
	INSERT INTO public.timing (what, part, seconds, wal_bytes) VALUES ('bridge_ingest', batches, extract(epoch FROM clock_timestamp() - began), pg_current_wal_insert_lsn() - wal_began);
END $$;
CALL public.time_feed(100, :meters);
SELECT 'bridge_ingest, one connection' AS what, round((part * 500 / seconds)::numeric) AS readings_per_s, round(wal_bytes / part / 500, 1) AS wal_bytes_per_reading FROM public.timing WHERE what = 'bridge_ingest';

-- Reads of random homes, first with these readings landed, then settled.
CREATE PROCEDURE public.read(state text, meters integer) LANGUAGE plpgsql AS $$
DECLARE
	began timestamptz;
	query text;
BEGIN
	FOREACH query IN ARRAY ARRAY['SELECT last_reading_at, last_raw_value FROM smarthg.register WHERE register_id = $1',
		'SELECT count(*) FROM smarthg.register_readings($1, date_trunc(''day'', now()), ''infinity'')',
		'SELECT count(*) FROM smarthg.register_readings($1, ''2026-01-01'', ''2026-01-02'')', 'SELECT max(measured_at) FROM smarthg.reading WHERE register_id = $1'] LOOP
		began := clock_timestamp();
		FOR n IN 1 .. 50 LOOP
			EXECUTE query USING (1 + floor(random() * meters))::bigint;
		END LOOP;
		INSERT INTO public.timing (what, part, seconds) VALUES (state || ': ' || query, 50, extract(epoch FROM clock_timestamp() - began));
	END LOOP;
END $$;
VACUUM ANALYZE;
CALL public.read('50,000 landed', :meters);
SELECT refresh_interval_energy() \g /dev/null
VACUUM ANALYZE;
CALL public.read('settled', :meters);
SELECT what, round((1000 * seconds / part)::numeric, 2) AS ms FROM public.timing WHERE part = 50 ORDER BY n;
SQL
