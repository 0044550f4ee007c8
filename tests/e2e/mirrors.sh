#!/bin/bash
# Mirrors of sleeping meters through gateway, bridge and database: made, filled, updated, refused,
# removed and used again; records that come twice, out of order or around a restart change nothing;
# answers and the operator's removals go down to the gateway. Prints TAP.
. "$(dirname "$0")/harness"
ctl_program=$top/build/smarthg-ctl
export SMARTHG_CONTROL=$work/control

make_homes 2 || { echo "Bail out! no database"; exit 1; }
first=0015bc0100000001 second=0015bc0100000002
sql "INSERT INTO meter (meter_id, home_id, gateway_id, device_address, endpoint, kind, commodity, name)
	SELECT 10 + n, 1, 1, decode('0015bc03' || lpad(to_hex(n), 8, '0'), 'hex'), 2, 'sub', 'gas', 'gas ' || n FROM generate_series(1, 2) AS n"
minute=0
device() { printf '0015bc03%08x' "$1"; }
# A ZCL frame of device n, at endpoint 2, of the Metering cluster, as the next record of a gateway.
frame() { # device, telegram, gateway
	minute=$((minute + 1))
	echo "${3:-$first} $((1700000000000 + 60000 * minute)) 1 $(device "$1")0201090702 $2" >>"$work/telegrams"
}
request=190101 remove=190102
filled=180102000330010603300102032264000001032201
filled=${filled}0000
report() { printf '18010a000025%02x0000000000' "$1"; }
response() { printf '110101%02x%02x' $(($1 % 256)) $(($1 / 256)); }
removed() { printf '110102%02x00' "$1"; }
book() { sql "SELECT string_agg(right(encode(device_address, 'hex'), 2) || ':' || endpoint, ' ' ORDER BY endpoint) FROM mirror WHERE removed_at IS NULL AND gateway_id = ${1:-1}"; }
whole() { sql "SELECT md5(string_agg(m::text, ' ' ORDER BY mirror_id)) || (SELECT count(*) FROM mirror_message) || (SELECT count(*) FROM mirror_request) FROM mirror m"; }
committed="SELECT committed_record_no FROM gateway WHERE gateway_id = 1"
told() { grep -h "request=.*mirror=" "$work"/*.sim | grep -c "$1"; }

start_bridge --control_socket="$work/control"
"$ctl_program" watch $first >"$work/watched" & watch_pid=$!
for n in $(seq 16); do frame "$n" $request; done
start_sim sixteen --telegrams "$work/telegrams"
comes "16 16 31" "SELECT count(confirmed_at) || ' ' || min(endpoint) || ' ' || max(endpoint) FROM mirror WHERE removed_at IS NULL" "sixteen meters ask, and have an endpoint each that the gateway confirmed"
is "$(told "mirror=response device=$(device 1)/2 profile=0109 cluster=0702 endpoint=16$")/$(told mirror=response)" "1/16" "each was told its own, once"
for _ in $(seq 30); do [ "$(grep -c 'RESPONSE id=.* method=2 result=0' "$work/watched")" = 16 ] && break; sleep 0.1; done
is "$(grep -c "<--- .* REQUEST id=.* method=2 device=$(device 1)/2 cluster=0702 mirror response endpoint=16$" "$work/watched")/$(grep -c -- '---> .* RESPONSE id=.* method=2 result=0' "$work/watched")" "1/16" "the client tool shows what goes down, decoded"
stop_sim

# Filled and updated; the seventeenth.
frame 1 $filled
frame 1 "$(report 100)"
frame 2 "$(report 200)"
frame 17 $request
start_sim filled --telegrams "$work/telegrams"
comes 20 "$committed" "the records behind are acknowledged"
is "$(sql "SELECT string_agg(right(encode(device_address, 'hex'), 2), ' ') FROM mirror WHERE initialised_at = to_timestamp(1700000000 + 60 * 17)")" 01 "a meter that writes its attributes fills its mirror"
comes "16 gas 1 1700001080, 17 gas 2 1700001140" "SELECT string_agg(concat_ws(' ', endpoint, name, extract(epoch FROM last_update_at)::bigint), ', ' ORDER BY endpoint) FROM mirrored_meter WHERE meter_id IS NOT NULL" "mirrored meters are seen with their newest reading"
is "$(sql "SELECT string_agg(concat_ws(' ', obis, unit, raw_value, e.divisor), ', ' ORDER BY raw_value) FROM reading JOIN register USING (register_id) JOIN register_epoch e USING (register_id)")" "7-0:3.0.0.255 m3 100 100, 7-0:3.0.0.255 m3 200 1" "with the scale that was written"
is "$(sql "SELECT count(*) || detail FROM gateway_event WHERE event = 'mirror_refused' GROUP BY detail")/$(sql "SELECT count(*) FROM quarantine")" "1Record 20: device $(device 17) asked for a mirror, and 16 are in use./0" "a seventeenth is refused, which is an event and no lost record"
comes acknowledged "SELECT state FROM mirror_request WHERE endpoint = 65535" "and the gateway tells it so"
is "$(told "device=$(device 17)/2 .*endpoint=65535$")" 1 "as the standard has it"

# The gateway's own word, and a meter's.
stop_sim
frame 3 "$(removed 18)"
frame 17 $request
frame 17 "$(response 18)"
frame 40 "$(removed 90)"
start_sim own --telegrams "$work/telegrams"
comes 24 "$committed" "the gateway removes one, and answers itself"
is "$(book)" "01:16 02:17 11:18 $(for n in $(seq 4 16); do printf '%02x:%d ' "$n" $((n + 15)); done | sed 's/ $//')" "the endpoint is the next meter's"
is "$(sql "SELECT string_agg(event || ' ' || detail, ', ') FROM gateway_event WHERE event = 'mirror_unknown'")" "mirror_unknown Record 24: device $(device 40) has no mirror on endpoint 90 that could be removed." "a mirror that is not known is an event"
stop_sim

# Nothing of this counts twice.
before=$(whole)
stop_bridge KILL
start_bridge --control_socket="$work/control"
sim again --duplicate
check $? "a bridge that starts anew has all records"
is "$(whole)" "$before" "and the book as it was"
for n in $(seq 20); do frame $((60 + n)) $request $second; done
for n in 1 2; do frame $((60 + n)) $remove $second; done
start_sim disorder --telegrams "$work/telegrams" --duplicate --reorder --speed 30
for _ in $(seq 100); do [ "$(sql 'SELECT committed_record_no > 3 FROM gateway WHERE gateway_id = 2')" = t ] && break; sleep 0.02; done
stop_bridge KILL
start_bridge --control_socket="$work/control"
is "$(sql 'SELECT committed_record_no < 22 FROM gateway WHERE gateway_id = 2')" t "the bridge is killed in the middle"
comes 22 "SELECT committed_record_no FROM gateway WHERE gateway_id = 2" "records that come twice, out of order, and around a killed bridge"
is "$(sql "SELECT concat_ws(' ', count(*), count(DISTINCT (record_no, device_address)), count(*) FILTER (WHERE outcome = 'made'), count(*) FILTER (WHERE outcome = 'refused'), count(*) FILTER (WHERE outcome = 'removed')) FROM mirror_message WHERE gateway_id = 2")" "22 22 16 4 2" "are one word each"
comes "14 14" "SELECT count(*) || ' ' || count(confirmed_at) FROM mirror WHERE gateway_id = 2 AND removed_at IS NULL" "what the gateway was not told before is told by the next bridge"

# The operator; the meter does not get it back by asking, before it is gone.
request_id=$(sql "SELECT remove_mirror(1, 16)")
comes "acknowledged operator" "SELECT state || ' ' || removed_by FROM mirror_request JOIN mirror USING (gateway_id, device_address) WHERE request_id = $request_id" "an operator has a mirror removed"
is "$(told "request=$request_id mirror=removed device=$(device 1)/2 .*endpoint=16$")" 1 "which the gateway was told"
is "$(book | cut -c1-5)" "02:17" "and its endpoint is free"
stop_sim
request_id=$(sql "SELECT remove_mirror(1, 17)")
is "$(sql "SELECT state || (SELECT count(*) FROM mirror WHERE gateway_id = 1 AND endpoint = 17 AND removed_at IS NULL) FROM mirror_request WHERE request_id = $request_id")" pending1 "for a gateway that is not there it waits"
frame 18 $request
start_sim back --telegrams "$work/telegrams"
comes "acknowledged operator" "SELECT state || ' ' || removed_by FROM mirror_request JOIN mirror USING (gateway_id, device_address) WHERE request_id = $request_id" "until that comes back"
comes "12:16 true" "SELECT right(encode(device_address, 'hex'), 2) || ':' || endpoint || ' ' || (confirmed_at IS NOT NULL)::text FROM mirror WHERE removed_at IS NULL AND gateway_id = 1 ORDER BY endpoint LIMIT 1" "another meter has the endpoint that was freed"

# One that does not answer: asked three times, then the operator is told.
stop_bridge TERM
start_bridge --control_socket="$work/control" --command_seconds=1
for _ in $(seq 60); do [ "$(grep -c "gateway=$first session=" "$work/back.sim")" = 2 ] && break; sleep 0.1; done
kill -STOP "$staying_pid"
request_id=$(sql "SELECT remove_mirror(1, 19)")
comes "failed gateway did not answer" "SELECT state || ' ' || detail FROM mirror_request WHERE request_id = $request_id" "a gateway that does not answer fails the request"
is "$(sql "SELECT detail FROM gateway_event WHERE event = 'mirror_request_failed'")/$(book | grep -o '04:19')" "Device $(device 4) could not be told that its mirror is removed: gateway did not answer./04:19" "which is an event, and the mirror stays"
kill -CONT "$staying_pid"
stop_sim
is "$(logged '"level":"error"\|statement failed')" 0 "nothing failed"
kill $watch_pid 2>/dev/null
stop_bridge TERM
echo "1..$count"
