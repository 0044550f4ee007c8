#!/bin/bash
# No loss: under load of telegrams of all kinds the bridge, the database, the gateways and their
# connections are killed at random moments, and backends hang, again and again; then every record is in the database
# exactly once, and nothing that was acknowledged was ever missing when its gateway came back.
# NOLOSS_SECONDS (default 25) says for how long, NOLOSS_SEED which moments. Prints TAP; PGHOST and
# so on name the cluster of tests/cluster, which is stopped and started.
. "$(dirname "$0")/harness"

homes=20
per_second=2500
seconds=${NOLOSS_SECONDS:-25}
records=$((seconds * per_second / homes))
RANDOM=${NOLOSS_SEED:=$(date +%N | sed 's/^0*//')}
echo "# seed $NOLOSS_SEED"

make_homes $homes || { echo "Bail out! no database"; exit 1; }
sql "INSERT INTO meter (meter_id, home_id, gateway_id, device_address, kind, commodity, name)
	SELECT $homes + i, i, i, mbus_address(lpad(i::text, 8, '0'), 'ABC', 1, 7), 'main'::meter_kind, 'water'::commodity, 'water' FROM generate_series(1, $homes) AS i
	UNION ALL SELECT 2 * $homes + i, i, i, mbus_address(lpad(i::text, 8, '0'), 'ABC', 1, 2), 'sub', 'electricity', 'by wire' FROM generate_series(1, $homes) AS i
	UNION ALL SELECT 3 * $homes + i, i, i, convert_to('P1-' || i, 'UTF8'), 'sub', 'electricity', 'P1' FROM generate_series(1, $homes) AS i"
"$top/tests/e2e/telegrams" $homes $records mixed >"$work/telegrams"

start() { start_bridge --keepalive_seconds=1 --offline_factor=2 --batch_records=200 --database_timeout_seconds=2; }
start_gateways() {
	"$sim_program" --connect "$listen" --keys "$work/keys" --telegrams "$work/telegrams" --timeout $((seconds * 4 + 60)) --speed $per_second >>"$work/noloss.sim" 2>&1 &
	sim_pid=$!
}
start
start_gateways
until=$((SECONDS + seconds))
declare -A done
while [ $SECONDS -lt $until ] && kill -0 $sim_pid 2>/dev/null; do
	sleep $((RANDOM % 2)).$((RANDOM % 10))
	event=$((RANDOM % 5))
	case $event in
	0) # the bridge is killed
		stop_bridge KILL
		sleep 0.$((RANDOM % 5))
		start
		;;
	1) # the database is
		"$top/tests/cluster" kill
		sleep 0.$((RANDOM % 8))
		"$top/tests/cluster" up
		;;
	2) # its connections to the bridge are
		sql "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = '$role'" >/dev/null
		;;
	3) # all gateways are, and come back knowing nothing but their records
		kill -9 $sim_pid
		wait $sim_pid 2>/dev/null
		start_gateways
		;;
	4) # one of the bridge's backends hangs for longer than the bridge waits
		backend=$(sql "SELECT pid FROM pg_stat_activity WHERE usename = '$role' ORDER BY random() LIMIT 1")
		if [ -n "$backend" ]; then
			kill -STOP "$backend"
			sleep 2.$((RANDOM % 10))
			kill -CONT "$backend"
		fi
		;;
	esac
	done[$event]=$((${done[$event]:-0} + 1))
done
wait $sim_pid
check $? "after ${done[0]:-0} dead bridges, ${done[1]:-0} dead databases, ${done[2]:-0} times lost connections, ${done[3]:-0} dead gateways and ${done[4]:-0} backends that hung all is acknowledged"
is "$(grep -c 'went_back=[1-9]' "$work/noloss.sim")" 0 "no gateway came back to less than it was acknowledged"
is "$(sql "SELECT count(*) FROM gateway_event WHERE event IN ('mark_went_back', 'records_lost')")" 0 "nor did the bridge find that"
is "$(sql "SELECT count(*), count(DISTINCT (gateway_id, record_no)), sum(raw_value) FROM reading JOIN register USING (register_id) WHERE obis <> '1-0:16.7.0.255'")" \
	"$((homes * records))|$((homes * records))|$((1000 * records * homes * (homes + 1) / 2 + 7 * homes * records * (records + 1) / 2))" "every record is there once, and what they count adds up"
is "$(sql "SELECT count(*) FROM reading JOIN register USING (register_id) WHERE obis <> '1-0:16.7.0.255'
	AND (raw_value <> 1000 * gateway_id + 7 * record_no OR measured_at <> to_timestamp(1700000000 + 60 * record_no))")" 0 "each with its own value and time"
is "$(sql "SELECT min(committed_record_no), max(committed_record_no), (SELECT count(*) FROM gateway_record_ahead), (SELECT count(*) FROM quarantine), (SELECT count(*) FROM reading_correction) FROM gateway")" \
	"$records|$records|0|0|0" "the marks are past all of them, and nothing is left over"
stop_bridge TERM
echo "1..$count"
