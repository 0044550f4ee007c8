#!/bin/bash
# The way of records from gateways into durable storage: encrypted sessions, bridge, database. For
# each kind of telegrams and number of gateways: records a second at full speed (from the first one
# sent to the last ACK, which follows the commit), latency at half of 100,000 records a second and at
# half of what full speed gave (from when a record was due to its ACK), processor time a record of
# simulator, bridge and the database's processes, what part of the machine's processor time others
# took meanwhile, memory of the bridge, and a bare COPY of the same rows. After each run every
# acknowledged record must be in the database once. Kinds: zcl, one reading a record; wmbus, encrypted
# by the meter (mode 5), four readings; mixed, as in the end-to-end tests.
#   SMARTHG_KINDS="zcl wmbus mixed"  SMARTHG_COUNTS="1 100 10000"  gateways
#   SMARTHG_SECONDS=3                of sending, in each run; what is on its way then is waited for
#   SMARTHG_SETTLE=3                seconds before latency counts: a new bridge's database connections know
#                                   no register yet
#   SMARTHG_FLIGHT=30000             records on their way to all gateways' ACKs, at most
#   SMARTHG_RATE=50000               records a second for the first latency
#   SMARTHG_BRIDGE_OPTIONS=          further options of the bridge
# Intervals are not refreshed meanwhile, so that what landed can be counted; ingest.sh measures
# settling. Run by `make bench`; PGHOST and so on name the cluster.
. "$(dirname "$0")/../e2e/harness"

kinds=${SMARTHG_KINDS:-zcl wmbus mixed} counts=${SMARTHG_COUNTS:-1 100 10000}
seconds=${SMARTHG_SECONDS:-3} settle=${SMARTHG_SETTLE:-3} flight=${SMARTHG_FLIGHT:-30000} rate=${SMARTHG_RATE:-50000}
most=$(printf '%s\n' $counts | sort -n | tail -n 1)
ulimit -n "$(ulimit -Hn)"
wrong=0

# Meters of the kinds and, per gateway and place in the cycle of its telegrams, how many readings a
# record gives and what their counts add up to.
prepare() {
	make_homes "$most" || return 1
	psql -X -q -v ON_ERROR_STOP=1 -d "$database" -v gateways="$most" <<'SQL'
CREATE EXTENSION pgcrypto SCHEMA public;
SET search_path = smarthg, public;
INSERT INTO meter (meter_id, home_id, gateway_id, device_address, kind, commodity, name)
	SELECT :gateways + i, i, i, mbus_address(lpad(i::text, 8, '0'), 'ABC', 1, 7), 'main'::meter_kind, 'water'::commodity, 'water' FROM generate_series(1, :gateways) AS i
	UNION ALL SELECT 2 * :gateways + i, i, i, mbus_address(lpad(i::text, 8, '0'), 'ABC', 1, 2), 'sub', 'electricity', 'by wire' FROM generate_series(1, :gateways) AS i
	UNION ALL SELECT 3 * :gateways + i, i, i, convert_to('P1-' || i, 'UTF8'), 'sub', 'electricity', 'P1' FROM generate_series(1, :gateways) AS i
	UNION ALL SELECT 4 * :gateways + i, i, i, mbus_address(lpad(i::text, 8, '0'), 'ABC', 2, 2), 'sub', 'electricity', 'encrypted' FROM generate_series(1, :gateways) AS i;
INSERT INTO meter_key (device_address, key) SELECT device_address, decode(md5('meter ' || gateway_id), 'hex') FROM meter WHERE name = 'encrypted';

CREATE FUNCTION public.little(value bigint, bytes integer) RETURNS text IMMUTABLE LANGUAGE sql AS
$$ SELECT string_agg(lpad(to_hex(value >> 8 * n & 255), 2, '0'), '' ORDER BY n) FROM generate_series(0, bytes - 1) AS n $$;
CREATE FUNCTION public.wmbus(i bigint) RETURNS text IMMUTABLE LANGUAGE sql AS $$
	SELECT '2e4443' || '04' || meter || '7a' || '2b' || '002005' || encode(encrypt_iv(decode('2f2f'
			|| '0403' || little(1000 * i + 1, 4) || '841003' || little(1000 * i + 2, 4) || '842003' || little(1000 * i + 3, 4) || '042b' || little(420, 4) || '2f2f2f2f', 'hex'),
			decode(md5('meter ' || i), 'hex'), decode('4304' || meter || repeat('2b', 8), 'hex'), 'aes-cbc/pad:none'), 'hex')
	FROM (SELECT little(('x' || lpad(i::text, 8, '0'))::bit(32)::bigint, 4) || '0202' AS meter) AS address
$$;
CREATE TABLE public.expected (kind text, gateway_id bigint, place integer, cycle integer, readings bigint, total bigint, telegram text);
INSERT INTO public.expected
	SELECT 'zcl', i, 0, 1, 1, 1000 * i + 7, concat_ws(' ', 1, '0015bc02' || lpad(to_hex(i), 8, '0') || '0101090702', '18010a000025' || little(1000 * i + 7, 6)) FROM generate_series(1, :gateways::bigint) AS i
	UNION ALL SELECT 'wmbus', i, 0, 1, 4, 3000 * i + 426, '2 - ' || wmbus(i) FROM generate_series(1, :gateways::bigint) AS i
	UNION ALL SELECT 'mixed', i, place, 4, CASE place WHEN 3 THEN 2 ELSE 1 END, 1000 * i + 7 * (place + 1) + CASE place WHEN 3 THEN 420 ELSE 0 END, NULL
		FROM generate_series(1, :gateways::bigint) AS i, generate_series(0, 3) AS place;
CREATE TABLE public.bare (LIKE reading_landing);
SQL
}

telegrams() { # kind, gateways
	if [ "$1" = mixed ]; then
		"$top/tests/e2e/telegrams" "$2" 4 mixed
	else
		sql "SELECT '0015bc01' || lpad(to_hex(gateway_id), 8, '0') || ' 1700000060000 ' || telegram FROM expected WHERE kind = '$1' AND gateway_id <= $2 ORDER BY gateway_id"
	fi
}

# Nothing acknowledged was lost, changed or stored twice, and nothing else is there.
audit() { # kind, gateways, acknowledged
	sql "WITH record AS (
			SELECT l.gateway_id, l.record_no, count(*) AS readings, sum(l.raw_value) AS total, count(DISTINCT l.register_id) AS registers,
				min(l.measured_at) AS first, max(l.measured_at) AS last FROM reading_landing l GROUP BY 1, 2
		), found AS (
			SELECT count(*) AS records, count(*) FILTER (WHERE (r.readings, r.registers, r.total) = (e.readings, e.readings, e.total) AND r.record_no <= g.committed_record_no
				AND r.first = to_timestamp(1700000060 + r.record_no - 1) AND r.last = r.first) AS good, count(*) FILTER (WHERE r.gateway_id > $2) AS others
			FROM record r JOIN gateway g USING (gateway_id) LEFT JOIN expected e ON e.kind = '$1' AND e.gateway_id = r.gateway_id AND e.place = (r.record_no - 1) % e.cycle
		)
		SELECT CASE WHEN f.records = m.marks AND f.good = m.marks AND f.others = 0 AND m.marks = $3 AND m.ahead = 0 AND m.quarantined = 0 THEN 'right'
			ELSE format('WRONG: %s acknowledged, marks add up to %s, %s records stored, %s of them right, %s ahead, %s in quarantine', $3, m.marks, f.records, f.good, m.ahead, m.quarantined) END
		FROM found f, (SELECT sum(committed_record_no) AS marks, (SELECT count(*) FROM gateway_record_ahead) AS ahead, (SELECT count(*) FROM quarantine) AS quarantined FROM gateway) AS m"
}

postmaster=$(awk '{ print $4 }' "/proc/$(psql -X -A -t -c "SELECT pid FROM pg_stat_activity WHERE backend_type = 'checkpointer'")/stat")
# Ticks that the server's processes have used, ended ones too.
server_ticks() { cat /proc/[0-9]*/stat 2>/dev/null | awk -v p="$postmaster" '{ sub(/^.*\) /, p == $1 ? "own " : "of ") } $1 == "own" { n += $13 + $14 + $15 + $16 } $1 == "of" && $3 == p { n += $13 + $14 } END { print n + 0 }'; }
# Ticks that the whole machine was busy, and those stolen from it.
machine_ticks() { awk '$1 == "cpu" { print $2 + $3 + $4 + $7 + $8 + $9 }' /proc/stat; }
bridge_ticks() { awk '{ print $14 + $15 }' "/proc/$bridge_pid/stat"; }
memory() { awk -v what="$1:" '$1 == what { print $2 }' "/proc/$bridge_pid/status"; }
field() { sed -n "s/^report.* $1=\([^ ]*\).*/\1/p" "$work/run.sim"; }
calculate() { awk "BEGIN { printf \"$1\", $2 }"; }

# Plays one run into a clean database; sets records, records_per_s, ... of its report.
play() { # kind, gateways, options of the simulator
	local kind=$1 gateways=$2 window
	shift 2
	window=$((flight / gateways > 3 ? flight / gateways : 3))
	sql "TRUNCATE reading_landing, quarantine, gateway_record_ahead; UPDATE gateway SET committed_record_no = 0; UPDATE gateway_session SET closed_at = now() WHERE closed_at IS NULL" || exit 1
	sql "VACUUM ANALYZE gateway"
	psql -X -q -c CHECKPOINT
	: >"$work/bridge.log"
	start_bridge --refresh_ms=0 --max_connections=50000 --max_pending_connections=50000 --handshake_seconds=600 ${SMARTHG_BRIDGE_OPTIONS:-}
	for _ in $(seq 600); do [ "$(logged "gateways loaded\" count=$most")" -gt 0 ] && break; sleep 0.1; done
	rss_before=$(memory VmRSS)
	"$sim_program" --connect "$listen" --keys "$work/keys" --telegrams "$work/$kind.$gateways" --together $((gateways < 1000 ? 1 : 8)) --report --window $window --timeout 120 "$@" >"$work/run.sim" 2>&1 &
	sim_pid=$!
	for _ in $(seq 600); do grep -q 'sessions are open' "$work/run.sim" && break; sleep 0.1; done
	sleep 0.5
	rss_idle=$(memory VmRSS)
	local bridge_began server_began machine_began wal_began began hz
	hz=$(getconf CLK_TCK) began=$(date +%s%N)
	machine_began=$(machine_ticks) bridge_began=$(bridge_ticks) server_began=$(server_ticks) wal_began=$(sql "SELECT pg_current_wal_insert_lsn()")
	wait $sim_pid || { echo "the simulator failed:"; tail -n 3 "$work/run.sim" "$work/bridge.log"; wrong=1; }
	local machine=$(($(machine_ticks) - machine_began)) took=$((($(date +%s%N) - began) / 1000000))
	records=$(field measured)
	records=${records:-0}
	[ "$records" -gt 0 ] || { stop_bridge KILL; return 1; }
	records_per_s=$(field records_per_s)
	bridge_us=$(calculate %.1f "1e6 * ($(bridge_ticks) - $bridge_began) / $hz / $records")
	server_us=$(calculate %.1f "1e6 * ($(server_ticks) - $server_began) / $hz / $records")
	sim_us=$(calculate %.1f "$(field user_us_per_record) + $(field system_us_per_record)")
	others=$(calculate %.0f "100 * ($machine / $hz - ($sim_us + $bridge_us + $server_us) * $records / 1e6) / ($took / 1000 * $(nproc))")
	wal=$(sql "SELECT round((pg_current_wal_insert_lsn() - '$wal_began') / $records)")
	rss_load=$(memory VmHWM)
	stop_bridge KILL # no time to save anything: what was acknowledged must be committed
	verdict=$(audit "$kind" "$gateways" "$records")
	[ "$verdict" = right ] || { wrong=1; echo "$kind, $gateways gateways: $verdict"; }
}

# Rows a second of COPY from a client into a table without anything, of what the last run stored,
# five times over.
bare_copy() {
	local began took rows copy="\\copy bare FROM '$work/rows' (FORMAT binary)"
	sql "TRUNCATE bare"
	psql -X -q -d "$database" -c "\\copy smarthg.reading_landing TO '$work/rows' (FORMAT binary)"
	psql -X -q -c CHECKPOINT
	began=$(date +%s%N)
	psql -X -q -d "$database" -c "$copy" -c "$copy" -c "$copy" -c "$copy" -c "$copy"
	took=$(($(date +%s%N) - began))
	rows=$(sql "SELECT count(*) FROM bare")
	calculate %.0f "$rows / ($took / 1e9)"
	rm "$work/rows"
}

latency() { # rate asked for; p50/p99, marked where all was not acknowledged by about the end
	printf '%s/%s' "$(calculate %.0f "$(field p50_ms)")" "$(calculate %.0f "$(field p99_ms)")"
	[ "$(calculate %d "($(field behind) < $records / 50 && $records_per_s > 0.85 * $1)")" = 1 ] || printf '!'
}

prepare || exit 1
for kind in $kinds; do
	for gateways in $counts; do telegrams "$kind" "$gateways" >"$work/$kind.$gateways"; done
	# Registers come with a meter's first readings; they are there before it counts.
	cycle=$(sql "SELECT max(cycle) FROM expected WHERE kind = '$kind'")
	telegrams "$kind" "$most" >"$work/$kind.first"
	play "$kind" "$most" --telegrams "$work/$kind.first" --records "$cycle"
	sql "VACUUM ANALYZE"
done
echo "synchronous_commit $(sql 'SHOW synchronous_commit'), fsync $(sql 'SHOW fsync'), $(nproc) cores; latency in ms, p50/p99, ! where the rate was not kept"
printf '%-6s %8s %10s %11s %13s | %14s %16s | %6s %7s %8s %6s | %7s | %17s\n' kind gateways records/s readings/s 'COPY rows/s' "at $rate/s" 'at half' 'us/rec' '' '' 'B/rec' 'others' 'kB/gateway'
printf '%-6s %8s %10s %11s %13s | %14s %16s | %6s %7s %8s %6s | %7s | %8s %8s\n' '' '' '' '' '' '' 'of records/s' sim bridge database WAL % idle loaded
for kind in $kinds; do
	for gateways in $counts; do
		play "$kind" "$gateways" --records 1000000000 --seconds "$seconds" || continue
		full=$records_per_s
		stored=$(sql "SELECT count(*) FROM reading_landing")
		line=$(printf '%-6s %8s %10s %11s %13s' "$kind" "$gateways" "$full" "$(calculate %.0f "$full * $stored / $records")" "$(bare_copy)")
		costs=$(printf '%6s %7s %8s %6s | %7s' "$sim_us" "$bridge_us" "$server_us" "$wal" "$others")
		memory=$(printf '%8s %8s' "$(calculate %.1f "($rss_idle - $rss_before) / $gateways")" "$(calculate %.1f "($rss_load - $rss_before) / $gateways")")
		play "$kind" "$gateways" --records 1000000000 --seconds $((seconds + settle)) --settle $settle --speed "$rate" && asked=$(latency "$rate")
		play "$kind" "$gateways" --records 1000000000 --seconds $((seconds + settle)) --settle $settle --speed $((full / 2)) && half=$(latency $((full / 2)))
		printf '%s | %14s %16s | %s | %s\n' "$line" "${asked:--}" "${half:--}" "$costs" "$memory"
	done
done
[ $wrong = 0 ] && echo "every acknowledged record of every run is in the database once, with its own count and time"
exit $wrong
