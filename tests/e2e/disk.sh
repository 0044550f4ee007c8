#!/bin/bash
# The database's disk is full in earnest: writes that lengthen files fail with ENOSPC (tests/fault),
# first those of tables, then those of the write-ahead log, where PostgreSQL panics, then all. The
# bridge drops nothing and acknowledges nothing that is not stored; with room again everything comes
# in, once. Prints TAP; the server of tests/cluster is stopped and started.
. "$(dirname "$0")/harness"

homes=10
data=$(realpath "$PGHOST/data") base=$(realpath "$PGHOST")
export SMARTHG_FULL_DISK=$base/full
full() { echo "$1" >"$work/full" && chmod 644 "$work/full" && mv "$work/full" "$SMARTHG_FULL_DISK"; }
room() { rm -f "$SMARTHG_FULL_DISK"; }
up() { SMARTHG_PRELOAD=$base/full_disk.so "$top/tests/cluster" up; }
records() { "$top/tests/e2e/telegrams" $homes "$1" >"$work/telegrams"; }
readings="FROM reading JOIN register USING (register_id) WHERE gateway_id <= $homes AND obis = '1-0:1.8.0.255'"
# Readings as they were sent, their checksum, and those stored otherwise or twice.
stored() {
	sql "SELECT count(DISTINCT (gateway_id, record_no)) || ' ' || sum(raw_value) || ' ' || count(*) - count(DISTINCT (gateway_id, record_no))
			+ count(*) FILTER (WHERE raw_value <> 1000 * gateway_id + 7 * record_no OR measured_at <> to_timestamp(1700000000 + 60 * record_no)) $readings"
}
holds() { is "$(stored)" "$((homes * $1)) $((1000 * $1 * homes * (homes + 1) / 2 + 7 * homes * $1 * ($1 + 1) / 2)) 0" "$2"; }
metric() { curl -sf "http://127.0.0.1:$(sed -n 's/.* msg="metrics" host=[^ ]* port=\([0-9]*\).*/\1/p' "$work/bridge.log" | tail -n 1)/metrics" | sed -n "s/^smarthg_bridge_$1 //p"; }
session_kept() { check "$(grep -q ' reconnects=0 .* went_back=0' "$work/$1.sim"; echo $?)" "no gateway lost its session"; }

make -s -C "$top" build/full_disk.so && install -m 755 "$top/build/full_disk.so" "$base/" && make_homes $homes || { echo "Bail out! no database"; exit 1; }
"$top/tests/cluster" kill
up
check "$(grep -q full_disk.so "/proc/$(head -n 1 "$data/postmaster.pid")/maps"; echo $?)" "the server has the fault library"
start_bridge --keepalive_seconds=1 --offline_factor=2 --batch_records=200 --metrics=127.0.0.1:0
for _ in $(seq 50); do [ "$(logged 'gateways loaded')" -gt 0 ] && break; sleep 0.1; done
records 200
sim before
check $? "with room on the disk records come in"

full "$data/base/"
records 2000
sim tables & sim_pid=$!
sleep 3
check "$([ "$(logged 'msg="batch failed, will be tried again" error="ERROR:  could not extend file .*No space left on device')" -gt 2 ]; echo $?)" "tables cannot grow: batches are tried again and again"
acknowledged=$(metric records_total)
check "$([ "$(sql "SELECT count(*) $readings")" -ge "$acknowledged" ] && [ "$acknowledged" -lt $((homes * 2000)) ]; echo $?)" "what is not stored is not acknowledged"
is "$(metric unstorable_total) $(sql "SELECT count(*) FROM quarantine")" "0 0" "and not taken for unusable"
room
wait $sim_pid
check $? "with room again all are acknowledged"
holds 2000 "each is stored exactly once"
session_kept tables

records 4000
sim log --speed 5000 & sim_pid=$!
sleep 0.7
full "$data/pg_wal/"
for _ in $(seq 100); do
	psql -X -q -A -t -d "$database" -c 'SELECT pg_switch_wal()' >/dev/null 2>&1
	grep -q 'PANIC:.*No space left on device' "$base/log" && break
	sleep 0.1
done
check "$(grep -q 'PANIC:.*No space left on device' "$base/log"; echo $?)" "the write-ahead log cannot grow: the server panics"
for _ in $(seq 100); do [ -e "$data/postmaster.pid" ] || break; sleep 0.1; done
check "$([ ! -e "$data/postmaster.pid" ]; echo $?)" "and does not come up again by itself"
acknowledged=$(metric records_total)
kill -STOP "$bridge_pid"
room
up
there=$(sql "SELECT count(*) $readings")
check "$([ "$there" -ge "$acknowledged" ] && [ "$acknowledged" -gt $((homes * 2000)) ] && [ "$acknowledged" -lt $((homes * 4000)) ]; echo $?)" "with room it recovers, and all that was acknowledged is there ($acknowledged acknowledged, $there stored)"
kill -CONT "$bridge_pid"
wait $sim_pid
check $? "the bridge comes back, and all are acknowledged"
holds 4000 "each is stored exactly once"
session_kept log

full "$data/"
records 6000
sim all --speed 20000 & sim_pid=$!
sleep 4
acknowledged=$(metric records_total)
check "$([ "$acknowledged" -lt $((homes * 6000)) ]; echo $?)" "nothing at all can grow: not everything is acknowledged"
room
[ -e "$data/postmaster.pid" ] || up
wait $sim_pid
check $? "with room again all are"
holds 6000 "each is stored exactly once"
session_kept all
is "$(sql "SELECT count(*) FROM quarantine") $(sql "SELECT count(*) FROM gateway_event WHERE event IN ('mark_went_back', 'records_lost')")" "0 0" "none is in quarantine, no mark went back"
stop_bridge TERM
is $? 0 "the bridge stops in good order"
"$top/tests/cluster" kill
"$top/tests/cluster" up
rm "$base/full_disk.so"
echo "1..$count"
