#!/bin/bash
# The client tool: live and recorded traffic between gateway, core and back end, decoded; the
# bridge's state; requests to a gateway; who may use it. Prints TAP.
. "$(dirname "$0")/harness"
ctl_program=$top/build/smarthg-ctl
export SMARTHG_CONTROL=$work/control

make_homes 3 || { echo "Bail out! no database"; exit 1; }
"$top/tests/e2e/telegrams" 3 5 >"$work/telegrams"
head -n 1 "$work/telegrams" >"$work/first"
first=0015bc0100000001 second=0015bc0100000002

start_bridge --control_socket="$work/control"
is "$(stat -c '%a %F' "$work/control")" "660 socket" "the socket is for owner and group alone"
"$ctl_program" watch >"$work/all" & "$ctl_program" watch $second >"$work/second" & "$ctl_program" record >"$work/recorded" &
sleep 0.3
sim load
check $? "three gateways send five records each"
for _ in $(seq 30); do [ "$(grep -c CLOSE "$work/all")" = 3 ] && break; sleep 0.1; done
is "$(grep -oE '(--->|<---) [^ ]+ [A-Z-]+' "$work/second" | sed 's/ [^ ]* / /' | uniq | sed -n '1,5p' | paste -sd,)" "---> HELLO,<--- CHALLENGE,---> AUTH,<--- READY,---> DATA" "the frames of a session are shown in their order"
is "$(grep -c -- '---> .* DATA record=' "$work/all")/$(grep -c -- '---> .* DATA record=' "$work/second")/$(grep -cv " $second \|^    " "$work/second")" "15/5/0" "of all gateways, or of one"
is "$(grep -A 2 'DATA record=3 ' "$work/second" | grep -oE '[?]1-0:1.8.0.255 [0-9.]+ [?]|[?]1-0:16.7.0.255 [0-9.]+ [?]/h' | paste -sd,)" "?1-0:1.8.0.255 2.021 ?,?1-0:16.7.0.255 0.42 ?/h" "telegrams are decoded into readings, which leave open what the frame does"
check "$(grep -q 'record 5 to the back end: 2 readings' "$work/second" && grep -q 'records up to 5 committed' "$work/second" && grep -q 'ACK committed up to record=5' "$work/second"; echo $?)" "as are record, commit and acknowledgement"
is "$("$ctl_program" show "$work/recorded" | sort)" "$(sort "$work/all")" "recorded traffic is shown as it was live"
is "$(grep -cE "$(cut -d' ' -f2 "$work/keys" | paste -sd'|')" "$work/recorded")$(grep -E ' 0[1-4] [0-9]+ [0-9]+ ' "$work/recorded" | grep -vc -- ' -$')" 00 "no key and no proof is in it"
is "$(echo "1700000000000 in 0015bc0100000001 00000001 1 07 5 0 00000000000000010000018bcfe56800050000607ea05e41088313e72be6e7000f00000000000103020209060000600100ff0a1037333539393932383930393431373432020209060000010000ff090c07e70112ff0c0000ffffc400020309060100010800ff0600bc622c02020f00161efce87e" | "$ctl_program" show | tail -n 1)" "    37333539393932383930393431373432/1 1-0:1.8.0.255 12345.9 kWh (12345900 * 1 / 1000) at 2023-01-18T11:00:00.000Z" "a DLMS push is shown decoded"
is "$(printf 'no line\n1 in x\n5 event 1 a\033[2Jb\n' | "$ctl_program" show | tr '\n' ' ')" "? no line ? 1 in x 1970-01-01T00:00:00.005Z 0000000000000001 ---- a?[2Jb " "what is no traffic is shown as such, and no terminal is harmed"
check "$("$ctl_program" status | grep -q '"records":15,'; echo $?)" "the state is told"

start_sim honest --telegrams "$work/first"
comes t "SELECT online FROM gateway WHERE gateway_id = 1" "a gateway is there"
"$ctl_program" request $first 9 00ff >"$work/answer" 2>&1
is "$?$(grep -c -- '<--- .* REQUEST id=.* method=9' "$work/answer")$(grep -c -- '---> .* RESPONSE id=.* method=9 result=1' "$work/answer")" 011 "a request is sent, and its answer shown"
is "$("$ctl_program" request $second 9 2>&1)$?" "smarthg-ctl: the gateway is not connected1" "a gateway that is not there is told"
is "$("$ctl_program" request $first 9 0g 2>&1)$?" "smarthg-ctl: the request must be a method and up to 900 bytes1" "and so is a request that is none"
is "$("$ctl_program" -s "$work/nowhere" status 2>&1 | grep -c 'cannot reach the bridge')" 1 "and a bridge that is not there"
if [ "$(id -u)" = 0 ]; then
	chmod 755 "$work" && chmod 666 "$work/control"
	is "$(setpriv --reuid=nobody --clear-groups "$ctl_program" request $first 9 2>&1)" "smarthg-ctl: only root and the user of the bridge may send requests" "others may not send requests"
fi

# A client that asks and never reads, and one that sends garbage.
is "$(perl -MIO::Socket::UNIX -e 'my $s = IO::Socket::UNIX->new(Peer => $ARGV[0]) or die; $s->blocking(0); my $end = time + 8;
	while (time < $end) { next if syswrite $s, "status\n" x 500; my $w = ""; vec($w, fileno $s, 1) = 1; if (!select undef, $w, undef, 1) { print "not read"; last } }' "$work/control")" "not read" "of a client that does not read nothing is read"
check "$("$ctl_program" status | grep -q '"online":'; echo $?)" "and others are served meanwhile"
perl -MIO::Socket::UNIX -e 'my $s = IO::Socket::UNIX->new(Peer => $ARGV[0]) or die; print $s "watch\n"; $s->flush; sleep 3' "$work/control" & lazy_pid=$!
head -c 100000 /dev/zero | perl -MIO::Socket::UNIX -e '$SIG{PIPE} = "IGNORE"; my $s = IO::Socket::UNIX->new(Peer => $ARGV[0]) or die; print $s $_ while <STDIN>' "$work/control" 2>/dev/null
"$top/tests/e2e/telegrams" 3 3000 >"$work/telegrams"
sim more
is "$?$(sql "SELECT sum(committed_record_no) FROM gateway")" 09000 "clients that do not read, or send garbage, hold nobody up"
stop_sim
kill $lazy_pid
stop_bridge TERM
is "$?$([ -e "$work/control" ] || echo gone)" 0gone "the socket goes with the bridge"
echo "1..$count"
