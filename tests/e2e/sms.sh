#!/bin/bash
# Short messages to and from GSM gateways: outbox to modem, modem to inbox, with a modem on a
# pseudo-terminal that refuses, falls silent and is unplugged. Prints TAP.
. "$(dirname "$0")/harness"

make_homes 3 || { echo "Bail out! no database"; exit 1; }
sql "INSERT INTO gateway_phone VALUES (1, '+4512345678'), (2, '+4587654321')" >/dev/null
mkdir "$work/modem"
plug() {
	socat "PTY,link=$work/tty,raw,echo=0,wait-slave" "EXEC:$top/tests/e2e/gsm_modem $work/modem" &
	modem_pid=$!
	for _ in $(seq 50); do [ -e "$work/tty" ] && break; sleep 0.05; done
}
unplug() { kill "$modem_pid" 2>/dev/null; wait "$modem_pid" 2>/dev/null; }
digits() { printf '%s' "$1" | iconv -f UTF-8 -t UTF-16BE | od -An -v -tx1 | tr -d ' \n' | tr a-f A-F; }
# A message that the modem gets: phone, text, time.
arrive() { mkdir -p "$work/modem/in"; echo "$(digits "$1") $(digits "$2") $3" >"$work/incoming" && mv "$work/incoming" "$work/modem/in/$(date +%s%N)"; }
sent() { tail -n 1 "$work/modem/sent" 2>/dev/null; }

# One waits in the modem since before the bridge was started.
arrive +4512345678 'hello from before' '25/11/20,09:00:00+04'
plug
start_bridge --sms_device="$work/tty"
comes 'hello from before|1|2025-11-20 08:00:00+00' "SELECT body, gateway_id, sent_at FROM sms_inbox" "a message that waited in the modem comes in, with its gateway and the service centre's time"
for _ in $(seq 50); do ls "$work"/modem/slot.* >/dev/null 2>&1 || break; sleep 0.1; done
check "$(! ls "$work"/modem/slot.* >/dev/null 2>&1; echo $?)" "and is deleted from the modem once it is stored"

sql "SELECT sms_send(1, 'APN=internet; keepalive=60 £{x}')" >/dev/null
comes delivered "SELECT state FROM sms_outbox" "a message to a gateway is sent, and its delivery reported"
is "$(sent)" "0 $(digits +4512345678) $(digits 'APN=internet; keepalive=60 £{x}')" "with its text in the default alphabet"
arrive +4512345678 'APN=internet ok' '25/11/20,10:00:09+04'
comes t "SELECT i.answers_sms_id = o.sms_id FROM sms_inbox i, sms_outbox o WHERE i.body = 'APN=internet ok'" "its answer comes in as the answer to it"
sql "SELECT sms_send(2, 'температура 21 °C 🌡')" >/dev/null
comes 2 "SELECT count(*) FROM sms_outbox WHERE state = 'delivered'" "a message in other letters is sent too"
is "$(sent)" "8 $(digits +4587654321) $(digits 'температура 21 °C 🌡')" "as UCS2"

sql "SELECT sms_send(1, repeat('ж', 71)); SELECT sms_send(1, repeat('{', 81))" >/dev/null
comes 'failed,failed' "SELECT string_agg(state, ',') FROM sms_outbox WHERE detail = 'longer than one short message'" "one that is too long for its alphabet fails, and says why"
is "$(sql "SELECT sms_send(3, 'x')" 2>&1 | head -n 1)" "ERROR:  gateway 3 has no phone number" "a gateway without number is refused"
sql "INSERT INTO sms_outbox (phone, body, not_after) VALUES ('+4500000000', 'late', now() - interval '1 second')" >/dev/null
comes expired "SELECT state FROM sms_outbox WHERE body = 'late'" "one past its time expires"

touch "$work/modem/refuse"
sql "SELECT sms_send(1, 'again')" >/dev/null
comes delivered "SELECT state FROM sms_outbox WHERE body = 'again'" "one that the network refuses for now is sent again"
is "$(logged 'short message not sent.*error 500')" 1 "after the refusal was told"

# Answers that are texts: they must not pass for the modem's own.
arrive +4587654321 $'OK\r\n+CMTI: "SM",3' '25/11/20,10:01:00+04'
comes 1 "SELECT count(*) FROM sms_inbox WHERE body LIKE 'OK%CMTI%'" "a text that looks like an answer of the modem is a text"
arrive +4587654321 '' '25/11/20,10:01:30+04'
comes 1 "SELECT count(*) FROM sms_inbox WHERE body = '' AND gateway_id = 2" "a message without text is a message"
arrive 'MyBank' 'from a name' '25/11/20,10:02:00+04'
comes 1 "SELECT count(*) FROM sms_inbox WHERE body = 'from a name' AND gateway_id IS NULL" "a stranger's message is kept too"

# Unplugged, with a message in its store that the bridge has already.
unplug
sql "SELECT sms_send(2, 'while unplugged')" >/dev/null
echo "$(digits +4512345678) $(digits 'hello from before') 25/11/20,09:00:00+04" >"$work/modem/slot.5"
sleep 0.5
is "$(sql "SELECT state FROM sms_outbox WHERE body = 'while unplugged'")" pending "while the modem is unplugged a message waits"
plug
for _ in $(seq 100); do [ "$(sql "SELECT state FROM sms_outbox WHERE body = 'while unplugged'")" = delivered ] && break; sleep 0.1; done
is "$(sql "SELECT state FROM sms_outbox WHERE body = 'while unplugged'")" delivered "and is sent when it is back"
for _ in $(seq 50); do [ -e "$work/modem/slot.5" ] || break; sleep 0.1; done
is "$(sql "SELECT count(*) FROM sms_inbox WHERE body = 'hello from before'")$([ -e "$work/modem/slot.5" ] || echo gone)" 1gone "a message that is told twice is stored once"
is "$(grep -c . "$work/modem/sent")" "$(sql "SELECT count(*) FROM sms_outbox WHERE state = 'delivered'")" "each message was sent once"
check "$(! grep -q 'APN=internet' "$work/bridge.log"; echo $?)" "no text is in the log"
stop_bridge TERM
is $? 0 "the bridge stops in good order"
unplug

# A SIM card with a PIN, which three wrong ones would lock.
pin=24681357 wrong=11112222
given() { grep -c 'AT+CPIN=' "$work/modem/log"; }
comes_late() { for _ in 1 2; do [ "$(sql "$2")" = "$1" ] || sleep 4; done; comes "$@"; }
says() { # pattern, promise
	for _ in $(seq 60); do grep -q -- "$1" "$work/bridge.log" && break; sleep 0.1; done
	check "$(grep -q -- "$1" "$work/bridge.log"; echo $?)" "$2"
}
asked() { grep -c 'AT+CPIN?' "$work/modem/log"; }
# The bridge asks for the card's state twice more.
asked_twice() {
	local until=$(($(asked) + 2))
	for _ in $(seq 150); do [ "$(asked)" -ge $until ] && break; sleep 0.1; done
}
# The pseudo-terminal ends whenever the bridge closes it; the next is the modem switched on anew.
stay_plugged() {
	(
		trap 'kill $socat_pid; exit' TERM
		while :; do
			socat "PTY,link=$work/tty,raw,echo=0,wait-slave" "EXEC:$top/tests/e2e/gsm_modem $work/modem" &
			socat_pid=$!
			wait $socat_pid
			sleep 0.05
		done
	) 2>/dev/null &
	modem_pid=$!
}
echo $pin >"$work/modem/pin"
: >"$work/modem/log"
stay_plugged
start_bridge --sms_device="$work/tty"
sql "SELECT sms_send(1, 'with a PIN')" >/dev/null
says 'reason="the SIM card asks for its PIN, and sms_pin_file is not set"' "a SIM card that asks for its PIN is told where none is known"
stop_bridge TERM
echo $wrong >"$work/wrong"
start_bridge --sms_device="$work/tty" --sms_pin_file="$work/wrong"
says 'reason="the SIM card refused its PIN"' "a wrong one is refused"
asked_twice
is "$(given) $(cat "$work/modem/tries")" "1 2" "and never given again"
stop_bridge TERM
start_bridge --sms_device="$work/tty" --sms_pin_file="$work/wrong"
says 'reason="the SIM card was given a wrong PIN before' "after a restart the card tells that one was wrong"
is "$(given) $(cat "$work/modem/tries")" "1 2" "and is given none"
stop_bridge TERM
rm "$work/modem/tries"
touch "$work/modem/untold"
SMARTHG_SMS_PIN=$wrong start_bridge --sms_device="$work/tty"
for _ in $(seq 60); do [ "$(given)" = 2 ] && break; sleep 0.1; done
asked_twice
is "$(given) $(cat "$work/modem/tries")" "2 2" "a modem that does not tell tries gets one from the environment once"
stop_bridge TERM
rm "$work/modem/tries" "$work/modem/untold"
echo $pin >"$work/right"
start_bridge --sms_device="$work/tty" --sms_pin_file="$work/right"
comes_late delivered "SELECT state FROM sms_outbox WHERE body = 'with a PIN'" "the right one opens the card, and the message that waited is sent"
unplug
sql "SELECT sms_send(1, 'and again')" >/dev/null
stay_plugged
for _ in $(seq 100); do [ "$(sql "SELECT state FROM sms_outbox WHERE body = 'and again'")" = delivered ] && break; sleep 0.1; done
is "$(sql "SELECT state FROM sms_outbox WHERE body = 'and again'") $(given) $(cat "$work/modem/tries")" "delivered 4 3" "each time that the card asks for it"
stop_bridge TERM
unplug
echo 12ab >"$work/wrong"
is "$("$bridge_program" --listen=127.0.0.1:0 --sms_device="$work/tty" --sms_pin_file="$work/wrong" 2>&1 | grep -o 'msg="cannot start".*')" "msg=\"cannot start\" reason=\"sms_pin_file \\\"$work/wrong\\\" holds no PIN of four to eight digits\"" "what is no PIN is told at the start"
check "$(! grep -qE "$pin|$wrong" "$work/bridge.log"; echo $?)" "no PIN is in the log"
echo "1..$count"
