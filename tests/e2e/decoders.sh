#!/bin/bash
# Telegrams of M-Bus meters, by radio and by wire, of P1 and DLMS ports and of Z-Wave meters through gateway,
# bridge and database; and those in quarantine that are decoded again when their key or meter is entered.
# Prints TAP.
. "$(dirname "$0")/harness"

# The gas meter of OMS volume 2 annex N, encrypted on the air, in clear by wire; a water meter in clear.
gas=2e4493157856341233037a2a0020255923c95aaa26d1b2e7493b013ec4a6f6d3529b520edff0ea6defc99d6d69ebf3
gas_key=0102030405060708090a0b0c0d0e0f11
wired=6820206808fd7278563412931533032a0000000c1427048502046d32371f1502fd1700008916
water=1644430421436587010778046d000001010413d2040000
clear=144493157856341233037a2b0000000c1428048502
p1=$(printf '/XYZ5METER\r\n\r\n0-0:96.1.1(4530303132)\r\n0-0:1.0.0(231114231300W)\r\n1-0:1.8.1(004567.123*kWh)\r\n1-0:1.8.2(001234.567*kWh)\r\n0-1:24.1.0(003)\r\n0-1:96.1.0(4730303138)\r\n0-1:24.2.1(231114230000W)(00123.456*m3)\r\n!' | od -An -v -tx1 | tr -d ' \n')

make_homes 2 || { echo "Bail out! no database"; exit 1; }
sql "INSERT INTO meter (meter_id, home_id, gateway_id, device_address, kind, commodity, name) VALUES
	(11, 1, 1, mbus_address('12345678', 'ELS', 51, 3), 'main', 'gas', 'gas'),
	(12, 2, 2, mbus_address('12345678', 'ELS', 51, 3), 'main', 'gas', 'gas by wire'),
	(13, 2, 2, 'G0018', 'sub', 'gas', 'gas of the P1 port'), (14, 2, 2, 'E0012', 'sub', 'electricity', 'P1')" 2>"$work/sql.log"
first=0015bc0100000001 second=0015bc0100000002
readings() { sql "SELECT string_agg(concat_ws(' ', obis, unit, raw_value, extract(epoch FROM measured_at)::bigint), ', ' ORDER BY obis) FROM reading JOIN register USING (register_id) WHERE meter_id = $1"; }
unresolved() { sql "SELECT string_agg(record_no || ' ' || reason, ', ' ORDER BY record_no) FROM quarantine WHERE resolved_at IS NULL AND gateway_id = $1"; }

start_bridge
cat >"$work/telegrams" <<TELEGRAMS
$second 1700000000000 4 - $wired
$second 1700000000000 6 - $p1
$first 1700000000000 2 - $gas
TELEGRAMS
sim kinds
check $? "telegrams of all kinds are acknowledged"
is "$(readings 12)" "7-0:3.0.0.255 m3 2850427 1700000000" "a wired M-Bus meter's reading, at the gateway's time"
is "$(readings 14)" "1-0:1.8.0.255 kWh 5801690 1699999980, 1-0:1.8.1.255 kWh 4567123 1699999980, 1-0:1.8.2.255 kWh 1234567 1699999980" "the readings of a P1 port, at the meter's"
is "$(readings 13)" "7-0:3.0.0.255 m3 123456 1699999200" "and of its sub-meter, at its own"
is "$(unresolved 1)" "1 encrypted, and no key of the meter is known" "an encrypted telegram without a key waits"
is "$(sql "SELECT device_address = mbus_address('12345678', 'ELS', 51, 3) FROM quarantine")" t "and says for whose"

sql "INSERT INTO meter_key (device_address, key) VALUES (mbus_address('12345678', 'ELS', 51, 3), '\\x00112233445566778899aabbccddeeff')"
comes "1 cannot be decrypted with the meter's key" "SELECT record_no || ' ' || reason FROM quarantine WHERE resolved_at IS NULL" "another meter's key does not open it"
sql "UPDATE meter_key SET key = '\\x$gas_key'"
comes 2850427 "SELECT raw_value FROM reading JOIN register USING (register_id) WHERE meter_id = 11" "the right one does"
is "$(readings 11)" "7-0:3.0.0.255 m3 2850427 1700000000" "with the reading as it was, once"
comes 0 "SELECT count(*) FROM quarantine WHERE resolved_at IS NULL OR retry" "and it has left the quarantine"

cat >>"$work/telegrams" <<TELEGRAMS
$first 1700000060000 2 - $gas
$first 1700000120000 2 - $clear
$first 1700000180000 2 - $water
TELEGRAMS
sim more
check $? "more telegrams are acknowledged"
is "$(readings 11 | tr ',' '\n' | wc -l)" 2 "the next encrypted one is read at once"
is "$(unresolved 1)" "3 not encrypted, but the meter has a key, 4 meter is unknown" "one in clear is not believed of a meter with a key, an unknown meter waits"
sql "INSERT INTO meter (meter_id, home_id, gateway_id, device_address, commodity, name) VALUES (15, 1, 1, mbus_address('87654321', 'ABC', 1, 7), 'water', 'water')"
is "$(sql "SELECT decode_quarantine(1, 'meter is unknown')")" 1 "an operator calls for what waits for a meter"
comes "8-0:1.0.0.255 m3 1234 1700000180" "SELECT concat_ws(' ', obis, unit, raw_value, extract(epoch FROM measured_at)::bigint) FROM reading JOIN register USING (register_id) WHERE meter_id = 15" "and it is read"
sql "UPDATE meter_key SET clear_accepted = true"
comes 3 "SELECT count(*) FROM reading JOIN register USING (register_id) WHERE meter_id = 11" "the one in clear too where its key says so"

# A compact frame comes before the full one that explains it; a bridge started anew knows both.
sum() { # of bytes, by EN 13757, low byte first
	perl -e 'my $c = 0; for my $bit (split //, unpack "B*", pack "H*", shift) { $c = ($c << 1 & 0xffff) ^ (($c >> 15) != $bit ? 0x3d65 : 0) } $c ^= 0xffff; printf "%02x%02x", $c & 255, $c >> 8' "$1"
}
radio() { printf '%02x%s' $((${#1} / 2)) "$1"; }
kamstrup=442d2c888888880107
full=$(radio ${kamstrup}7804131908000002fd170000)
compact=$(radio ${kamstrup}79$(sum 041302fd17)$(sum 04131a08000002fd170000)1a0800000000)
sql "INSERT INTO meter (meter_id, home_id, gateway_id, device_address, kind, commodity, name) VALUES (16, 1, 1, mbus_address('88888888', 'KAM', 1, 7), 'sub', 'water', 'compact');
	INSERT INTO meter_key VALUES (mbus_address('88888888', 'KAM', 1, 7), '\\x000102030405060708090a0b0c0d0e0f', true)"
for _ in $(seq 50); do [ "$(logged 'meter keys loaded" keys=2')" -ge 1 ] && break; sleep 0.1; done
cat >>"$work/telegrams" <<TELEGRAMS
$second 1700000060000 2 - $compact
$first 1700000240000 2 - $compact
$first 1700000300000 2 - $full
TELEGRAMS
sim compact
comes "2073 2074" "SELECT string_agg(raw_value::text, ' ' ORDER BY raw_value) FROM reading JOIN register USING (register_id) WHERE meter_id = 16" "a compact frame is read once its layout was seen"

# The bridge was away while a key came.
sql "DELETE FROM meter_key"
comes 0 "SELECT count(*) FROM bridge_meter_keys()" "keys can be taken away"
for _ in $(seq 50); do [ "$(logged 'meter keys loaded" keys=0')" -ge 2 ] && break; sleep 0.1; done
printf "%s\n" "$first 1700000360000 2 - $compact" "$first 1700000420000 2 - $gas" >>"$work/telegrams"
sim last
is "$(unresolved 1)" "8 encrypted, and no key of the meter is known" "then telegrams wait again"
stop_bridge KILL
sql "INSERT INTO meter_key (device_address, key) VALUES (mbus_address('12345678', 'ELS', 51, 3), '\\x$gas_key')"
start_bridge
echo "$first 1700000480000 2 - ${compact}" >>"$work/telegrams"
sim again
comes 4 "SELECT count(*) FROM reading JOIN register USING (register_id) WHERE meter_id = 16" "a bridge that starts knows the layouts of the one before"
comes 4 "SELECT count(*) FROM reading JOIN register USING (register_id) WHERE meter_id = 11" "a bridge that starts reads what keys came for meanwhile"
# What the database refuses at the second look stays where it is, with the reason, and is not called for again.
sql "DELETE FROM meter_key"
for _ in $(seq 50); do [ "$(logged 'meter keys loaded" keys=0')" -ge 3 ] && break; sleep 0.1; done
echo "$first 1700000540000 2 - $gas" >>"$work/telegrams"
sim refused
sql "ALTER TABLE reading_landing ADD CONSTRAINT refusal CHECK (raw_value <> 2850427) NOT VALID"
sql "INSERT INTO meter_key (device_address, key) VALUES (mbus_address('12345678', 'ELS', 51, 3), '\\x$gas_key')"
comes "f t" "SELECT concat_ws(' ', retry, reason LIKE 'refused by the database:%') FROM quarantine WHERE record_no = (SELECT max(record_no) FROM quarantine)" "a refusal of the database ends the second look"
is "$(grep 'quarantine decoded again' "$work/bridge.log" | tail -n 1 | grep -o 'decoded=.*')" "decoded=0" "and is no success"
# A Z-Wave power strip: its own energy, with the value of a quarter of an hour before, the power of its
# second socket by Multi Channel encapsulation; and a report inside what is not opened here.
sql "INSERT INTO meter (meter_id, home_id, gateway_id, device_address, endpoint, kind, name) VALUES (17, 2, 2, '\\x0005', 0, 'sub', 'strip'), (18, 2, 2, '\\x0005', 2, 'appliance', 'socket 2')"
cat >>"$work/telegrams" <<TELEGRAMS
$second 1700010000000 3 05 32022144000003e80384000003de
$second 1700010000000 3 05 600d0200320221320929000000
$second 1700010000000 3 05 9881000102030405060708090a0b
TELEGRAMS
sim zwave
check $? "Z-Wave telegrams are acknowledged"
is "$(sql "SELECT string_agg(concat_ws(' ', obis, unit, raw_value, extract(epoch FROM measured_at)::bigint), ', ' ORDER BY measured_at) FROM reading JOIN register USING (register_id) WHERE meter_id = 17")" "1-0:1.8.0.255 kWh 990 1700009100, 1-0:1.8.0.255 kWh 1000 1700010000" "a Z-Wave meter's energy, and what it was before, at its time"
is "$(readings 18)$(sql "SELECT DISTINCT ' of ' || divisor FROM register JOIN register_epoch USING (register_id) WHERE meter_id = 18")" "1-0:1.7.0.255 kW 2345 1700010000 of 10000" "the power of one of its sockets"
is "$(unresolved 2)" "3 meter is unknown, 6 inside an encapsulation that is not supported" "what may hold another is kept"
is "$(grep -ci "$gas_key" "$work/bridge.log")" 0 "no key is in the log"
stop_bridge TERM

# DLMS pushes of HAN ports: in clear of the meter that they name; authenticated, once both keys are there.
start_bridge
sql "INSERT INTO meter (meter_id, home_id, gateway_id, device_address, kind, commodity, name) VALUES
	(21, 1, 1, '7359992890941742', 'sub', 'electricity', 'DLMS'), (22, 1, 1, '\\x4b414d1122334455', 'sub', 'electricity', 'DLMS protected');
	INSERT INTO meter_key (device_address, key) VALUES ('\\x4b414d1122334455', '\\x000102030405060708090a0b0c0d0e0f')"
cat >>"$work/telegrams" <<TELEGRAMS
$first 1700000540000 5 - 7ea0d5410883135ee6e6e7000f40000000000109020209060101000281ff0a0b4149444f4e5f5630303031020209060000600100ff0a1037333539393932383930393431373432020209060000600107ff0a0436353235020309060100010700ff060000046202020f00161b020309060100200700ff12090102020fff16230203090601001f0700ff10ffef02020fff1621020209060000010000ff090c07e70111ff0d0000ffffc400020309060100010800ff060012d68702020f01161e020309060100030800ff060000003702020f01162092a17e
$first 1700000550000 5 - 7ea055410883130b6ce6e700db084b414d11223344553d300000010244ef409d92bbbc263a4d01f1e0c8cdd5f19abd30c00c89d67a87044d3e281c436270d4069fc8d37e7821ca8fcfd3916562020a8f5e8d5d3ed9fd7e
TELEGRAMS
sim dlms
is "$(readings 21)" "1-0:1.7.0.255 kW 1122 1673956800, 1-0:1.8.0.255 kWh 1234567 1673956800, 1-0:3.8.0.255 kvarh 55 1673956800, 1-0:31.7.0.255 A -17 1673956800, 1-0:32.7.0.255 V 2305 1673956800" "a push of a HAN port is read, at the meter's time"
sql "UPDATE meter_key SET authentication_key = '\\xd0d1d2d3d4d5d6d7d8d9dadbdcdddedf'"
comes 9876543210 "SELECT raw_value FROM reading JOIN register USING (register_id) WHERE meter_id = 22" "a protected one once the authentication key is there"
# Two pushes in one telegram; two rows of a profile.
cat >>"$work/telegrams" <<TELEGRAMS
$first 1700000560000 5 - 7ea05e41088313e72be6e7000f00000000000103020209060000600100ff0a1037333539393932383930393431373432020209060000010000ff090c07e70112ff0c0000ffffc400020309060100010800ff0600bc622c02020f00161efce87e7ea05e41088313e72be6e7000f00000000000103020209060000600100ff0a1037333539393932383930393431373432020209060000010000ff090c07e70112ff0d0000ffffc400020309060100010800ff0600bc629002020f00161e2fc77e
$first 1700000570000 5 - 7ea07741088313121ae6e7000f00000000000103020209060000600100ff0a10373335393939323839303934313734320204090c07e70112ff0a0000ffffc40009060100010800ff0600bc616402020f00161e0204090c07e70112ff0b0000ffffc40009060100010800ff0600bc61c802020f00161ecb847e
TELEGRAMS
sim pushes
is "$(sql "SELECT string_agg(concat_ws(' ', raw_value, extract(epoch FROM measured_at)::bigint), ', ' ORDER BY measured_at) FROM reading JOIN register USING (register_id) WHERE meter_id = 21 AND obis = '1-0:1.8.0.255' AND raw_value > 1234567")" "12345900 1674039600, 12346000 1674043200" "several pushes in one telegram are read, each at its time"
is "$(sql "SELECT reason FROM quarantine WHERE kind = 5 AND resolved_at IS NULL")" "several values of one quantity, or of several times" "rows of a profile are kept"
stop_bridge TERM

# Dates of stored values are by the clocks of meters: 02:30 in summer time.
start_bridge --meter_time_zone=Europe/Copenhagen
echo "$first 1700000600000 2 - $(radio 444304214365870107784413f4010000446d1e82fd2a)" >>"$work/telegrams"
sim dated
is "$(sql "SELECT extract(epoch FROM measured_at)::bigint FROM reading JOIN register USING (register_id) WHERE meter_id = 15 AND obis = '8-0:1.0.0.1'")" 1698539400 "the time zone of meters' clocks is an option"
stop_bridge TERM
"$bridge_program" --check --meter_time_zone=Europe/Nowhere 2>"$work/zone.log"
is "$? $(cat "$work/zone.log")" "2 smarthg-bridge: meter_time_zone is no time zone that the system knows" "an unknown one is refused"

echo "1..$count"
