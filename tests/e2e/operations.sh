#!/bin/bash
# The bridge as a service: configuration and its reload, notifications to the service manager,
# metrics by HTTP and as rows, the user it runs as, its unit file, and a stop in good order.
# Prints TAP; PGHOST and so on name the cluster of tests/cluster.
. "$(dirname "$0")/harness"

make_homes 5 || { echo "Bail out! no database"; exit 1; }
"$top/tests/e2e/telegrams" 5 100 >"$work/telegrams"

# A service manager that writes down what it is told.
perl -MIO::Socket::UNIX -e '$| = 1; my $s = IO::Socket::UNIX->new(Type => SOCK_DGRAM, Local => $ARGV[0]) or die; chmod 0777, $ARGV[0];
	while (defined $s->recv(my $m, 4096)) { print join(" ", split /\n/, $m), "\n" }' "$work/notify" >"$work/notified" &
for _ in $(seq 50); do [ -S "$work/notify" ] && break; sleep 0.05; done
export NOTIFY_SOCKET=$work/notify WATCHDOG_USEC=400000
told() { # pattern, promise
	for _ in $(seq 60); do grep -q -- "$1" "$work/notified" && break; sleep 0.1; done
	check "$(grep -q -- "$1" "$work/notified"; echo $?)" "$2"
}

cat >"$work/conf" <<CONF
# as an operator writes it
log_level = info
report_seconds = 1
batch_ms = 50
metrics = 127.0.0.1:0
metrics_max_connections = 3
CONF
"$bridge_program" --check -c "$work/conf" && "$bridge_program" --help | grep -q 'batch_ms'
check $? "a good configuration passes --check, and --help names every key"
"$bridge_program" --check -c "$top/bridge/bridge.conf" && sed 's/^#\([a-z]\)/\1/' "$top/bridge/bridge.conf" >"$work/whole.conf" && "$bridge_program" --check -c "$work/whole.conf"
check $? "so does the sample file, with and without what is commented out"
is "$("$bridge_program" --check -c "$work" 2>&1)" "smarthg-bridge: cannot read \"$work\": Is a directory" "a directory is no configuration"
{ printf 'name = %*s' 1100 '' | tr ' ' x; echo; } >"$work/long.conf"
is "$("$bridge_program" --check -c "$work/long.conf" 2>&1)" "smarthg-bridge: $work/long.conf line 1: longer than 1022 characters" "a line that is too long is told"
is "$("$bridge_program" --check -c "$work/conf" --batch_ms=0 2>&1)" 'smarthg-bridge: --batch_ms=0: batch_ms must be a whole number from 1 to 10000, not "0"' "a wrong value is told with its bounds"
is "$("$bridge_program" --check --metrics=here 2>&1)" 'smarthg-bridge: --metrics=here: metrics must be HOST:PORT, not "here"' "and so is an address without a port"
is "$("$bridge_program" --check --tls_key=x 2>&1)" 'smarthg-bridge: tls_certificate and tls_key go together' "and values that do not fit together"

chmod 755 "$work"
runs_as=()
[ "$(id -u)" != 0 ] || runs_as=(--user=nobody)
start_bridge -c "$work/conf" "${runs_as[@]}"
told '^READY=1' "the service manager is told that the bridge is ready"
told '^WATCHDOG=1' "and that it lives"
if [ "$(id -u)" = 0 ]; then
	is "$(stat -c %U /proc/$bridge_pid) $(grep -E '^(Uid|Gid|Groups)' /proc/$bridge_pid/status | tr '\n' '\t' | tr -s '\t ' ' ')" \
		"nobody Uid: $(id -u nobody) $(id -u nobody) $(id -u nobody) $(id -u nobody) Gid: $(id -g nobody) $(id -g nobody) $(id -g nobody) $(id -g nobody) Groups: $(id -G nobody) " \
		"started as root it became another user, with that one's groups"
	is "$("$bridge_program" --listen=127.0.0.1:0 --user=nosuchuser 2>&1 | grep -c 'user .*nosuchuser.* does not exist')" 1 "a user that does not exist is refused"
fi
port() { sed -n "s/.* msg=\"$1\" host=[^ ]* port=\([0-9]*\).*/\1/p" "$work/bridge.log" | tail -n 1; }
metric() { curl -sf "http://127.0.0.1:$(port metrics)/metrics" | sed -n "s/^smarthg_bridge_$1 //p"; }

sim load
check $? "five gateways send 100 records each"
is "$(metric records_total) $(metric gateways) $(metric waiting_records) $(metric unstorable_total)" "500 5 0 0" "the metrics count them"
is "$(curl -sf "http://127.0.0.1:$(port metrics)/metrics" | grep -cE '^# (HELP|TYPE)')" "$(($(curl -sf "http://127.0.0.1:$(port metrics)/metrics" | grep -c '^# TYPE') * 2))" "each metric has its meaning and its type"
is "$(metric 'batch_seconds_count')" "$(metric 'batch_seconds_bucket{le="+Inf"}')" "the histogram of latency adds up"
is "$(curl -s -o /dev/null -w '%{http_code}' "http://127.0.0.1:$(port metrics)/other")" 404 "there is nothing else on that port"
is "$(curl -s -o /dev/null -w '%{http_code}' -d x "http://127.0.0.1:$(port metrics)/metrics") $(curl -sI "http://127.0.0.1:$(port metrics)/metrics?x=1" | head -n 1 | tr -d '\r')" "405 HTTP/1.1 200 OK" "and nothing but GET and HEAD"
# Requests that trickle, and one that never ends its head: the youngest three stay, in turn with who
# scrapes, and are closed in time; scraping goes on, and no descriptor stays open.
descriptors() { ls "/proc/$bridge_pid/fd" | wc -l; }
before=$(descriptors)
cat >"$work/trickle" <<'PERL'
use IO::Socket::INET; use IO::Select; use Time::HiRes 'time';
my ($peer, $number) = @ARGV;
$SIG{PIPE} = 'IGNORE';
my ($from, $at, @closed) = (time, 0);
my $select = IO::Select->new(map { IO::Socket::INET->new(PeerAddr => $peer) || () } 1 .. $number);
while ($select->count && time < $from + 12) {
	syswrite $_, substr("GET /metrics HTTP/1.1\r\nX: " . 'y' x 1000, $at, 1) for $select->handles;
	$at++;
	for my $s ($select->can_read(0.1)) {
		next if sysread $s, my $got, 4096;
		$select->remove($s);
		push @closed, time - $from;
	}
	select undef, undef, undef, 0.1;
}
print join(' ', scalar(grep { $_ < 2 } @closed), scalar(grep { $_ >= 2 && $_ < 8 } @closed), $select->count), "\n";
PERL
perl "$work/trickle" "127.0.0.1:$(port metrics)" 20 >"$work/trickled" &
trickle_pid=$!
sleep 1
is "$(($(descriptors) - before)) $(curl -s -o /dev/null -w '%{http_code}' "http://127.0.0.1:$(port metrics)/metrics")" "3 200" "of twenty connections that trickle metrics_max_connections hold a descriptor, and who scrapes is answered"
wait $trickle_pid
is "$(cat "$work/trickled")" "18 2 0" "the others are closed at once, these within seconds"
is "$(($(descriptors) - before)) $(metric gateways) $(($(logged 'too many connections for metrics.*limit=3') > 0))" "0 5 1" "then all is as before, and it was told"
head -c 5000 /dev/zero | tr '\0' x | sed '1s|^|GET /metrics HTTP/1.1\r\nX: |' | timeout 5 perl -MIO::Socket::INET -e 'my $s = IO::Socket::INET->new($ARGV[0]) or die; print $s <STDIN>; print scalar <$s>' "127.0.0.1:$(port metrics)" >"$work/overlong"
is "$(tr -d '\r' <"$work/overlong")" "HTTP/1.1 431 Request Header Fields Too Large" "a head without end is refused"
comes 'running|500|5|t|t' "SELECT state, records, gateways, batch_p99_ms >= batch_p50_ms, resident_bytes > 0 FROM bridge_status" "the same numbers are a row"
is "$(psql -X -A -t -d "$database" -U "$role" -c 'TABLE smarthg.bridge_report' 2>&1 | grep -c 'permission denied')" 1 "which the bridge itself cannot read"

# Reload: what can change does, what cannot is told, a wrong file changes nothing.
printf 'log_level = debug\nreport_seconds = 2\nbatch_ms = 20\nlisten = 127.0.0.1:1\nmetrics = 127.0.0.1:0\nmetrics_max_connections = 3\n' >"$work/conf"
kill -HUP "$bridge_pid"
told '^RELOADING=1 MONOTONIC_USEC=[0-9]' "a reload is told"
for _ in $(seq 50); do [ "$(logged 'msg="reloaded"')" -gt 0 ] && break; sleep 0.1; done
is "$(grep -oE 'msg="configuration change[^"]*" key=.*' "$work/bridge.log" | sort | tr '\n' ' ')" \
	'msg="configuration change needs a restart" key=listen msg="configuration changed" key=batch_ms msg="configuration changed" key=log_level msg="configuration changed" key=report_seconds ' \
	"what can change while it runs does, and what cannot is named"
printf 'batch_ms = 20\nlog_level = debug\nreport_seconds = 2\ningest_connections = 3\nmetrics = 127.0.0.1:0\nmetrics_max_connections = 3\n' >"$work/conf"
kill -HUP "$bridge_pid"
sleep 0.5
is "$(logged 'msg="configuration change needs a restart" key=ingest_connections')" 1 "each time"
printf 'batch_ms = 30\nlog_level = loud\n' >"$work/conf"
kill -HUP "$bridge_pid"
sleep 0.5
is "$(logged 'msg="configuration not read again" reason=".*line 2: log_level must be')$(logged 'key=batch_ms')" 11 "a file with a mistake changes nothing"

# Stop with a gateway connected and records under way.
head -n 1 "$work/telegrams" >"$work/first"
start_sim honest --telegrams "$work/first"
comes 1 "SELECT count(*) FROM gateway_session WHERE closed_at IS NULL" "a gateway is there"
stop_bridge TERM
is $? 0 "SIGTERM ends it in good order"
told '^STOPPING=1' "which is told"
for _ in $(seq 30); do grep -q 'the bridge stops' "$work/honest.sim" && break; sleep 0.1; done
check "$(grep -q 'reason="the bridge stops"' "$work/honest.sim"; echo $?)" "and said to the gateways"
stop_sim
is "$(sql "SELECT state FROM bridge_status")" stopped "and stands in the database"
is "$(grep -cvE '^time=[0-9T:.-]+Z level=(error|warning|info|debug) msg="[^"]*"( [a-z_]+=("([^"\\]|\\.)*"|[^ "]*))*$' "$work/bridge.log")" 0 "every line of the log is logfmt"

if command -v systemd-analyze >/dev/null; then
	sed "s|^ExecStart=[^ ]*|ExecStart=$bridge_program|" "$top/bridge/smarthg-bridge.service" >"$work/smarthg-bridge.service"
	is "$(systemd-analyze verify "$work/smarthg-bridge.service" 2>&1 | grep smarthg-bridge)" "" "the unit file is correct"
	exposure=$(systemd-analyze security --offline=true "$work/smarthg-bridge.service" 2>/dev/null | sed -n 's/.*exposure level for [^:]*: *\([0-9]*\)\..*/\1/p')
	check "$([ "${exposure:-9}" -lt 3 ]; echo $?)" "and leaves the service little of the system (exposure ${exposure:-unknown} of 10)"
fi
echo "1..$count"
