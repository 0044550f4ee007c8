#!/bin/bash
# A year of hours, days and months of a home from the rollups, beside the same by a plain aggregate
# over the base slots; how long the quality of a register's month takes, and what readings, energy and rollups take on disk. READINGS=4000000 says
# how many quarters of an hour are there: a year of each of READINGS / 35040 homes. They are packed
# straight into reading_day; energy and rollups come of them on the usual way.
set -euo pipefail
readings=${READINGS:-4000000}
homes=$(((readings + 35039) / 35040))
database=smarthg_bench_$$
trap 'dropdb --if-exists --force "$database"' EXIT
createdb "$database"
export PGDATABASE=$database
psql -X -q -v ON_ERROR_STOP=1 -v homes="$homes" <<'SQL'
CREATE EXTENSION smarthg;
SET search_path = smarthg, public;
SELECT setseed(0.42) \g /dev/null
INSERT INTO price_area (price_area_id, name) VALUES (1, 'area');
INSERT INTO substation (substation_id, name) VALUES (1, 'substation');
INSERT INTO feeder (feeder_id, substation_id, name) VALUES (1, 1, 'feeder');
INSERT INTO home (home_id, feeder_id, price_area_id, name) SELECT n, 1, 1, 'home ' || n FROM generate_series(1, :homes) AS n;
INSERT INTO meter (meter_id, home_id, name, default_divisor) SELECT n, n, 'main', 1000 FROM generate_series(1, :homes) AS n;
INSERT INTO register (register_id, meter_id, obis, unit, cumulative) SELECT n, n, '1-0:1.8.0.255', 'kWh', true FROM generate_series(1, :homes) AS n;
INSERT INTO register_epoch SELECT n, '-infinity', 1, 1000, 281474976710656, 'first reading' FROM generate_series(1, :homes) AS n;
SELECT ensure_reading_partitions('2025-01-01', '2025-12-31') \g /dev/null
CREATE TABLE public.timing (n serial, what text, seconds float8);
-- A month at a time, day by day as settling would have written them: a home's days lie apart.
CREATE PROCEDURE public.generate(homes integer) LANGUAGE plpgsql AS $$
BEGIN
	FOR month IN 1 .. 12 LOOP
		INSERT INTO smarthg.reading_day
		SELECT r, d, 96, smarthg.reading_pack(d + n * interval '15 min', ((d - '2025-01-01') * 96 + n) * 150 + (120 * random())::bigint,
			d + n * interval '15 min' + round(1000 * random()) * interval '1 ms', r, (d - '2025-01-01') * 96 + n, '(0,1)' ORDER BY n)
		FROM (SELECT '2025-01-01'::date + i AS d FROM generate_series(0, 364) AS i) AS days, generate_series(1, homes) AS r, generate_series(0, 95) AS n
		WHERE extract(month FROM d) = month GROUP BY d, r;
		COMMIT;
		PERFORM smarthg.refresh_registers(array_agg(r), array_agg(make_date(2025, month, 1)::timestamptz), array_agg(make_date(2025, month, 1) + interval '1 month' - interval '1 us'))
			FROM generate_series(1, homes) AS r GROUP BY r / 50;
		COMMIT;
	END LOOP;
END $$;
CREATE PROCEDURE public.read(homes integer) LANGUAGE plpgsql AS $$
DECLARE
	began timestamptz;
	asked text;
	query text;
BEGIN
	FOR asked, query IN VALUES
		('hours: home_energy_hourly', 'SELECT count(*), sum(import_kwh) FROM smarthg.home_energy_hourly WHERE home_id = $1 AND day BETWEEN ''2025-01-01'' AND ''2025-12-31'''),
		('hours: from base slots', 'SELECT count(*), sum(kwh) FROM (SELECT date_trunc(''hour'', slot_start), sum(energy_kwh) AS kwh FROM smarthg.interval_energy JOIN smarthg.home_register USING (register_id)
			WHERE home_id = $1 AND day BETWEEN ''2025-01-01'' AND ''2025-12-31'' GROUP BY 1) AS h'),
		('days: home_energy_daily', 'SELECT count(*), sum(import_kwh) FROM smarthg.home_energy_daily WHERE home_id = $1 AND local_day BETWEEN ''2025-01-01'' AND ''2025-12-31'''),
		('days: from base slots', 'SELECT count(*), sum(kwh) FROM (SELECT (slot_start AT TIME ZONE time_zone)::date AS d, sum(energy_kwh) AS kwh FROM smarthg.interval_energy JOIN smarthg.home_register USING (register_id) JOIN smarthg.home USING (home_id)
			WHERE home_id = $1 AND day BETWEEN ''2025-01-01'' AND ''2025-12-31'' GROUP BY 1) AS h'),
		('months: home_energy_monthly', 'SELECT count(*), sum(import_kwh) FROM smarthg.home_energy_monthly WHERE home_id = $1 AND local_month BETWEEN ''2025-01-01'' AND ''2025-12-01'''),
		('quality of a register''s month', 'SELECT q.*, smarthg.measured_share($1, ''2025-11-01'', ''2025-12-01'') FROM smarthg.register_quality($1, ''2025-11-01'', ''2025-12-01'') AS q')
	LOOP
		began := clock_timestamp();
		FOR n IN 1 .. 20 LOOP
			EXECUTE query USING (1 + floor(random() * homes))::bigint;
		END LOOP;
		INSERT INTO public.timing (what, seconds) VALUES (asked, extract(epoch FROM clock_timestamp() - began) / 20);
	END LOOP;
END $$;
CALL public.generate(:homes);
VACUUM ANALYZE;
SELECT count(*) * 96 AS readings, pg_size_pretty(sum(pg_column_size(block))) AS packed FROM reading_day;
CALL public.read(:homes);
CALL public.read(:homes);
SELECT what, round((1000 * min(seconds))::numeric, 2) AS ms FROM public.timing GROUP BY what ORDER BY min(n);
SELECT c.relname AS "table", round(sum(pg_total_relation_size(c.oid)) / (SELECT count(*) * 96.0 FROM reading_day), 2) AS bytes_per_reading, round(sum(pg_total_relation_size(c.oid)) / nullif(sum(c.reltuples), 0)::numeric) AS bytes_per_row
FROM (SELECT oid, CASE WHEN relname ~ '^reading_day' THEN 'reading_day' ELSE relname END AS relname, reltuples FROM pg_class
	WHERE relnamespace = 'smarthg'::regnamespace AND relkind = 'r' AND relname ~ '^(reading_day|energy_day|energy_rollup)' AND reltuples > 0) AS c GROUP BY 1 ORDER BY 2 DESC;
SQL
