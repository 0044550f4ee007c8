#!/bin/bash
# Readings land from several sessions, with duplicates and corrections, while others settle them,
# are cancelled in the middle, and readers look on: nothing committed is ever missing, nothing shown
# twice. Prints TAP; PGHOST and so on name the cluster.
set -uo pipefail
database=smarthg_readings_$$
. "$(dirname "$0")/scratch"
export PGDATABASE=$database PGOPTIONS='-c search_path=smarthg,public -c client_min_messages=error'
sql() { psql -X -q -A -t -v ON_ERROR_STOP=1 -c "$1"; }

createdb "$database"
sql "CREATE EXTENSION smarthg" || { echo "Bail out! no extension"; exit 1; }
writers=3 rounds=40
# Round by round an hour of minutes for ten registers of its own: first a wrong value for every
# fifth, then all of them, then some once more, each in a transaction; the round is noted with the last.
write() { # writer
	for round in $(seq 1 $rounds); do
		echo "INSERT INTO reading_landing (register_id, measured_at, raw_value)
				SELECT 10 * $1 + r, '2026-03-30'::timestamptz + ($round * 60 + m) * interval '1 min', -1 FROM generate_series(0, 9) AS r, generate_series(0, 59, 5) AS m;
			BEGIN;
			INSERT INTO reading_landing (register_id, measured_at, raw_value)
				SELECT 10 * $1 + r, '2026-03-30'::timestamptz + ($round * 60 + m) * interval '1 min', $round * 60 + m FROM generate_series(0, 9) AS r, generate_series(0, 59) AS m;
			INSERT INTO public.noted VALUES ($1, $round);
			COMMIT;
			INSERT INTO reading_landing (register_id, measured_at, raw_value)
				SELECT 10 * $1 + r, '2026-03-30'::timestamptz + ($round * 60 + m) * interval '1 min', $round * 60 + m FROM generate_series(0, 9) AS r, generate_series(0, 59, 7) AS m;
			SELECT pg_sleep(0.02);"
	done | psql -X -q -v ON_ERROR_STOP=1 >/dev/null || touch "$work/write_failed"
}
# Small batches, so that settling is always in the middle of something.
settle() {
	while [ ! -e "$work/written" ]; do
		echo "SELECT settle_readings(300); SELECT settle_readings(300); CALL upkeep();"
		sleep 0.1
	done | psql -X -q 2>>"$work/settle_errors" >/dev/null
}
cancel() {
	while [ ! -e "$work/written" ]; do
		echo "SELECT pg_cancel_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid() AND datname = current_database() AND query ~ '^(SELECT settle|CALL upkeep)'; SELECT pg_sleep(0.05);"
		sleep 0.06
	done | psql -X -q -A -t | grep -c t >"$work/cancelled"
}
# In one snapshot: rows shown twice, and rounds that are noted but not shown with all their values.
look() {
	while [ ! -e "$work/written" ]; do
		echo "SELECT (SELECT count(*) - count(DISTINCT (register_id, measured_at)) FROM reading),
			(SELECT 600 * count(*) FROM public.noted) - (SELECT count(*) FROM reading JOIN public.noted
				ON register_id / 10 = writer AND measured_at >= '2026-03-30'::timestamptz + round * interval '1 hour'
				AND measured_at < '2026-03-30'::timestamptz + (round + 1) * interval '1 hour' AND raw_value >= 0);"
		sleep 0.2
	done | psql -X -q -A -t | sort | uniq -c >"$work/seen"
}

sql "CREATE TABLE public.noted (writer integer, round integer)"
for w in $(seq 1 $writers); do
	write "$w" &
	writing="${writing:-} $!"
done
settle &
settle &
cancel &
look &
wait $writing
touch "$work/written"
wait
is "$(ls "$work/write_failed" 2>/dev/null)" "" "writers are not held up by those who settle"
is "$(awk '{ print $2 }' "$work/seen")" "0|0" "readers saw all that was committed, and nothing twice ($(awk '{ sum += $1 } END { print sum }' "$work/seen") looks)"
is "$([ "$(cat "$work/cancelled")" -gt 0 ]; echo $?)" 0 "settling was cancelled in the middle ($(cat "$work/cancelled") times)"
is "$(grep ERROR "$work/settle_errors" | grep -vc 'canceling statement due to user request')" 0 "... and had no other trouble"
sql "CALL upkeep()" >/dev/null
is "$(sql "SELECT count(*) FROM reading_landing")" 0 "in the end all is settled"
is "$(sql "SELECT sum(readings), (SELECT count(*) FROM reading WHERE raw_value = extract(epoch FROM measured_at - '2026-03-30')::bigint / 60) FROM reading_day")" \
	"$((600 * writers * rounds))|$((600 * writers * rounds))" "... each reading once, with the value received last"
is "$(sql "SELECT count(*), count(DISTINCT (register_id, measured_at)), max(raw_value) FROM reading_correction")" \
	"$((120 * writers * rounds))|$((120 * writers * rounds))|-1" "... and each wrong value once in the history"
is "$(sql "SELECT string_agg(inhrelid::regclass::text, ' ' ORDER BY 1) FROM (SELECT inhrelid FROM pg_inherits WHERE inhparent = 'reading_day'::regclass) AS p WHERE inhrelid::regclass::text ~ '2026_0[34]'")" \
	"reading_day_2026_03" "months made their partitions on the way"

# The home moves to another time zone while a refresh is not committed yet.
sql "INSERT INTO price_area (price_area_id, name) VALUES (1, 'area'); INSERT INTO substation (substation_id, name) VALUES (1, 'substation'); INSERT INTO feeder (feeder_id, substation_id, name) VALUES (1, 1, 'feeder');
	INSERT INTO home (home_id, feeder_id, price_area_id, name) VALUES (1, 1, 1, 'home'); INSERT INTO meter (meter_id, home_id, name) VALUES (1, 1, 'main');
	INSERT INTO register (register_id, meter_id, obis, unit, cumulative) VALUES (100, 1, '1-0:1.8.0.255', 'kWh', true); INSERT INTO register_epoch VALUES (100, '-infinity', 1, 1000, NULL, 'first reading')"
mkfifo "$work/refresher"
psql -X -q -A -t <"$work/refresher" >/dev/null 2>&1 &
exec 3>"$work/refresher"
echo "BEGIN; INSERT INTO reading (register_id, measured_at, raw_value) SELECT 100, t, extract(epoch FROM t - '2026-03-01'::timestamptz) / 9 FROM generate_series('2026-03-01'::timestamptz, '2026-03-05', '15 min') AS t;
	SELECT refresh_interval_energy(); \\! touch $work/refreshed" >&3
for _ in $(seq 100); do [ -e "$work/refreshed" ] && break; sleep 0.05; done
psql -X -q -c "UPDATE home SET time_zone = 'Asia/Tokyo'" -c "\! touch $work/moved" &
for _ in $(seq 100); do
	[ "$(sql "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'")" = 0 ] || break
	[ ! -e "$work/moved" ] || break
	sleep 0.05
done
echo "COMMIT;" >&3
exec 3>&-
wait
rollups="SELECT count(*) > 0, md5(string_agg((granularity, period, block, is_over)::text, ' ' ORDER BY granularity, period)) FROM energy_rollup"
before=$(sql "$rollups")
sql "SELECT roll_up_again('{100}')" >/dev/null
is "$before" "$(sql "$rollups")" "a home's days follow it to another time zone though a refresh was going on"
echo "1..$count"
