#!/bin/bash
# Memory of the bridge for each idle gateway: SMARTHG_GATEWAYS (10000) encrypted sessions that only
# keep alive, beside the same number of TCP connections without a session, and what the process
# costs with none. Run by `make bench`; PGHOST and so on name the cluster.
. "$(dirname "$0")/../e2e/harness"

gateways=${SMARTHG_GATEWAYS:-10000}
ulimit -n "$(ulimit -Hn)"
resident() { awk '/^VmRSS/ { print $2 }' "/proc/$bridge_pid/status"; }
# kB now, kB before, how many
each() { awk -v now="$1" -v before="$2" -v n="$3" 'BEGIN { printf "%.1f", (now - before) / n }'; }

make_homes "$gateways" || exit 1
"$top/tests/e2e/telegrams" "$gateways" 1 >"$work/telegrams"
start_bridge --max_connections=50000 --max_pending_connections=50000 --handshake_seconds=600 --keepalive_seconds=5
for _ in $(seq 600); do [ "$(logged "gateways loaded\" count=$gateways")" -gt 0 ] && break; sleep 0.1; done
none=$(resident)
perl -MIO::Socket::INET -e 'my ($peer, $n) = @ARGV; $| = 1; my @all = map { IO::Socket::INET->new(PeerAddr => $peer) || () } 1 .. $n; print scalar(@all), "\n"; sleep 600' "$listen" "$gateways" >"$work/bare" &
bare_pid=$!
for _ in $(seq 600); do [ -s "$work/bare" ] && break; sleep 0.1; done
sleep 1
made=$(cat "$work/bare") bare=$(resident)
kill $bare_pid
wait $bare_pid 2>/dev/null
stop_bridge TERM

start_bridge --max_connections=50000 --max_pending_connections=50000 --keepalive_seconds=5
for _ in $(seq 600); do [ "$(logged "gateways loaded\" count=$gateways")" -gt 1 ] && break; sleep 0.1; done
none_again=$(resident)
start_sim idle --telegrams "$work/telegrams"
for _ in $(seq 1200); do [ "$(sql "SELECT count(*) FROM gateway WHERE online AND committed_record_no = 1")" = "$gateways" ] && break; sleep 0.5; done
sleep 6
online=$(sql "SELECT count(*) FROM gateway WHERE online")
busy() { awk '{ print $14 + $15 }' "/proc/$bridge_pid/stat"; }
before=$(busy)
idle=$(resident)
sleep 5
cpu=$(awk -v now="$(busy)" -v before="$before" -v hz="$(getconf CLK_TCK)" 'BEGIN { printf "%.1f", 100 * (now - before) / hz / 5 }')
echo "process with $gateways gateways provisioned and none connected: $none_again kB"
echo "$made TCP connections without session: $bare kB, $(each "$bare" "$none" "$made") kB each"
echo "$online idle encrypted sessions, keep-alive every 5 s: $idle kB, $(each "$idle" "$none_again" "$online") kB each, $cpu % of a core"
stop_sim
stop_bridge TERM
