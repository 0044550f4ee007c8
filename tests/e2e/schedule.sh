#!/bin/bash
# ebr_schedule with a real pg_cron, in two sessions side by side, and schedule_upkeep; skipped where the server has no
# pg_cron, or this is no private cluster that may be restarted. Prints TAP.
set -euo pipefail
cd "$(dirname "$0")/../.."
if [ -z "${SMARTHG_CLUSTER:-}" ] || [ "$(psql -X -A -t -c "SELECT count(*) FROM pg_available_extensions WHERE name = 'pg_cron'")" = 0 ]; then
	echo '1..0 # SKIP pg_cron is not there'
	exit 0
fi
restart() {
	tests/cluster kill
	tests/cluster up
}
clean() {
	psql -X -q -d postgres -c 'ALTER SYSTEM RESET ALL'
	restart
	dropdb --if-exists --force "$database"
}
database=smarthg_schedule_$$
createdb "$database"
trap clean EXIT
psql -X -q -c "ALTER SYSTEM SET shared_preload_libraries = 'pg_cron'"
restart
# Now the server knows the settings.
psql -X -q -c "ALTER SYSTEM SET cron.database_name = '$database'" -c "ALTER SYSTEM SET cron.host = '$PGHOST'"
restart
export PGDATABASE=$database
count=0
check() { # status, promise
	count=$((count + 1))
	if [ "$1" = 0 ]; then echo "ok $count - $2"; else echo "not ok $count - $2"; fi
}
sql() {
	psql -X -q -A -t -v ON_ERROR_STOP=1 "$@"
}
is() { # query, value, promise
	local got
	got=$(sql -c "$1")
	[ "$got" = "$2" ] || echo "# $1: $got"
	check "$([ "$got" = "$2" ]; echo $?)" "$3"
}
jobs="SELECT string_agg(jobname || ': ' || command, '; ' ORDER BY jobname) FROM cron.job"

sql <<'SQL'
CREATE EXTENSION pg_cron;
CREATE EXTENSION smarthg;
SET search_path = smarthg, public;
INSERT INTO price_area (price_area_id, name) VALUES (1, 'area');
INSERT INTO substation (substation_id, name) VALUES (1, 'substation');
INSERT INTO feeder (feeder_id, substation_id, name) VALUES (1, 1, 'feeder');
INSERT INTO home (home_id, feeder_id, price_area_id, name) SELECT n, 1, 1, 'home ' || n FROM generate_series(1, 50) AS n;
INSERT INTO ess (home_id, capacity_kwh, min_kw, max_kw) SELECT n, 10, -5, 5 FROM generate_series(1, 50) AS n;
-- What upkeep is to do: readings that landed, some of them by name, old ones to drop, a plan of long ago.
INSERT INTO installation (readings_kept, plans_kept) VALUES ('1 year', '7 days');
INSERT INTO meter (meter_id, home_id, name, default_divisor) VALUES (1, 1, 'main', 1000);
INSERT INTO register (register_id, meter_id, obis, unit, cumulative) VALUES (1, 1, '1-0:1.8.0.255', 'kWh', true);
INSERT INTO register_epoch VALUES (1, '-infinity', 1, 1000, NULL, 'first reading');
INSERT INTO reading_landing (register_id, measured_at, raw_value) SELECT 1, t, extract(epoch FROM t - '2020-01-01')::bigint
	FROM (SELECT generate_series('2020-01-01'::timestamptz, '2020-01-02', '15 min') UNION ALL SELECT date_trunc('day', now()) - interval '1 day' + n * interval '15 min' FROM generate_series(0, 95) AS n) AS at(t);
INSERT INTO reading_import (home, measured_at, value) SELECT 'home 1', t, extract(epoch FROM t - '2020-01-01') / 1000 FROM date_trunc('day', now()) AS t;
SELECT ebr_run('2020-01-02', '{7}') \g /dev/null
UPDATE plan SET made_at = '2020-01-02';
SQL
is "SELECT count(*) FROM smarthg.ebr_schedule('* * * * *', 3)" 3 'a schedule for three sessions has three jobs'
sql -c "SELECT smarthg.ebr_schedule()" >/dev/null
is "$jobs" 'smarthg control loop 1: CALL smarthg.ebr_loop()' '... one for one session takes their place'
sql -c "SELECT smarthg.ebr_schedule('* * * * *', 2)" >/dev/null
is "$jobs" 'smarthg control loop 1: CALL smarthg.ebr_loop(workers => false); smarthg control loop 2: CALL smarthg.ebr_loop(workers => false)' '... and one for two comes back'
sql -c "SELECT smarthg.schedule_upkeep()" >/dev/null

# pg_cron looks at its jobs at every full minute.
for _ in $(seq 150); do
	[ "$(sql -c "SELECT count(*) FROM cron.job_run_details WHERE status IN ('succeeded', 'failed')")" -lt 3 ] || break
	sleep 0.5
done
is "SELECT count(*), count(DISTINCT jobid) FROM cron.job_run_details WHERE status = 'succeeded' AND command ~ 'ebr_loop'" '2|2' 'pg_cron runs both'
is "SELECT count(*), count(DISTINCT home_id) FROM smarthg.command WHERE slot_start > '2020-02-01'" '50|50' '... and each home has one command'
is "SELECT command, status FROM cron.job_run_details WHERE command ~ 'upkeep'" 'CALL smarthg.upkeep()|succeeded' 'pg_cron runs upkeep'
is "SELECT string_agg(task, ' ' ORDER BY began_at) FROM smarthg.upkeep_progress WHERE state = 'done'" 'import settle refresh drop plans forecasts events market pack' '... to its end, as its progress tells'
is 'SELECT count(*) FROM smarthg.reading_landing' 0 '... what landed, by name too, is settled'
is "SELECT count(*), round(sum(energy_kwh)::numeric, 1) FROM smarthg.energy_hourly WHERE day > '2020-02-01'" '24|86.4' '... in interval energy and its rollups'
is "SELECT to_regclass('smarthg.reading_day_2020_01') IS NULL, to_regclass('smarthg.reading_day_' || to_char(now() + interval '2 months', 'YYYY_MM')) IS NOT NULL" 't|t' '... old readings are dropped, partitions made ahead'
is "SELECT round(sum(energy_kwh)::numeric, 1) FROM smarthg.energy_monthly WHERE local_month = '2020-01-01'" 86.4 '... old energy stays'
is "SELECT count(*) FROM smarthg.plan WHERE made_at < '2020-02-01'" 0 '... and old plans are gone'
sql -c "SELECT cron.unschedule('smarthg upkeep')" >/dev/null
is "SELECT count(*) FROM smarthg.ebr_schedule(sessions => 0)" 0 'no sessions end the schedule'
is 'SELECT count(*) FROM cron.job' 0 '... and leave no job'
sql -c "SELECT smarthg.ebr_schedule(sessions => 101)" >/dev/null 2>&1 && refused=1 || refused=0
check "$refused" 'more than 100 sessions are refused'
echo "1..$count"
