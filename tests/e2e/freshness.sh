#!/bin/bash
# Telegrams of wireless M-Bus that were recorded and sent again: through gateway, bridge and
# database, across starts of the bridge, changes of keys and a second look. Prints TAP.
. "$(dirname "$0")/harness"

key=000102030405060708090a0b0c0d0e0f new_key=0f0e0d0c0b0a09080706050403020100
sessions=4304214365870107 messages=4304785634120107 # link addresses: ABC 87654321 and ABC 12345678
first=0015bc0100000001 second=0015bc0100000002
start=1700000000
bytes() { perl -e 'print pack "H*", shift' "$1"; }
hex() { od -An -v -tx1 | tr -d ' \n'; }
le() { perl -e 'print unpack "H*", pack "V", shift' "$1"; }
sum() { # of bytes, by EN 13757, low byte first
	perl -e 'my $c = 0; for my $bit (split //, unpack "B*", pack "H*", shift) { $c = ($c << 1 & 0xffff) ^ (($c >> 15) != $bit ? 0x3d65 : 0) } $c ^= 0xffff; printf "%02x%02x", $c & 255, $c >> 8' "$1"
}
cmac() { bytes "$2" | openssl mac -cipher AES-128-CBC -macopt hexkey:"$1" -binary CMAC | hex; }
radio() { printf '%02x44%s' $((${#1} / 2 + 1)) "$1"; }
# A volume by a telegram of that session, or with that message counter: key, counter, litres.
session() {
	local number plain
	number=$(le $((0x20000000 | $2)))
	plain=780413$(le "$3")
	radio "${sessions}8d2007$number$(bytes "$(sum "$plain")$plain" | openssl enc -aes-128-ctr -K "$1" -iv "${sessions}20${number}000000" | hex)"
}
message() {
	local number text
	number=$(le "$2")
	text=7a550010071 text=${text}0$(bytes "2f2f0413$(le "$3")2f2f2f2f2f2f2f2f" | openssl enc -aes-128-cbc -nopad -K "$(cmac "$1" "00${number}7856341207070707070707")" -iv 00000000000000000000000000000000 | hex)
	radio "${messages}900f002c25$number$(cmac "$(cmac "$1" "01${number}7856341207070707070707")" "25$number$text" | cut -c1-16)$text"
}
heard() { echo "$1 $((start + $2))000 2 - $3" >>"$work/telegrams"; } # gateway, seconds after the start, telegram
litres() { sql "SELECT string_agg(raw_value::text, ' ' ORDER BY measured_at, raw_value) FROM reading JOIN register USING (register_id) WHERE meter_id = $1"; }
held() { sql "SELECT string_agg(record_no || ' ' || split_part(reason, ':', 1), ', ' ORDER BY record_no) FROM quarantine WHERE resolved_at IS NULL AND gateway_id = $1"; }
counters() { sql "SELECT string_agg(kind || ' ' || counter, ', ' ORDER BY kind) FROM meter_counter"; }
keys_loaded() { # so often
	for _ in $(seq 50); do [ "$(logged 'meter keys loaded')" -ge "$1" ] && return; sleep 0.1; done
}

make_homes 2 || { echo "Bail out! no database"; exit 1; }
sql "INSERT INTO meter (meter_id, home_id, gateway_id, device_address, kind, commodity, name) VALUES
	(11, 1, 1, mbus_address('87654321', 'ABC', 1, 7), 'sub', 'water', 'sessions'), (12, 1, 1, mbus_address('12345678', 'ABC', 1, 7), 'sub', 'water', 'messages'),
	(21, 2, 2, mbus_address('87654321', 'ABC', 1, 7), 'sub', 'water', 'sessions, heard by the neighbour')" 2>"$work/sql.log"
sql "INSERT INTO meter_key VALUES (mbus_address('87654321', 'ABC', 1, 7), '\\x$key'), (mbus_address('12345678', 'ABC', 1, 7), '\\x$key')"

start_bridge
heard $first 0 "$(session $key 1000 1)"
heard $first 60 "$(session $key 1004 2)"
heard $first 0 "$(message $key 5 1)"
heard $first 900 "$(message $key 6 2)"
sim honest
is "$(litres 11), $(litres 12), $(held 1)" "1 2, 1 2, " "telegrams that are counted are read"
heard $first 600 "$(session $key 1000 1)"
heard $first 1200 "$(message $key 6 2)"
sim replayed
check $? "replays are acknowledged"
is "$(held 1)" "5 a replay, 6 a replay" "and held in quarantine"
is "$(litres 11), $(litres 12)" "1 2, 1 2" "they are no readings"
comes "meter 8765432104430107, session 1000; meter 1234567804430107, message 6" "SELECT string_agg(detail, '; ' ORDER BY event_id) FROM gateway_event WHERE event = 'replayed_telegram' AND gateway_id = 1" "each is a security event"
comes "1 6, 2 1004" "SELECT string_agg(kind || ' ' || counter, ', ' ORDER BY kind) FROM meter_counter" "and the counters that told them are kept at once"
heard $first -120 "$(session $key 990 0)"
heard $second 100 "$(session $key 1004 2)"
sim late
is "$(litres 11), $(litres 21)" "0 1 2, 2" "what was heard earlier may come late, and two gateways may hear the same"
is "$(sql "SELECT decode_quarantine()")" 0 "no replay is decoded again in passing"
is "$(sql "SELECT decode_quarantine(reason => 'a replay%')")" 2 "an operator has them decoded again"
comes 0 "SELECT count(*) FROM quarantine WHERE retry" "the bridge looks"
is "$(held 1), $(litres 11), $(litres 12)" "5 a replay, 6 a replay, 0 1 2, 1 2" "and a replay stays one"

# The next bridge knows what the last one had heard, or where that was killed what it had kept.
stop_bridge KILL
start_bridge
heard $first 1300 "$(message $key 6 2)"
sim killed
is "$(held 1), $(litres 12)" "5 a replay, 6 a replay, 8 a replay, 1 2" "a bridge that was killed had kept what told replays"
heard $first 960 "$(session $key 1200 3)"
sim more
stop_bridge TERM
is "$(counters)" "1 6, 2 1200" "a bridge that stops keeps the counters"
start_bridge
heard $first 3600 "$(session $key 1200 3)"
heard $first 3660 "$(session $key 1500 4)"
sim restarted
is "$(held 1), $(litres 11)" "5 a replay, 6 a replay, 8 a replay, 10 a replay, 0 1 2 3 4" "the next one tells a replay of what it did not hear itself"

# Without a key nothing is told; once it is there the same holds for what waited.
sql "DELETE FROM meter_key WHERE device_address = mbus_address('87654321', 'ABC', 1, 7)"
keys_loaded 4
is "$(counters)" "1 6" "a key that goes takes its counter along"
heard $first 4000 "$(session $key 1600 5)"
heard $first 4060 "$(session $key 1610 6)"
heard $first 4600 "$(session $key 1600 5)"
sim keyless
sql "INSERT INTO meter_key VALUES (mbus_address('87654321', 'ABC', 1, 7), '\\x$key')"
comes "0 1 2 3 4 5 6" "SELECT string_agg(raw_value::text, ' ' ORDER BY measured_at) FROM reading JOIN register USING (register_id) WHERE meter_id = 11" "what waited for the key is read"
comes "14 a replay" "SELECT record_no || ' ' || split_part(reason, ':', 1) FROM quarantine WHERE resolved_at IS NULL AND record_no > 10 AND NOT retry" "but for the replay among it"

# A meter that begins anew: with a new key at once, else when its counter is deleted.
sql "UPDATE meter_key SET key = '\\x$new_key' WHERE device_address = mbus_address('87654321', 'ABC', 1, 7)"
keys_loaded 6
heard $first 5000 "$(session $new_key 1 7)"
heard $first 5060 "$(session $new_key 2 8)"
heard $first 5600 "$(session $new_key 1 7)"
heard $first 5000 "$(message $key 1 3)"
heard $first 5060 "$(message $key 2 4)"
sim anew
is "$(litres 11)" "0 1 2 3 4 5 6 7 8" "with a new key a meter counts from the beginning"
is "$(held 1)" "5 a replay, 6 a replay, 8 a replay, 10 a replay, 14 a replay, 17 a replay, 18 a replay, 19 a replay" "which with the old one is a replay"
sql "DELETE FROM quarantine WHERE record_no < 18; DELETE FROM meter_counter WHERE kind = 1"
keys_loaded 7
is "$(sql "SELECT decode_quarantine(1, 'a replay%')")" 2 "an operator calls for what was none"
comes "1 2 3 4" "SELECT string_agg(raw_value::text, ' ' ORDER BY measured_at) FROM reading JOIN register USING (register_id) WHERE meter_id = 12" "once its counter is deleted"

# Another gateway may hear the same meter, and lie about the time.
heard $second 0 "$(session $new_key 3 9)"
heard $second 0 "$(session $new_key 4 10)"
sim antedated
heard $first 5700 "$(session $new_key 3 9)"
sim honest_again
is "$(litres 11)" "0 1 2 3 4 5 6 7 8 9" "what another gateway antedates mutes no meter"

# Many replays fill the quarantine and not the book of events; the clock's tolerance is an option.
before=$(sql "SELECT count(*) FROM gateway_event WHERE event = 'replayed_telegram'")
again=$(session $new_key 1 7)
for n in $(seq 200); do heard $first $((6000 + n)) "$again"; done
sim flood
is "$(sql "SELECT count(*) FROM quarantine WHERE gateway_id = 1 AND reason LIKE 'a replay%' AND record_no > 19")" 200 "every replay of a flood is held"
sleep 0.3
after=$(sql "SELECT count(*) FROM gateway_event WHERE event = 'replayed_telegram'")
[ $((after - before)) -ge 10 ] && [ $((after - before)) -le 40 ]
check $? "and $((after - before)) of them are events"
stop_bridge TERM
start_bridge --replay_tolerance_seconds=86400 --log_level=error
heard $first 90000 "$(session $new_key 2 8)"
sim tolerant
is "$(litres 11)" "0 1 2 3 4 5 6 7 8 9 8" "another tolerance is kept to"
stop_bridge TERM

# Whoever may connect may notify.
sql "ALTER DATABASE $database SET track_functions = 'all'"
start_bridge
keys_loaded 10
for n in $(seq 300); do echo "NOTIFY smarthg_meter_key;"; done | psql -X -q -d "$database"
sleep 1.5
sql "NOTIFY smarthg_meter_key" # the server's counts are told with the next statement after a second
sleep 0.5
calls=$(sql "SELECT calls FROM pg_stat_user_functions WHERE funcname = 'bridge_meter_counters'")
[ "$calls" -gt 0 ] && [ "$calls" -lt 100 ]
check $? "300 notifications read the counters $calls times"
stop_bridge TERM

echo "1..$count"
