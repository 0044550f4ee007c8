#!/bin/bash
# What row-level security costs: a year of one home among many, by a service with a token and by the
# owner of the tables, whom no policy holds, in hours, quarters of an hour and days. HOMES=10000 says
# how many homes, SECONDS_EACH how long each query runs. Run by `make bench` on a private cluster.
set -euo pipefail
homes=${HOMES:-10000}
seconds=${SECONDS_EACH:-3}
database=smarthg_bench_$$
work=$(mktemp -d)
trap 'dropdb --if-exists --force "$database"; dropuser --if-exists bench_service; rm -rf "$work"' EXIT
createdb "$database"
export PGDATABASE=$database
psql -X -q -v ON_ERROR_STOP=1 -v homes="$homes" <<'SQL'
CREATE EXTENSION smarthg;
CREATE ROLE bench_service LOGIN IN ROLE smarthg_service;
SET search_path = smarthg, public;
INSERT INTO price_area (price_area_id, name) VALUES (1, 'area');
INSERT INTO substation (substation_id, name) VALUES (1, 'substation');
INSERT INTO feeder (feeder_id, substation_id, name) VALUES (1, 1, 'feeder');
INSERT INTO home (home_id, feeder_id, price_area_id, name) SELECT n, 1, 1, 'home ' || n FROM generate_series(1, :homes) AS n;
INSERT INTO meter (meter_id, home_id, name) SELECT n, n, 'main' FROM generate_series(1, :homes) AS n;
INSERT INTO register (register_id, meter_id, obis, unit, cumulative) SELECT n, n, '1-0:1.8.0.255', 'kWh', true FROM generate_series(1, :homes) AS n;
CREATE TEMP TABLE day AS SELECT d.d::date AS day,
	(SELECT energy_pack(array_agg((0.05 + 0.01 * ((n * 7 + k) % (1 + k)))::float8)) FROM generate_series(1, 96) AS n) AS quarters,
	(SELECT energy_pack(array_agg((0.2 + 0.01 * ((n * 7 + k) % (1 + k)))::float8)) FROM generate_series(1, 24) AS n) AS hours
	FROM generate_series('2025-01-01'::timestamp, '2025-12-31', '1 day') WITH ORDINALITY AS d(d, k);
INSERT INTO energy_rollup SELECT r, day, 'hourly', hours, true FROM generate_series(1, :homes) AS r, day;
INSERT INTO energy_rollup SELECT r, day, 'daily', energy_pack('{7.5}'), true FROM generate_series(1, :homes) AS r, day;
-- Quarters of an hour of every tenth home, to save time.
INSERT INTO energy_day SELECT r, day, quarters FROM generate_series(5, :homes, 10) AS r, day;
INSERT INTO account (account_id, email, kind, verified_at, verified_by) SELECT n, n || '@example.org', 'resident', now(), 'bench' FROM generate_series(1, :homes) AS n;
INSERT INTO home_resident (home_id, account_id, since) SELECT n, n, '2020-01-01' FROM generate_series(1, :homes) AS n;
SELECT make_token_key('sign'), make_token_key('decrypt') \g /dev/null
VACUUM ANALYZE;
SQL
token=$(psql -X -A -t -v ON_ERROR_STOP=1 -v at="$((homes / 20 * 10 + 5))" <<'SQL'
SELECT smarthg.issue_token((SELECT sub::text FROM smarthg.account WHERE account_id = :at), 'bench', 'read_mainmeter_15min', '1 day');
SQL
)
register=$((homes / 20 * 10 + 5))

# Milliseconds of the query alone, as pgbench reports each statement.
latency() { # user, query, with token
	{
		echo 'BEGIN;'
		[ -z "$3" ] || echo "SELECT smarthg.authenticate('$token');"
		echo "$2;"
		echo 'COMMIT;'
	} >"$work/script"
	pgbench -n -r -M prepared -T "$seconds" -U "$1" -f "$work/script" "$database" | awk -v line="$2" 'index($0, line) { print $1 }'
}

printf '%-66s %12s %12s %8s\n' "a year of one home among $homes" 'owner, ms' 'service, ms' 'more'
compare() { # what, query
	local owner= service=
	# In turns, and the best of them, so that what else the machine does counts for neither.
	for _ in 1 2 3; do
		owner+=$(latency "$PGUSER" "$2" '')$'\n'
		service+=$(latency bench_service "$2" yes)$'\n'
	done
	owner=$(sort -g <<<"$owner" | grep -m 1 .) service=$(sort -g <<<"$service" | grep -m 1 .)
	printf '%-66s %12s %12s %7s%%\n' "$1" "$owner" "$service" "$(awk -v a="$owner" -v b="$service" 'BEGIN { printf "%.1f", (b / a - 1) * 100 }')"
}
psql -X -q -c CHECKPOINT
compare 'hours, energy_hourly' "SELECT count(*), sum(energy_kwh) FROM smarthg.energy_hourly WHERE register_id = $register"
compare 'quarters of an hour, interval_energy' "SELECT count(*), sum(energy_kwh) FROM smarthg.interval_energy WHERE register_id = $register"
compare 'hours, home_energy_hourly' "SELECT count(*), sum(import_kwh) FROM smarthg.home_energy_hourly WHERE home_id = $register"
compare 'days, energy_daily' "SELECT count(*), sum(energy_kwh) FROM smarthg.energy_daily WHERE register_id = $register"
