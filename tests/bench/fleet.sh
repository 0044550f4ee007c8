#!/bin/bash
# The control loop's step over a fleet, end to end in the database: read the series, forecast,
# plan, store plans and commands. Prints homes a second beside what single parts take, for one
# process, for one session with parallel workers, and for one and more sessions that share the
# homes; HOMES=2000 says how many homes, SESSIONS (by default one a core) how many sessions. Run by
# `make bench` on a private cluster with fsync on.
set -euo pipefail
homes=${HOMES:-2000}
sessions=${SESSIONS:-$(nproc)}
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
INSERT INTO tariff (tariff_id, name, import_markup_eur_per_kwh) VALUES (1, 'tariff', 0.15);
INSERT INTO home (home_id, feeder_id, price_area_id, tariff_id, name) SELECT n, 1, 1, 1, 'home ' || n FROM generate_series(1, :homes) AS n;
INSERT INTO meter (meter_id, home_id, name) SELECT n, n, 'main' FROM generate_series(1, :homes) AS n;
INSERT INTO register (register_id, meter_id, obis, unit, cumulative) SELECT n, n, '1-0:1.8.0.255', 'kWh', true FROM generate_series(1, :homes) AS n;
INSERT INTO ess (home_id, capacity_kwh, min_kw, max_kw) SELECT n, 10, -5, 5 FROM generate_series(1, :homes) AS n;
INSERT INTO ess_state SELECT n, '2023-05-21 16:55Z', 10 * random() FROM generate_series(1, :homes) AS n;
-- Every second home has a vehicle at its plug.
INSERT INTO pev (home_id, capacity_kwh, min_kw, max_kw) SELECT n, 40, -7, 7 FROM generate_series(1, :homes, 2) AS n;
INSERT INTO pev_session (home_id, plugged_at, departs_at, arrival_soc_kwh) SELECT n, '2023-05-21 15:55Z', '2023-05-22 06:00Z', 35 * random() FROM generate_series(1, :homes, 2) AS n;
INSERT INTO market_price (price_area_id, slot_start, energy_eur_per_kwh, published_at)
	SELECT 1, t, 0.1 + 0.08 * sin(extract(hour FROM t)) + 0.02 * random(), t - interval '1 day' FROM generate_series('2023-03-01'::timestamptz, '2023-05-23', '1 hour') AS t;
INSERT INTO energy_day SELECT r, d, energy_pack(array_agg(round((0.05 + 0.2 * random() * (1 + sin(n / 15.0)))::numeric, 3)::float8))
	FROM generate_series(1, :homes) AS r, generate_series('2023-03-26'::date, '2023-05-21', '1 day') AS d, generate_series(1, 96) AS n GROUP BY 1, 2;
VACUUM ANALYZE;
CREATE TABLE public.timing (n serial, what text, seconds float8);
CREATE PROCEDURE public.time(what text, query text) LANGUAGE plpgsql AS $$
DECLARE
	began timestamptz := clock_timestamp();
BEGIN
	EXECUTE query;
	INSERT INTO public.timing (what, seconds) VALUES (what, extract(epoch FROM clock_timestamp() - began));
END $$;
-- Once to warm the cache.
SELECT count(home_history(home_id, '2023-03-26 17:00Z', '2023-05-21 17:00Z')::text) FROM home \g /dev/null
CALL public.time('read eight weeks of hours, one process', 'SELECT count(home_history(home_id, ''2023-03-26 17:00Z'', ''2023-05-21 17:00Z'') IS NOT NULL) FROM smarthg.home');
CALL public.time('read and forecast, one process', 'SELECT count(ebr_home_input(home_id, ''2023-05-21 17:00Z'') IS NOT NULL) FROM smarthg.home');
CALL public.time('read, forecast and plan, one process', 'SELECT count(p.status) FROM smarthg.home CROSS JOIN LATERAL ebr_home_plan(home_id, ''2023-05-21 17:00Z'') AS p');
SET max_parallel_workers_per_gather = 0;
CALL public.time('read, forecast, plan and store (ebr_run), one process', 'SELECT ebr_run(''2023-05-21 17:00Z'')');
TRUNCATE plan, command;
RESET max_parallel_workers_per_gather;
CALL public.time('read, forecast, plan and store (ebr_run), parallel workers', 'SELECT ebr_run(''2023-05-21 17:00Z'')');
TRUNCATE plan, command;
SQL

# The loop in so many sessions at once, from their start to the end of the last.
loop() { # sessions
	local began
	psql -X -q -c 'CHECKPOINT'
	began=$(date +%s.%N)
	for _ in $(seq "$1"); do
		psql -X -q -v ON_ERROR_STOP=1 -c "SET client_min_messages = warning" -c "CALL smarthg.ebr_loop('2023-05-21 17:00Z', 250, workers => false)" &
	done
	wait
	psql -X -q -c "INSERT INTO timing (what, seconds) VALUES ('end to end (ebr_loop), sessions: $1', extract(epoch FROM clock_timestamp()) - $began)"
}
loop 1
if [ "$sessions" -gt 1 ]; then
	psql -X -q -c 'TRUNCATE smarthg.plan, smarthg.command'
	loop "$sessions"
fi
echo "$homes homes on $(nproc) cores:"
psql -X -q -v ON_ERROR_STOP=1 -v homes="$homes" <<'SQL'
SET search_path = smarthg, public;
SELECT what, round((:homes / seconds)::numeric) AS homes_per_second, round((1000 * seconds / :homes)::numeric, 3) AS ms_per_home FROM public.timing ORDER BY n;
SELECT count(*) AS commands, count(DISTINCT home_id) AS homes, count(*) FILTER (WHERE status = 'optimal') AS optimal, pg_size_pretty(pg_total_relation_size('plan') / count(*)) AS stored_per_plan FROM command JOIN plan USING (home_id, plan_id);
SQL
