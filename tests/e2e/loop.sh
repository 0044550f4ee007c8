#!/bin/bash
# The control loop in several sessions at once: they share the homes, no home is planned twice, a
# home that fails holds up nobody, and what a session that dies had begun is done by another.
# Prints TAP; PGHOST and so on name the cluster.
set -euo pipefail
database=smarthg_loop_$$
folder=$(mktemp -d)
trap 'wait; dropdb --if-exists --force "$database"; rm -rf "$folder"' EXIT
createdb "$database"
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
loop() { # name, moment, more arguments
	sql -c "CALL smarthg.ebr_loop('$2', 20, 4, workers => false${3:-})" >"$folder/$1" 2>&1
}
# A session that executes a statement in a transaction and stays there until let_go ends it.
hold() {
	sql -c "SET application_name = 'holds'" -c BEGIN -c "$1" -c 'SELECT pg_sleep(60)' >/dev/null 2>&1 &
	await "application_name = 'holds' AND query ~ 'pg_sleep'" 1
}
let_go() {
	sql -c "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'holds'" >/dev/null
}
await() { # condition on sessions, their number
	for _ in $(seq 400); do
		[ "$(sql -c "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid() AND $1")" != "$2" ] || return 0
		sleep 0.05
	done
	echo "# no $2 sessions: $1"
}

sql <<'SQL'
CREATE EXTENSION smarthg;
SET search_path = smarthg, public;
INSERT INTO price_area (price_area_id, name) VALUES (1, 'area');
INSERT INTO substation (substation_id, name) VALUES (1, 'substation');
INSERT INTO feeder (feeder_id, substation_id, name) VALUES (1, 1, 'feeder');
INSERT INTO home (home_id, feeder_id, price_area_id, name) SELECT n, 1, 1, 'home ' || n FROM generate_series(1, 400) AS n;
INSERT INTO ess (home_id, capacity_kwh, min_kw, max_kw) SELECT n, 10, -5, 5 FROM generate_series(1, 400, 2) AS n;
INSERT INTO pev (home_id, capacity_kwh, min_kw, max_kw) SELECT n, 40, 0, 7 FROM generate_series(1, 300, 3) AS n;
CREATE FUNCTION public.fails() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN IF NEW.home_id = 101 THEN RAISE EXCEPTION 'no room'; END IF; RETURN NEW; END $$;
CREATE TRIGGER fails BEFORE INSERT ON plan FOR EACH ROW EXECUTE FUNCTION public.fails();
SQL
stored="SELECT count(*), count(DISTINCT home_id), (SELECT count(*) FROM smarthg.plan) FROM smarthg.command"

# 250 homes have a store, one of them fails.
hold 'LOCK TABLE smarthg.home'
for session in 1 2 3; do loop "$session" '2023-05-09 12:00Z' & done
await "wait_event_type = 'Lock'" 3
let_go
wait
is "$stored" '249|249|249' 'three sessions at once plan each home once'
is 'SELECT count(DISTINCT xmin::text) >= 12 FROM smarthg.command' t '... in batches that are committed one by one'
check "$(! grep -h 'not planned' "$folder"/[123] | grep -qv 'home 101 was not planned: no room'; echo $?)" '... and tell of the one that fails, alone'
check "$(! grep -q ERROR "$folder"/[123]; echo $?)" '... without an error'
shared=$(grep -l 'have their commands' "$folder"/[123] | wc -l)
check "$([ "$shared" -gt 1 ]; echo $?)" '... together'
loop again '2023-05-09 12:30Z'
is "$stored" '249|249|249' 'a later call in the same slot changes nothing'

# ebr_run and the loop at the same homes.
for session in 4 5; do sql -c "SELECT count(*) FROM smarthg.ebr_run('2023-05-09 13:00Z', slots => 4)" >"$folder/$session" 2>&1 & done
loop 6 '2023-05-09 13:00Z' &
wait
is "$stored WHERE slot_start = '2023-05-09 13:00Z'" '249|249|498' 'ebr_run and the loop together plan each home once'
check "$([ "$(cat "$folder/4" "$folder/5")" = $'250\n250' ]; echo $?)" '... and each call of ebr_run has a row a home'

# A session with homes that it does not come to plan: the loop waits for it, then does them.
hold "SELECT smarthg.ebr_claim_homes(40, 30, '2023-05-09 14:00Z', '{}', false)"
loop 7 '2023-05-09 14:00Z' &
await "wait_event_type = 'Lock'" 1
is "SELECT count(*) FROM smarthg.command WHERE slot_start = '2023-05-09 14:00Z'" 219 'homes that another session is at are left to it'
let_go
wait
is "SELECT count(*) FROM smarthg.command WHERE slot_start = '2023-05-09 14:00Z'" 249 '... and done where it dies'

sql -c "CREATE ROLE smarthg_loop_$$ IN ROLE smarthg_admin" -c "SET ROLE smarthg_loop_$$" -c "CALL smarthg.ebr_loop('2023-05-09 15:00Z', slots => 4)" >"$folder/8" 2>&1 || true
sql -c "DROP ROLE smarthg_loop_$$"
is "SELECT count(*) FROM smarthg.command WHERE slot_start = '2023-05-09 15:00Z'" 249 'an operator runs the loop'

# Nothing of the caller's search path is executed.
sql <<'SQL'
CREATE FUNCTION public.hijack(bigint[], bigint) RETURNS bigint[] LANGUAGE plpgsql AS $$ BEGIN RAISE WARNING 'hijacked'; RETURN $1; END $$;
CREATE OPERATOR public.|| (LEFTARG = bigint[], RIGHTARG = bigint, FUNCTION = public.hijack);
SQL
loop 9 '2023-05-09 16:00Z'
check "$(grep -q 'home 101 was not planned' "$folder/9" && ! grep -q hijacked "$folder/9"; echo $?)" 'an operator of the search path is not used'

sql -c "SET default_transaction_isolation = 'repeatable read'" -c "SELECT smarthg.ebr_run('2023-05-09 17:00Z')" >"$folder/10" 2>&1 || true
check "$(grep -q 'cannot be planned at isolation level repeatable read' "$folder/10"; echo $?)" 'a snapshot older than a lock is refused'

# A price that was seen and rolled back is forgotten, also where transactions ended meanwhile.
sql <<SQL >"$folder/11"
BEGIN;
INSERT INTO smarthg.market_price (price_area_id, slot_start, energy_eur_per_kwh, published_at) VALUES (1, '2023-05-09 18:00Z', 0.1, '2023-05-01');
SAVEPOINT dear;
UPDATE smarthg.market_price SET energy_eur_per_kwh = 99;
\! psql -X -q -c 'CREATE TABLE public.elsewhere ()'
SELECT energy_eur_per_kwh FROM smarthg.ebr_home_input(1, '2023-05-09 18:00Z', 1);
ROLLBACK TO dear;
SELECT energy_eur_per_kwh FROM smarthg.ebr_home_input(1, '2023-05-09 18:00Z', 1);
SQL
check "$([ "$(cat "$folder/11")" = $'{99}\n{0.1}' ]; echo $?)" 'a price rolled back is not planned with'
echo "1..$count"
