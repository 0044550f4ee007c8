#!/bin/bash
# Remote access to gateways: the keys, restrictions and unit that the database makes, against a real
# sshd on loopback that runs without privileges. Prints TAP.
. "$(dirname "$0")/harness"

make_homes 3 || { echo "Bail out! no database"; exit 1; }
PATH=$PATH:/usr/sbin:/sbin:$top/bridge/remote
as_user() { # in place of the shell: sshd without privileges, since of root it would want more
	if [ "$(id -u)" = 0 ]; then exec setpriv --reuid=postgres --regid=postgres --init-groups env HOME="$work/home" "$@"; else exec "$@"; fi
}
user=$([ "$(id -u)" = 0 ] && echo postgres || id -un)
free_port() { perl -MIO::Socket::INET -e 'print IO::Socket::INET->new(LocalAddr => "127.0.0.1", Listen => 1)->sockport'; }

for i in 1 2 3; do
	ssh-keygen -q -t ed25519 -N '' -C "gateway $i" -f "$work/key$i"
	eval "port$i=$(free_port)"
	sql "INSERT INTO remote_tunnel (gateway_id, public_key, port) VALUES ($i, '$(cut -d' ' -f1,2 "$work/key$i.pub")', $((port$i)))"
done
is "$(sql "INSERT INTO remote_tunnel (gateway_id, public_key, port) VALUES (1, E'ssh-ed25519 AAAA\ncommand=\"x\" ssh-ed25519 AAAA', 20001)" 2>&1 | grep -c 'violates check')" 1 "a key that is not one key is refused"
is "$(sql "INSERT INTO remote_tunnel (gateway_id, public_key, port) VALUES (1, 'ssh-ed25519 $(printf 'A%.0s' $(seq 68))', 5432)" 2>&1 | grep -c 'remote_tunnel_port_check')" 1 "nor is a port of the server's own"
is "$(sql "SELECT remote_unit(1, NULL) IS NULL")" t "no server, no unit"
is "$(sql "SELECT remote_unit(1, '-oCheckHostIP')" 2>&1 | grep -c 'must be plain names') $(sql "SELECT remote_unit(1, 'host', 0)" 2>&1 | grep -c 'ports must be') $(sql "SELECT remote_unit(1, 'host', gateway_port => 65536)" 2>&1 | grep -c 'ports must be')" "1 1 1" "nor is an option a server, or 0 a port"
is "$(sql "SELECT remote_port($port1, $port1) IS NULL, remote_port(30000) BETWEEN 30000 AND 30003")" "t|t" "a free port can be asked for"

# The server, and the gateway's own SSH port, which answers with a banner.
mkdir "$work/home"
ssh-keygen -q -t ed25519 -N '' -f "$work/host_key"
sql "SELECT remote_authorized_keys()" >"$work/authorized_keys"
server_port=$(free_port) gateway_port=$(free_port)
cat >"$work/sshd_config" <<CONF
ListenAddress 127.0.0.1:$server_port
HostKey $work/host_key
PidFile none
AuthorizedKeysFile $work/authorized_keys
StrictModes no
UsePAM no
PasswordAuthentication no
KbdInteractiveAuthentication no
AllowTcpForwarding yes
GatewayPorts clientspecified
LogLevel VERBOSE
CONF
[ "$(id -u)" != 0 ] || chown -R postgres "$work/home" "$work/host_key" "$work/authorized_keys"
chmod 755 "$work"
as_user "$(command -v sshd)" -D -e -f "$work/sshd_config" >"$work/sshd.log" 2>&1 &
sshd_pid=$!
perl -MIO::Socket::INET -e '$SIG{CHLD} = "IGNORE"; my $s = IO::Socket::INET->new(LocalAddr => "127.0.0.1:$ARGV[0]", Listen => 9, ReuseAddr => 1) or die; while (my $c = $s->accept) { print $c "gateway here\n"; close $c }' "$gateway_port" &
for _ in $(seq 50); do ss -Hltn "sport = :$server_port" | grep -q . && break; sleep 0.1; done
echo "[127.0.0.1]:$server_port $(cut -d' ' -f1,2 "$work/host_key.pub")" >"$work/known_hosts"

# The command of the unit that the database makes, run as it stands.
sql "SELECT remote_unit(1, '127.0.0.1', $server_port, '$user', $gateway_port, '$work/key1', '$work/known_hosts')" >"$work/smarthg-tunnel.service"
run_unit() { exec $(sed -n 's/^ExecStart=//p' "$work/smarthg-tunnel.service" | sed "s|$work/key1|$work/key$1|; ${2:-}") >"$work/ssh.$1" 2>&1; }
is "$(sql "SELECT remote_unit(1, 'host -o ProxyCommand=evil')" 2>&1 | grep -c 'must be plain names')" 1 "no option can be smuggled into the unit"
if command -v systemd-analyze >/dev/null; then
	is "$(systemd-analyze verify "$work/smarthg-tunnel.service" 2>&1 | grep smarthg-tunnel)" "" "the gateway's unit file is correct"
fi
tunnel() { (run_unit "$@"); }
run_unit 1 & tunnel_pid=$!
for _ in $(seq 50); do ss -Hltn "sport = :$port1" | grep -q . && break; sleep 0.1; done
reach() { timeout 3 perl -MIO::Socket::INET -e 'my $s = IO::Socket::INET->new("127.0.0.1:$ARGV[0]") or exit 1; print scalar <$s>' "$1"; }
is "$(reach "$port1")" "gateway here" "the gateway is reached through its tunnel"
is "$(ss -Hltn "sport = :$port1" | awk '{ print $4 }')" "127.0.0.1:$port1" "which listens on loopback alone"

export PGDATABASE=$database
is "$(PGUSER=$role smarthg-tunnels)" 1 "smarthg-tunnels sees it"
is "$(sql "SELECT string_agg(gateway_id || ' ' || up, ',' ORDER BY gateway_id) FROM remote_tunnel_status")" "1 true,2 false,3 false" "the view shows which tunnels are up"
sql "UPDATE remote_tunnel SET last_seen_at = now() - interval '3 minutes'"
is "$(sql "SELECT count(*) FROM remote_tunnel_status WHERE up")" 0 "and not those that were not seen for minutes"

# What a key may not do.
tunnel 2 "s/127.0.0.1:$port1:/127.0.0.1:$port3:/"
check "$([ $? != 0 ] && ! ss -Hltn "sport = :$port3" | grep -q .; echo $?)" "a gateway cannot take another one's port"
tunnel 2 "s/-R 127.0.0.1:$port1:/-R 0.0.0.0:$port2:/"
check "$([ $? != 0 ]; echo $?)" "nor listen for the outside"
log_in() { as=$1; shift; timeout 5 ssh -p "$server_port" -l "$user" -i "$work/key$as" -o IdentitiesOnly=yes -o BatchMode=yes -o UserKnownHostsFile="$work/known_hosts" "$@"; }
is "$(log_in 2 127.0.0.1 id 2>/dev/null)" "" "nor run a command"
is "$(log_in 2 -tt 127.0.0.1 </dev/null 2>&1 | grep -c 'PTY allocation request failed')" 1 "nor get a terminal"
is "$(log_in 2 -W "127.0.0.1:$gateway_port" 127.0.0.1 2>/dev/null)" "" "nor reach into the server's network"
sql "UPDATE remote_tunnel SET enabled = false WHERE gateway_id = 2"
sql "SELECT remote_authorized_keys()" | cat >"$work/authorized_keys"
tunnel 2 "s/127.0.0.1:$port1:/127.0.0.1:$port2:/"
check "$([ $? != 0 ] && grep -q 'Permission denied' "$work/ssh.2"; echo $?)" "nor, once it is disabled, log in"

# For a server that asks for each key.
printf 'PGDATABASE=%s\nPGHOST=%s\nPGPORT=%s\nPGUSER=%s\n' "$database" "$PGHOST" "${PGPORT:-5432}" "${PGUSER:-postgres}" >"$work/tunnel.env"
is "$(env -u PGDATABASE -u PGHOST -u PGPORT -u PGUSER SMARTHG_TUNNEL_ENV="$work/tunnel.env" smarthg-authorized-key $(cut -d' ' -f1,2 "$work/key3.pub") | grep -c ' gateway-3$')" 1 "the file of settings reaches the database's client"
is "$(PGUSER=$role smarthg-authorized-key $(cut -d' ' -f1,2 "$work/key3.pub"))" "$(tail -n 1 "$work/authorized_keys")" "smarthg-authorized-key prints the line of one key"
is "$(PGUSER=$role smarthg-authorized-key $(cut -d' ' -f1,2 "$work/key2.pub"))$(PGUSER=$role smarthg-authorized-key ssh-ed25519 "x' OR true --")" "" "and none of a disabled or unknown one"
is "$(sql "SELECT string_agg(gateway_id::text, ',') FROM remote_tunnel WHERE last_login_at > now() - interval '1 minute'")" 3 "a login is noted"
kill $tunnel_pid $sshd_pid
echo "1..$count"
