#!/bin/bash
# ebr_schedule with a real pg_cron, in two sessions side by side; skipped where the server has no
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
SQL
is "SELECT count(*) FROM smarthg.ebr_schedule('* * * * *', 3)" 3 'a schedule for three sessions has three jobs'
sql -c "SELECT smarthg.ebr_schedule()" >/dev/null
is "$jobs" 'smarthg control loop 1: CALL smarthg.ebr_loop()' '... one for one session takes their place'
sql -c "SELECT smarthg.ebr_schedule('* * * * *', 2)" >/dev/null
is "$jobs" 'smarthg control loop 1: CALL smarthg.ebr_loop(workers => false); smarthg control loop 2: CALL smarthg.ebr_loop(workers => false)' '... and one for two comes back'

# pg_cron looks at its jobs at every full minute.
for _ in $(seq 150); do
	[ "$(sql -c "SELECT count(*) FROM cron.job_run_details WHERE status IN ('succeeded', 'failed')")" -lt 2 ] || break
	sleep 0.5
done
is "SELECT count(*), count(DISTINCT jobid) FROM cron.job_run_details WHERE status = 'succeeded'" '2|2' 'pg_cron runs both'
is 'SELECT count(*), count(DISTINCT home_id) FROM smarthg.command' '50|50' '... and each home has one command'
is "SELECT count(*) FROM smarthg.ebr_schedule(sessions => 0)" 0 'no sessions end the schedule'
is 'SELECT count(*) FROM cron.job' 0 '... and leave no job'
sql -c "SELECT smarthg.ebr_schedule(sessions => 101)" >/dev/null 2>&1 && refused=1 || refused=0
check "$refused" 'more than 100 sessions are refused'
echo "1..$count"
