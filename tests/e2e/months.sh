#!/bin/bash
# Months long over: readings that come late and corrections are taken, a month is packed to a few
# bytes a reading while others read, with snapshots from before too, and stays open to corrections.
# Prints TAP; PGHOST and so on name the cluster.
set -uo pipefail
database=smarthg_months_$$
. "$(dirname "$0")/scratch"
export PGDATABASE=$database PGOPTIONS='-c search_path=smarthg,public -c client_min_messages=error -c timezone=UTC'
sql() { psql -X -q -A -t -v ON_ERROR_STOP=1 -c "$1"; }
bytes_per_reading="SELECT round(pg_total_relation_size('reading_day_2024_03')::numeric / sum(readings), 1) FROM reading_day_2024_03"
content="SELECT count(*), md5(string_agg((register_id, measured_at, raw_value, received_at)::text, ' ' ORDER BY register_id, measured_at)) FROM reading"

createdb "$database"
sql "CREATE EXTENSION smarthg" || { echo "Bail out! no extension"; exit 1; }
psql -X -q -v ON_ERROR_STOP=1 <<'SQL'
INSERT INTO price_area (price_area_id, name) VALUES (1, 'area');
INSERT INTO substation (substation_id, name) VALUES (1, 'substation');
INSERT INTO feeder (feeder_id, substation_id, name) VALUES (1, 1, 'feeder');
INSERT INTO home (home_id, feeder_id, price_area_id, name) SELECT n, 1, 1, 'home ' || n FROM generate_series(1, 40) AS n;
INSERT INTO meter (meter_id, home_id, name, default_divisor) SELECT n, n, 'main', 1000 FROM generate_series(1, 40) AS n;
INSERT INTO register (register_id, meter_id, obis, unit, cumulative) SELECT n, n, '1-0:1.8.0.255', 'kWh', true FROM generate_series(1, 40) AS n;
INSERT INTO register_epoch SELECT n, '-infinity', 1, 1000, 1000000000, 'first reading' FROM generate_series(1, 40) AS n;
-- March 2024 as it comes live, two hours at a time, arrivals some seconds late, and a little of April.
CREATE PROCEDURE public.live() LANGUAGE plpgsql AS $$
BEGIN
	FOR step IN 0 .. 31 * 12 LOOP
		INSERT INTO reading_landing (register_id, measured_at, raw_value, received_at, gateway_id, record_no)
			SELECT r, t, r * 100000 + extract(epoch FROM t - '2024-03-01')::bigint / 6 + (50 * random())::bigint, t + random() * interval '20 s', r, extract(epoch FROM t - '2024-03-01')::bigint / 900
			FROM generate_series(1, 40) AS r, generate_series(0, 7) AS q, LATERAL (SELECT '2024-03-01'::timestamptz + (step * 8 + q) * interval '15 min') AS at(t)
			WHERE (r + step * 8 + q) % 97 > 0;
		PERFORM refresh_interval_energy();
		COMMIT;
	END LOOP;
END $$;
CALL public.live();
SQL
echo "# $(sql "$bytes_per_reading") bytes a reading as it came"

# Late readings and corrections, months later.
sql "INSERT INTO reading_landing (register_id, measured_at, raw_value, received_at)
	SELECT r, t, r * 100000 + extract(epoch FROM t - '2024-03-01')::bigint / 6, now() FROM generate_series(1, 40) AS r, generate_series('2024-03-01'::timestamptz, '2024-03-31 23:45', '15 min') AS t
	WHERE NOT EXISTS (SELECT FROM reading x WHERE x.register_id = r AND x.measured_at = t)"
sql "INSERT INTO reading (register_id, measured_at, raw_value) SELECT register_id, measured_at, raw_value + 3 FROM register_readings(7, '2024-03-10', '2024-03-10 06:00'), (SELECT 7) AS r(register_id)"
sql "SELECT refresh_interval_energy()" >/dev/null
is "$(sql "SELECT count(*), bool_and(quality <> 'estimated') FROM interval_energy WHERE day < '2024-04-01'")" "$((40 * 96 * 31))|t" "what came late for a month long over is in its energy"
is "$(sql "SELECT count(*), min(r.raw_value - c.raw_value) FROM reading_correction c JOIN reading r USING (register_id, measured_at)")" "24|3" "... corrections with their history"

# Packed, while a snapshot from before looks on.
before=$(sql "$content")
is "$(sql "SELECT pack_readings('2024-03-01')")" copied "a month is packed in steps: a copy"
mkfifo "$work/reader"
psql -X -q -A -t <"$work/reader" >"$work/seen" 2>&1 &
exec 3>"$work/reader"
echo "BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT count(*) FROM home; \\! touch $work/begun" >&3
for _ in $(seq 100); do [ -e "$work/begun" ] && break; sleep 0.05; done
is "$(sql "SELECT pack_readings('2024-03-01')")" packed "... which takes the partition's place"
echo "$content; COMMIT;" >&3
exec 3>&-
wait
is "$(tail -n 1 "$work/seen")" "$before" "a snapshot from between the two sees every reading"
is "$(sql "$content")" "$before" "... and so does everybody"
is "$(sql "SELECT pg_total_relation_size('reading_day_2024_03') <= 12 * sum(readings) FROM reading_day_2024_03")" t "it takes $(sql "$bytes_per_reading") bytes a reading, index included: 12 at most"
is "$(sql "SELECT string_agg(conname || ' ' || contype::text, ', ' ORDER BY 1) FROM pg_constraint WHERE conrelid = 'reading_day_2024_03'::regclass")" "$(sql "SELECT replace(string_agg(conname || ' ' || contype::text, ', ' ORDER BY 1), '04', '03') FROM pg_constraint WHERE conrelid = 'reading_day_2024_04'::regclass")" "... with the key of any other partition"

# Open to corrections still.
sql "INSERT INTO reading (register_id, measured_at, raw_value) SELECT register_id, measured_at, raw_value + 5 FROM register_readings(8, '2024-03-20', '2024-03-20 06:00'), (SELECT 8) AS r(register_id)"
sql "SELECT refresh_interval_energy()" >/dev/null
is "$(sql "SELECT count(*), min(r.raw_value - c.raw_value) FROM reading_correction c JOIN reading r USING (register_id, measured_at) WHERE register_id = 8")" "24|5" "a packed month takes corrections"
before=$(sql "$content")

# With a snapshot older than the copy, the place is not changed; with a month changed meanwhile, it is copied anew.
mkfifo "$work/old"
psql -X -q -A -t <"$work/old" >"$work/old_seen" 2>&1 &
exec 4>"$work/old"
echo "BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT count(*) FROM home; \\! touch $work/old_begun" >&4
for _ in $(seq 100); do [ -e "$work/old_begun" ] && break; sleep 0.05; done
is "$(sql "SELECT pack_readings('2024-03-01')") $(sql "SELECT pack_readings('2024-03-01')")" "copied waiting" "while a snapshot from before the copy lives, the copy waits"
echo "$content; COMMIT;" >&4
exec 4>&-
wait
is "$(tail -n 1 "$work/old_seen")" "$before" "... and that snapshot sees every reading"
sql "INSERT INTO reading (register_id, measured_at, raw_value) VALUES (9, '2024-03-02 00:00:01', 1)"
sql "SELECT settle_readings()" >/dev/null
before=$(sql "$content")
is "$(sql "SELECT pack_readings('2024-03-01')") $(sql "SELECT pack_readings('2024-03-01')")" "copied packed" "a month that changed since is copied anew"
is "$(sql "$content")" "$before" "... and nothing is lost"

# By itself.
sql "UPDATE reading_month SET packed_bytes = NULL"
sql "CALL upkeep()" >/dev/null
is "$(sql "SELECT string_agg(to_char(month, 'YYYY-MM ') || (packed_bytes > 0 AND spare IS NULL), ', ' ORDER BY month) FROM reading_month")" "2024-03 true, 2024-04 true" "upkeep packs months that are over"
is "$(sql "SELECT month_to_pack() IS NULL")" t "... once"
is "$(sql "$content")" "$before" "... and nothing is lost"
is "$(sql "SELECT pack_readings('1999-01-01')")" nothing "a month without readings is nothing to pack"
echo "1..$count"
