#!/bin/bash
# A crowd: 10,000 idle gateways (SMARTHG_CROWD), or as many as the machine has file descriptors for,
# stay connected through what befalls bridge and database, while a few send. Prints TAP; the cluster
# of tests/cluster is stopped and started.
. "$(dirname "$0")/harness"

crowd=${SMARTHG_CROWD:-10000} senders=10 records=3000
ulimit -n "$(ulimit -Hn)"
room=$(($(ulimit -n) - 500))
[ "$crowd" -le "$room" ] || { crowd=$room; echo "# file descriptors for $crowd gateways only"; }
resident_kb() { awk '/^VmRSS/ { print $2 }' "/proc/$bridge_pid/status"; }
start() {
	start_bridge --max_connections=50000 --max_pending_connections=50000 --handshake_seconds=60 --keepalive_seconds=5 --metrics=127.0.0.1:0
	for _ in $(seq 200); do [ "$(logged "gateways loaded\" count=$((crowd + senders))")" -ge "$1" ] && return; sleep 0.1; done
}
# Waits for up to a minute.
comes_late() {
	for _ in $(seq 120); do [ "$(sql "$2" 2>/dev/null)" = "$1" ] && break; sleep 0.5; done
	is "$(sql "$2")" "$1" "$3"
}
open_sessions="SELECT count(*) FROM gateway_session WHERE closed_at IS NULL AND gateway_id > $senders"

make_homes $((crowd + senders)) || { echo "Bail out! no database"; exit 1; }
"$top/tests/e2e/telegrams" $((crowd + senders)) 1 | tail -n "$crowd" >"$work/crowd"
"$top/tests/e2e/telegrams" $senders $records >"$work/telegrams"
start 1
before=$(resident_kb)
start_sim crowd --telegrams "$work/crowd"
comes_late "$crowd" "$open_sessions" "$crowd gateways have a session each"
comes_late "$crowd" "SELECT count(*) FROM gateway WHERE gateway_id > $senders AND online AND committed_record_no = 1" "and are shown online with their only record"
each=$((($(resident_kb) - before) * 1024 / crowd))
check $((each >= 20480)) "an idle one takes less than 20 kB of the bridge ($each bytes)"

sim load --speed 3000 & sim_pid=$!
sleep 2
killed=$(sql "SELECT clock_timestamp()")
stop_bridge KILL
start 2
sleep 2
"$top/tests/cluster" kill
"$top/tests/cluster" up
wait $sim_pid
check $? "through a killed bridge and a killed database a few send all they have"
is "$(sql "SELECT count(*) FILTER (WHERE raw_value = 1000 * meter_id + 7 * record_no AND gateway_id = meter_id AND measured_at = to_timestamp(1700000000 + 60 * record_no)),
		count(*) - count(DISTINCT (gateway_id, record_no)) FROM reading JOIN register USING (register_id) WHERE gateway_id <= $senders AND obis = '1-0:1.8.0.255'")" \
	"$((senders * records))|0" "each record of theirs is stored exactly once"
comes_late "$crowd" "$open_sessions AND opened_at > '$killed'" "the crowd is back with its sessions"
is "$(sql "SELECT count(*) FROM reading JOIN register USING (register_id) WHERE gateway_id > $senders AND obis = '1-0:1.8.0.255'")" "$crowd" "and its records are stored exactly once"
stop_sim
stop_bridge TERM
is "$?" 0 "the bridge stops in an orderly way"
echo "1..$count"
