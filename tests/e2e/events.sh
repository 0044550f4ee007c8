#!/bin/bash
# The book of sessions while the database is away: gateways that come and go fill its queue, which
# counts against the memory budget like records. When it is full the bridge reads no more, so that
# nothing new can happen; nothing is dropped, and all is written once the database is back.
# Prints TAP; the cluster of tests/cluster is stopped and started.
. "$(dirname "$0")/harness"

homes=1000 budget=1048576
metric() { curl -sf "http://127.0.0.1:$(sed -n 's/.* msg="metrics" host=[^ ]* port=\([0-9]*\).*/\1/p' "$work/bridge.log" | tail -n 1)/metrics" | sed -n "s/^smarthg_bridge_$1 //p"; }
# All gateways come, wait a second for an answer that does not come, and go.
come_and_go() { for _ in $(seq "$1"); do sim "storm" --timeout 1; done; }

make_homes $homes || { echo "Bail out! no database"; exit 1; }
start_bridge --memory_budget_mb=1 --metrics=127.0.0.1:0 --max_pending_connections=1500 --handshake_seconds=2
for _ in $(seq 100); do [ "$(logged "gateways loaded\" count=$homes")" -gt 0 ] && break; sleep 0.1; done
"$top/tests/e2e/telegrams" $homes 1 >"$work/telegrams"
"$top/tests/cluster" kill
sleep 0.5
come_and_go 4
is "$(metric held)" 1 "the database is away, gateways come and go until the memory budget is used up"
waiting=$(metric waiting_events) memory=$(metric memory_bytes)
check "$([ "$waiting" -gt $((2 * homes)) ]; echo $?)" "most of it by events ($waiting, $memory bytes)"
# Connections that were open at that moment may still end.
check "$([ "$memory" -lt $((budget * 3 / 2)) ]; echo $?)" "which is kept but for what cannot be refused"
before=$(metric resident_bytes)
come_and_go 4
is "$(metric waiting_events) $(metric memory_bytes)" "$waiting $memory" "gateways go on coming and going: no further event"
check "$([ $(($(metric resident_bytes) - before)) -lt 4000000 ]; echo $?)" "and no further memory but for connections that wait, of which there are max_pending_connections"
opened=$(logged 'msg="session opened"')
"$top/tests/cluster" up
for _ in $(seq 300); do [ "$(metric waiting_events)" = 0 ] && break; sleep 0.1; done
is "$(metric waiting_events) $(metric held)" "0 0" "the database is back: all events are written"
is "$(sql "SELECT count(*) + sum(resumed) FROM gateway_session")" "$opened" "every session that was opened is there"
sim after
check $? "and gateways get their records in"
is "$(sql "SELECT count(DISTINCT gateway_id) || ' ' || count(*) FROM reading JOIN register USING (register_id) WHERE obis = '1-0:1.8.0.255'")" "$homes $homes" "each once"
stop_bridge TERM
is $? 0 "the bridge stops in good order"
echo "1..$count"
