#!/bin/bash
# The way of a record from gateways through the bridge into the database, with everything that
# may happen on it: duplicates, disorder, a killed bridge, a killed server, forged and malformed
# input, and a command on its way back. Prints TAP; PGHOST and so on name the cluster of
# tests/cluster, which is stopped and started.
. "$(dirname "$0")/harness"

homes=20
# What the database must hold when `$1` records of each of the homes were sent, each once:
# one line "summations demands corrections ahead in quarantine, lowest and highest mark".
stored() {
	sql "SELECT (SELECT count(*) FROM reading JOIN register USING (register_id)
			WHERE obis = '1-0:1.8.0.255' AND raw_value = 1000 * meter_id + 7 * record_no
			AND measured_at = to_timestamp(1700000000 + 60 * record_no) AND gateway_id = meter_id),
		(SELECT count(*) FROM reading JOIN register USING (register_id) WHERE obis = '1-0:16.7.0.255' AND raw_value = 420),
		(SELECT count(*) FROM reading_correction), (SELECT count(*) FROM gateway_record_ahead), (SELECT count(*) FROM quarantine),
		min(committed_record_no), max(committed_record_no) FROM gateway WHERE gateway_id <= $homes" | tr '|' ' '
}
holds() { # records of each home, promise
	is "$(stored)" "$((homes * $1)) $((homes * $1)) 0 0 0 $1 $1" "$2"
}
records() { "$top/tests/e2e/telegrams" $homes "$1" >"$work/telegrams"; }

make_homes $homes || { echo "Bail out! no database"; exit 1; }
start_bridge --keepalive_seconds=1 --offline_factor=2 --batch_records=500

records 200
sim load
check $? "$homes gateways send 200 records each and get them acknowledged"
holds 200 "every record is in the database once"
is "$(sql "SELECT count(*) FROM gateway_event WHERE event = 'online'")" $homes "each gateway came online"
comes $homes "SELECT count(*) FROM gateway_event WHERE event = 'offline'" "and went offline when it was gone"
is "$(sql "SELECT count(*), bool_and(secured), count(closed_at) FROM gateway_session")" "$homes|t|$homes" "its session is a row, secured, and closed"
comes t "SELECT count(*) > 0 FROM interval_energy" "interval energy was computed from the readings"

records 300
sql "LOCK TABLE installation IN SHARE UPDATE EXCLUSIVE MODE; SELECT pg_sleep(2)" >/dev/null &
sim duplicate --duplicate
holds 300 "records sent twice are stored once"
wait $!
comes 0 "SELECT count(*) FROM interval_dirty" "while another session refreshes interval energy the bridge waits for its turn"
records 400
sim reorder --reorder
holds 400 "records out of order are all stored, and acknowledged"

records 900
sim kill --speed 4000 &
sim_pid=$!
sleep 1
stop_bridge KILL
in_between=$(sql "SELECT sum(committed_record_no) FROM gateway")
sleep 0.3
start_bridge --keepalive_seconds=1 --offline_factor=2 --batch_records=500 --memory_budget_mb=1
wait $sim_pid
check $? "a bridge killed in mid-load (at $in_between of $((homes * 900)) records) and started again gets the rest"
holds 900 "and every record is in the database once"

records 1600
sim crash --speed 6000 &
sim_pid=$!
sleep 1
"$top/tests/cluster" kill
sleep 2.5
"$top/tests/cluster" up
in_between=$(sql "SELECT sum(committed_record_no) FROM gateway")
wait $sim_pid
check $? "a database killed in mid-load (at $in_between of $((homes * 1600)) records) and started again gets the rest"
holds 1600 "and every record is in the database once"
check "$(grep -q ' reconnects=0 ' "$work/crash.sim"; echo $?)" "while no gateway lost its session"
check "$([ "$(logged 'memory budget is used up')" -gt 0 ]; echo $?)" "and the bridge stopped reading rather than grow"
is "$(sql "SELECT count(*) FROM gateway_event WHERE event = 'offline' AND detail = 'no keep-alive'")" 0 "which is not held against the gateways"

# An honest gateway 1 is there while others misbehave, one of them in its name.
head -n 1 "$work/telegrams" >"$work/first"
sed -n 2p "$work/telegrams" >"$work/second"
start_sim honest --telegrams "$work/first"
comes 1 "SELECT count(*) FROM gateway WHERE online" "an honest gateway is there"
sim forge --telegrams "$work/first" --forge
check $? "a forged session is refused"
sim garbage --telegrams "$work/first" --garbage
check $? "garbage is refused"
sim replay --telegrams "$work/second" --replay
check $? "a replayed frame ends the session"
sim clear --telegrams "$work/second" --clear-after-ready
check $? "a clear frame after READY ends the session"
sed 's/^0015bc01/0015bcff/' "$work/second" >"$work/stranger"
sim stranger --telegrams "$work/stranger" --timeout 1
comes 'clear_after_ready,forged_auth,replay,unknown_gateway' "SELECT string_agg(DISTINCT event, ',' ORDER BY event) FROM gateway_event
	WHERE event NOT IN ('online', 'offline', 'records_lost')" "each is an event with its name"
check "$([ "$(logged 'not a SmartAMM frame')" -gt 0 ]; echo $?)" "garbage is told in the log"
is "$(grep -c disconnected "$work/honest.sim")" 0 "the honest gateway felt nothing of it"
is "$(grep -cE "$(cut -d' ' -f2 "$work/keys" | head -n 3 | paste -sd'|')" "$work/bridge.log")" 0 "no key is in the log"

# A command on its way to that gateway.
sql "SELECT ebr_run(now() - interval '1 day', '{1}');
	INSERT INTO command (command_id, home_id, plan_id, slot_start, slot_length, ess_setpoint_kw, ess_grid_charge_kwh, ess_surplus_charge_kwh,
		ess_cover_demand_kwh, ess_export_kwh, ess_bands) SELECT v.id, 1, plan_id, v.at, '1 hour', 2, 9, 9, 9.5, 10, '{{0,8,10},{20,7,9.5},{Infinity,0,9}}' FROM plan, (VALUES (77, now()), (78, now() - interval '2 hours')) AS v(id, at)" >/dev/null
comes acknowledged "SELECT state FROM command WHERE command_id = 77" "a command is acknowledged by its gateway"
comes 7 "SELECT soc_kwh FROM ess_state WHERE home_id = 1" "which charged to the level of the rule's band and reports it"
is "$(sql "SELECT state FROM command WHERE command_id = 78")" expired "a command whose slot is over expires"
stop_sim
comes 0 "SELECT count(*) FROM gateway WHERE online" "the gateway is gone"
sql "INSERT INTO command (command_id, home_id, plan_id, slot_start, slot_length, ess_setpoint_kw, ess_grid_charge_kwh, ess_surplus_charge_kwh,
		ess_cover_demand_kwh, ess_export_kwh) SELECT 79, 1, plan_id, now() + interval '1 second', '1 hour', 2, 8, 8, 9, 10 FROM plan"
sleep 0.5
is "$(sql "SELECT state FROM command WHERE command_id = 79")" pending "a command for it waits in the database"
start_sim again --telegrams "$work/first"
comes acknowledged "SELECT state FROM command WHERE command_id = 79" "and is delivered when it comes online"
stop_sim

# The database comes back from a restore or a failover with less than it had acknowledged.
second=$(cut -d' ' -f1 "$work/second")
grep "^$second" "$work/telegrams" >"$work/kept"
go_back() {
	sql "UPDATE gateway SET committed_record_no = 1000 WHERE gateway_id = 2; SELECT forget_readings(register_id, to_timestamp(1700000000 + 60 * 1000.5)) FROM register WHERE meter_id = 2; NOTIFY smarthg_gateway"
	comes "$1" "SELECT count(*) FROM gateway_event WHERE event = 'mark_went_back' AND gateway_id = 2" "a mark that went back is an event"
}
start_sim back --telegrams "$work/kept"
comes t "SELECT online FROM gateway WHERE gateway_id = 2" "a gateway is there with all its records"
go_back 1
comes 1600 "SELECT committed_record_no FROM gateway WHERE gateway_id = 2" "the gateway sends again what the database lost"
is "$(sql "SELECT count(DISTINCT record_no) FROM reading WHERE gateway_id = 2")" 1600 "and all of it is stored"
check "$(grep -q 'committed=1000' "$work/back.sim"; echo $?)" "in a new session that begins with the database's mark"
stop_sim
go_back 2
sim dropped --telegrams "$work/kept" --first-record 1301
check $? "a gateway that has dropped acknowledged records says so and is not held up"
is "$(sql "SELECT count(DISTINCT record_no), min(record_no) FILTER (WHERE record_no > 1000) FROM reading WHERE gateway_id = 2")" "1300|1301" "what it has kept is stored"
is "$(sql "SELECT count(*) FROM gateway_event WHERE event = 'records_lost' AND detail LIKE '% 1001 to %'")" 1 "and the rest is an event"

# A gateway that leaves out more records than the database would remember the later ones of.
"$top/tests/e2e/telegrams" 3 11700 | grep "^$(sed -n 3p "$work/telegrams" | cut -d' ' -f1)" >"$work/gap"
sim gap --telegrams "$work/gap" --first-record 11650 --gap --timeout 2
check "$([ $? != 0 ]; echo $?)" "a record beyond a large gap is not taken"
is "$(sql "SELECT count(*) FROM gateway_record_ahead") $([ "$(logged 'too many records are missing')" -gt 0 ] && echo told)" "0 told" "nor remembered"

# Telegrams that cannot be decoded, one that the database refuses, lost records, then a good one.
sql "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RAISE check_violation USING MESSAGE = ''x'' || repeat(''ä'', 200); END';
	CREATE TRIGGER refuse BEFORE INSERT ON reading_landing FOR EACH ROW WHEN (NEW.raw_value = 4711) EXECUTE FUNCTION refuse();
	CREATE TRIGGER refuse BEFORE INSERT ON quarantine FOR EACH ROW WHEN (NEW.record_no = 1603) EXECUTE FUNCTION refuse()"
third=$(sed -n 3p "$work/telegrams" | cut -d' ' -f1) address=$(sed -n 3p "$work/telegrams" | cut -d' ' -f4)
"$top/tests/e2e/telegrams" 3 1600 | grep "^$third" >"$work/odd"
cat >>"$work/odd" <<ODD
$third 1700100000000 1 $address 18010a000025b208
$third 1700100060000 1 00 18010a0000250100000000000000
$third 1700100120000 9 - 00
$third 1700100180000 2 - 2e4493
$third 1700100240000 1 $address 18010a000025671200000000
$third 1700100300000 1 $address 18020b0a00
$third 1700100360000 0 - -
$third 1700100420000 1 $address 18010a000025102700000000
ODD
head -n 1603 "$work/odd" >"$work/refused"
sim refused --telegrams "$work/refused" &
sim_pid=$!
comes 1602 "SELECT committed_record_no FROM gateway WHERE gateway_id = 3" "a record that is refused even as quarantine is not acknowledged"
sleep 0.5
is "$(logged 'record cannot be stored')" 1 "and not tried again at once"
sql "DROP TRIGGER refuse ON quarantine"
wait $sim_pid
check $? "but asked for again until it can be stored"
check "$(grep -q ' reconnects=0 ' "$work/refused.sim"; echo $?)" "in the same session"
sim odd --telegrams "$work/odd"
check $? "malformed, unknown and refused telegrams are acknowledged"
is "$(sql "SELECT string_agg(record_no || ' ' || left(reason, 20), ', ' ORDER BY record_no) FROM quarantine")" \
	"1601 malformed telegram, 1602 the address is not E, 1603 unknown kind of tele, 1604 the telegram is not , 1605 refused by the datab" \
	"they are in quarantine with their reasons"
is "$(sql "SELECT raw_value FROM reading WHERE record_no = 1608")" 10000 "a telegram after them is stored"
is "$(sql "SELECT committed_record_no FROM gateway WHERE gateway_id = 3")" 1608 "and the mark is past all of them"

# A gateway that is provisioned while the bridge runs.
sql "INSERT INTO gateway (gateway_id, home_id, eui64, link_key) VALUES (21, 1, '\\x0015bc0100000015', '\\x000102030405060708090a0b0c0d0e0f'),
	(22, 1, '\\x0015bc0100000016', NULL)"
write_keys
sed 's/^0015bc0100000002/0015bc0100000015/' "$work/second" >"$work/new"
sim new --telegrams "$work/new"
check $? "a new gateway is known at once"
sed 's/^0015bc0100000002/0015bc0100000016/' "$work/second" >"$work/keyless"
sim keyless --telegrams "$work/keyless" --timeout 1
comes 1 "SELECT 1 FROM gateway_event WHERE event = 'security_required' LIMIT 1" "one without key is refused"

stop_bridge TERM
is $? 0 "the bridge stops in good order"
check "$(tail -n 1 "$work/bridge.log" | grep -q 'uncommitted_records=0 unwritten_events=0'; echo $?)" "with nothing left to write"
is "$(sql "SELECT count(*) FROM gateway_session WHERE closed_at IS NULL")$(sql "SELECT count(*) FROM gateway WHERE online")" 00 "no session and no gateway is left open"

sql "UPDATE gateway SET security_required = false WHERE gateway_id = 22"
start_bridge --security=optional
sim keyless --telegrams "$work/keyless"
check $? "where the listener allows it, a gateway that needs no key comes in clear"
is "$(sql "SELECT secured FROM gateway_session WHERE gateway_id = 22")" f "and is known to be unsecured"
stop_bridge TERM

# A database host that accepts connections and is not heard of any more.
perl -MIO::Socket::INET -e '$| = 1; my $s = IO::Socket::INET->new(LocalAddr => "127.0.0.1", Listen => 9) or die; print $s->sockport, "\n"; sleep 30' >"$work/silent" &
silent_pid=$!
sleep 0.3
start_bridge --database="host=127.0.0.1 port=$(cat "$work/silent") dbname=none connect_timeout=2"
sleep 1
timers=$(ss -tnoH state established "dport = :$(cat "$work/silent")" | grep -cE 'timer:\(keepalive,[0-9.]+m?s')
check "$([ "$timers" -gt 0 ]; echo $?)" "connections to the database are kept alive within seconds"
sleep 2
check "$([ "$(logged 'database does not answer')" -gt 0 ]; echo $?)" "and given up when they are not answered in time"
stop_bridge KILL
kill $silent_pid

echo "1..$count"
