#!/bin/bash
# Memory of the bridge for each idle gateway: SMARTHG_GATEWAYS (10000) encrypted sessions that only
# keep alive, beside the same number of TCP connections without a session, and what the process
# costs with none; how long it takes until all of them are shown online, and until the bridge has
# stopped with all of them open; then SMARTHG_TLS_GATEWAYS (1000) sessions with TLS below them. Run
# by `make bench`; PGHOST and so on name the cluster.
. "$(dirname "$0")/../e2e/harness"

gateways=${SMARTHG_GATEWAYS:-10000} tls_gateways=${SMARTHG_TLS_GATEWAYS:-1000}
ulimit -n "$(ulimit -Hn)"
resident() { awk '/^VmRSS/ { print $2 }' "/proc/$bridge_pid/status"; }
seconds_since() { awk -v now="$EPOCHREALTIME" -v then="$1" 'BEGIN { printf "%.1f", now - then }'; }
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
since=$EPOCHREALTIME
start_sim idle --telegrams "$work/telegrams"
for _ in $(seq 12000); do [ "$(sql "SELECT count(*) FROM gateway WHERE online")" = "$gateways" ] && break; sleep 0.2; done
storm=$(seconds_since "$since")
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
since=$EPOCHREALTIME
stop_bridge TERM
stop=$(seconds_since "$since")
echo "$gateways gateways at once are shown online after $storm s"
echo "a stop with $online open sessions takes $stop s, $(sql "SELECT count(*) FROM gateway_session WHERE closed_at IS NULL") sessions are left open, $(sql "SELECT count(*) FROM gateway WHERE online") gateways online; $(grep -o 'unwritten_events=[0-9]*' "$work/bridge.log" | tail -n 1)"
stop_sim

openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=localhost -keyout "$work/tls.key" -out "$work/tls.pem" 2>/dev/null
start_bridge --tls_listen=127.0.0.1:0 --tls_certificate="$work/tls.pem" --tls_key="$work/tls.key" --max_pending_connections=20000 --handshake_seconds=60 --keepalive_seconds=5
for _ in $(seq 600); do [ "$(logged "gateways loaded\" count=$gateways")" -gt 2 ] && break; sleep 0.1; done
tls_port=$(sed -n 's/.* msg="listening with TLS" host=[^ ]* port=\([0-9]*\).*/\1/p' "$work/bridge.log" | tail -n 1)
through_port=$((20000 + RANDOM % 20000))
printf '%s\n' "foreground = yes" "debug = err" "pid =" "[tls]" "client = yes" "accept = 127.0.0.1:$through_port" "connect = 127.0.0.1:$tls_port" >"$work/stunnel.conf"
stunnel "$work/stunnel.conf" 2>/dev/null &
tunnel_pid=$!
sleep 1
none=$(resident)
head -n "$tls_gateways" "$work/telegrams" >"$work/some"
listen=127.0.0.1:$through_port
start_sim tls --telegrams "$work/some"
for _ in $(seq 240); do [ "$(sql "SELECT count(*) FROM gateway_session WHERE closed_at IS NULL")" = "$tls_gateways" ] && break; sleep 0.5; done
sleep 6
online=$(sql "SELECT count(*) FROM gateway_session WHERE closed_at IS NULL")
idle=$(resident)
echo "$online idle encrypted sessions over TLS: $idle kB, $(each "$idle" "$none" "$online") kB each"
stop_sim
kill $tunnel_pid
stop_bridge TERM
