#!/bin/bash
# A database that gives no answer and closes nothing: a backend that is stopped, the whole server
# stopped, and a way to it that swallows what it is given. The bridge gives such a connection up
# after database_timeout_seconds and sends the same again on a new one; gateways keep their sessions,
# nothing is acknowledged meanwhile, and every record is stored exactly once. SMARTHG_HUNG_SECONDS (3)
# is that limit. Prints TAP; the server of tests/cluster is stopped and continued by signals.
. "$(dirname "$0")/harness"

homes=10 limit_s=${SMARTHG_HUNG_SECONDS:-3}
records() { "$top/tests/e2e/telegrams" $homes "$1" >"$work/telegrams"; }
# Readings as they were sent, their checksum, and those stored otherwise or twice.
stored() {
	sql "SELECT count(DISTINCT (gateway_id, record_no)) || ' ' || sum(raw_value) || ' ' || count(*) - count(DISTINCT (gateway_id, record_no))
			+ count(*) FILTER (WHERE raw_value <> 1000 * gateway_id + 7 * record_no OR measured_at <> to_timestamp(1700000000 + 60 * record_no))
		FROM reading JOIN register USING (register_id) WHERE gateway_id <= $homes AND obis = '1-0:1.8.0.255'"
}
holds() { is "$(stored)" "$((homes * $1)) $((1000 * $1 * homes * (homes + 1) / 2 + 7 * homes * $1 * ($1 + 1) / 2)) 0" "$2"; }
metric() { curl -sf "http://127.0.0.1:$(sed -n 's/.* msg="metrics" host=[^ ]* port=\([0-9]*\).*/\1/p' "$work/bridge.log" | tail -n 1)/metrics" | sed -n "s/^smarthg_bridge_$1 //p"; }
ingest_pids() { sql "SELECT pid FROM pg_stat_activity WHERE usename = '$role' AND query LIKE '%bridge_ingest%' AND $1 ORDER BY pid"; }
unanswered() { logged 'msg="database does not answer" connection=ingest'; }
felt() { grep -c disconnected "$work/honest.sim"; }

make_homes $((homes + 2)) || { echo "Bail out! no database"; exit 1; }
sql "CREATE TABLE slow (seconds float8); INSERT INTO slow VALUES (0);
	CREATE FUNCTION slow() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = smarthg AS 'BEGIN PERFORM pg_sleep(seconds) FROM slow; RETURN NULL; END';
	CREATE TRIGGER slow AFTER INSERT ON reading_landing FOR EACH STATEMENT EXECUTE FUNCTION slow()"
start_bridge --keepalive_seconds=1 --offline_factor=2 --batch_records=200 --memory_budget_mb=1 --metrics=127.0.0.1:0 --report_seconds=1 --database_timeout_seconds="$limit_s"
for _ in $(seq 50); do [ "$(logged 'gateways loaded')" -gt 0 ] && break; sleep 0.1; done
"$top/tests/e2e/telegrams" $((homes + 1)) 1 | tail -n 1 >"$work/last"
start_sim honest --telegrams "$work/last"
comes t "SELECT online FROM gateway WHERE gateway_id = $homes + 1" "an honest gateway is there"
records 100
sim first
check $? "both ingest connections are in use"

# Between two batches a backend holds no lock: a new connection does its work.
backend=$(ingest_pids "state = 'idle'" | head -n 1)
kill -STOP "$backend"
records 600
sim idle --speed 5000
check $? "a backend is stopped, and all records are acknowledged through a new connection"
is "$(unanswered)" 1 "after one connection was given up"
holds 600 "each record is stored exactly once"
kill -CONT "$backend"
check "$(grep -q ' reconnects=0 ' "$work/idle.sim"; echo $?)" "in the sessions that were open"

# In the middle of a transaction it holds its gateways' rows: they wait for it, the others do not.
sql "UPDATE slow SET seconds = 1"
records 700
sim locked --speed 5000 & sim_pid=$!
for _ in $(seq 100); do
	backend=$(ingest_pids "wait_event = 'PgSleep'" | head -n 1)
	[ -n "$backend" ] && break
	sleep 0.05
done
kill -STOP "$backend"
sql "UPDATE slow SET seconds = 0"
sleep $((2 * limit_s))
is "$(sql "SELECT count(*) FILTER (WHERE committed_record_no = 700) || ' ' || count(*) FILTER (WHERE committed_record_no < 700) FROM gateway WHERE gateway_id <= $homes")" "$((homes / 2)) $((homes / 2))" \
	"a backend is stopped in its transaction: the other connection's gateways go on"
kill -CONT "$backend"
wait $sim_pid
check $? "it goes on, and all is acknowledged"
holds 700 "each record is stored exactly once, though the batch was sent again while the first call still ran"

# A table that is locked for long: what the bridge gives up waiting for does not pile up there.
sql "BEGIN; LOCK TABLE gateway_event; SELECT pg_sleep($((4 * limit_s + 2))); COMMIT" >/dev/null & locked_pid=$!
sleep 0.5
"$top/tests/e2e/telegrams" $((homes + 2)) 1 | tail -n 1 >"$work/visit"
sim visitor --telegrams "$work/visit" & sim_pid=$!
sleep $((3 * limit_s + 1))
is "$(sql "SELECT count(*) > 0, count(*) < 3 FROM pg_stat_activity WHERE usename = '$role' AND wait_event_type = 'Lock' AND query LIKE '%bridge_journal%'")" "t|t" "of statements that wait for a lock few are left at the server"
wait $locked_pid $sim_pid
check $? "once it is open all is acknowledged"
comes t "SELECT count(*) > 0 FROM gateway_event WHERE gateway_id = $homes + 2 AND event = 'online'" "and what they had to say is told afterwards"

# Everything stands still for longer than the limit, under more than memory may hold.
given_up=$(unanswered)
server=$(head -n 1 "$PGHOST/data/postmaster.pid")
records 8000
sim whole --speed 40000 & sim_pid=$!
sleep 0.5
kill -STOP "$server" $(pgrep -P "$server")
sleep $((limit_s + 1))
committed=$(metric records_total)
is "$(metric held)" 1 "the whole server is stopped, and reading stops at the memory budget"
check "$([ "$(metric memory_bytes)" -lt 1500000 ]; echo $?)" "which is kept"
sleep $((limit_s + 1))
is "$(metric database_connections)" 0 "the connections to the database are given up"
is "$(metric records_total)" "$committed" "nothing is committed or acknowledged meanwhile"
kill -CONT "$server" $(pgrep -P "$server")
wait $sim_pid
check $? "it goes on, and all is acknowledged"
check "$([ "$(unanswered)" -gt "$given_up" ]; echo $?)" "through new connections"
holds 8000 "each record is stored exactly once"
check "$(grep -q ' reconnects=0 ' "$work/whole.sim"; echo $?)" "in the sessions that were open"
is "$(sql "SELECT count(*) FROM quarantine")" 0 "none in quarantine"
is "$(felt)" 0 "the honest gateway felt nothing of all that"
stop_sim
stop_bridge TERM
is $? 0 "the bridge stops in good order"

# A way to the server that swallows what it is given; who comes anew gets through.
mkdir "$work/way"
chmod 755 "$work" "$work/way"
socat "UNIX-LISTEN:$work/way/.s.PGSQL.$PGPORT,fork,mode=777" "UNIX-CONNECT:$PGHOST/.s.PGSQL.$PGPORT" 2>/dev/null &
way=$!
for _ in $(seq 50); do [ -S "$work/way/.s.PGSQL.$PGPORT" ] && break; sleep 0.05; done
given_up=$(unanswered)
PGHOST=$work/way start_bridge --keepalive_seconds=1 --offline_factor=2 --batch_records=200 --database_timeout_seconds="$limit_s"
for _ in $(seq 50); do [ "$(logged 'gateways loaded')" -gt 1 ] && break; sleep 0.1; done
records 9000
sim swallowed --speed 4000 & sim_pid=$!
sleep 1
relays=$(pgrep -P $way)
kill -STOP $relays
wait $sim_pid
check $? "the way to the database swallows packets, and all records are acknowledged over new connections"
check "$([ "$(unanswered)" -gt "$given_up" ]; echo $?)" "after the old ones were given up"
kill -CONT $relays 2>/dev/null
holds 9000 "each record is stored exactly once"
check "$(grep -q ' reconnects=0 ' "$work/swallowed.sim"; echo $?)" "in the sessions that were open"
stop_bridge TERM
is $? 0 "the bridge stops in good order"
kill $way
echo "1..$count"
