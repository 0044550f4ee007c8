#!/bin/bash
# TLS below the framing: by certificate and by pre-shared key, with and without the session's own
# encryption above it. Gateways without TLS of their own come through stunnel. Prints TAP.
. "$(dirname "$0")/harness"

make_homes 3 || { echo "Bail out! no database"; exit 1; }
"$top/tests/e2e/telegrams" 3 100 >"$work/telegrams"
PATH=$PATH:/usr/sbin:/usr/bin

authority() { # name: a certificate authority
	openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj "/CN=$1" -keyout "$work/$1.key" -out "$work/$1.pem" 2>/dev/null
}
certificate() { # name, common name, authority, alternative names
	printf '%s' "${4:+subjectAltName=$4}" >"$work/$1.names"
	openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj "/CN=$2" -keyout "$work/$1.key" -out "$work/$1.csr" 2>/dev/null
	openssl x509 -req -in "$work/$1.csr" -CA "$work/$3.pem" -CAkey "$work/$3.key" -CAcreateserial -days 2 -extfile "$work/$1.names" -out "$work/$1.pem" 2>/dev/null
}
authority dso && authority stranger && certificate server localhost dso && certificate gateway1 0015bc0100000001 dso && certificate false 0015bc0100000001 stranger

# A TLS tunnel to the bridge for a simulator; its lines of configuration follow its name.
tunnel() { # name, stunnel options as lines
	local name=$1 tunnel_port=$((20000 + RANDOM % 20000))
	shift
	printf '%s\n' "foreground = yes" "debug = notice" "pid =" "[$name]" "client = yes" "accept = 127.0.0.1:$tunnel_port" "connect = $tls" "$@" >"$work/$name.stunnel"
	stunnel "$work/$name.stunnel" >"$work/$name.tunnel" 2>&1 &
	tunnel_pid=$!
	for _ in $(seq 50); do ss -Hltn "sport = :$tunnel_port" | grep -q . && break; sleep 0.05; done
	through=127.0.0.1:$tunnel_port
}
end_tunnel() { kill "$tunnel_pid"; wait "$tunnel_pid" 2>/dev/null; }
tls_address() { echo "127.0.0.1:$(sed -n 's/.* msg="listening with TLS" host=[^ ]* port=\([0-9]*\).*/\1/p' "$work/bridge.log" | tail -n 1)"; }
# HKDF-SHA-256 of a gateway's link key, as the protocol derives its pre-shared key.
shared_key() { # EUI-64
	openssl kdf -keylen 32 -kdfopt digest:SHA256 -kdfopt hexkey:"$(grep "^$1" "$work/keys" | cut -d' ' -f2)" -kdfopt hexinfo:"$(printf 'SA/1 TLS' | od -An -tx1 | tr -d ' \n')$1" HKDF | tr -d ':\n' | tr A-F a-f
}

start_bridge --tls_listen=127.0.0.1:0 --tls_certificate="$work/server.pem" --tls_key="$work/server.key" --handshake_seconds=1
tls=$(tls_address)
tunnel certificate "CAfile = $work/dso.pem" "verifyChain = yes"
sim certificate --connect "$through"
check $? "gateways that check the server's certificate send their records through TLS"
is "$(sql "SELECT sum(committed_record_no) FROM gateway")" 300 "all of which are committed"
end_tunnel
for version in tls1_2 tls1_3; do
	is "$(openssl s_client -connect "$tls" -$version -CAfile "$work/dso.pem" -verify_return_error </dev/null 2>/dev/null | grep -c 'Verify return code: 0')" 1 "$version is spoken"
done
check "$(openssl s_client -connect "$tls" -tls1_1 -cipher ALL:@SECLEVEL=0 </dev/null >/dev/null 2>&1; [ $? != 0 ]; echo $?)" "TLS 1.1 is not"
for _ in $(seq 50); do [ "$(logged 'TLS handshake failed')" -gt 0 ] && break; sleep 0.1; done
check "$([ "$(logged 'msg="TLS handshake failed" error="')" -gt 0 ]; echo $?)" "which stands in the log"

first=0015bc0100000001 second=0015bc0100000002
for version in tls1_2 tls1_3; do
	sleep 0.3 | openssl s_client -connect "$tls" -$version -cipher PSK -psk_identity $first -psk "$(shared_key $first)" >"$work/psk.$version" 2>&1
	is "$(grep -c 'BEGIN CERTIFICATE' "$work/psk.$version") $(grep -cE 'Cipher is (TLS_|.*PSK)' "$work/psk.$version")" "0 1" "$version is spoken with a pre-shared key and without certificate"
done
printf '%s:%s\n' $first "$(shared_key $first)" >"$work/psk"
chmod 600 "$work/psk"
tunnel psk "PSKsecrets = $work/psk" "ciphers = PSK" "sslVersionMax = TLSv1.2"
"$top/tests/e2e/telegrams" 3 150 >"$work/telegrams"
grep "^$first" "$work/telegrams" >"$work/one"
grep "^$second" "$work/telegrams" >"$work/two"
sim psk --connect "$through" --telegrams "$work/one" --timeout 5
check $? "a gateway with a pre-shared key from its link key sends records"
is "$(sql "SELECT committed_record_no FROM gateway WHERE gateway_id = 1")" 150 "which are committed"
sim other --connect "$through" --telegrams "$work/two" --timeout 1
is "$(sql "SELECT committed_record_no FROM gateway WHERE gateway_id = 2")" 100 "through that tunnel no other gateway may come"
comes t "SELECT count(*) > 0 FROM gateway_event WHERE event = 'wrong_identity' AND gateway_id = 2" "which is an event"
end_tunnel
# With TLS 1.3, which has its own way to say whose key it is.
cat >"$work/s_client" <<END
exec openssl s_client -quiet -connect $tls -tls1_3 -psk_identity $first -psk $(shared_key $first) 2>/dev/null
END
through_port=$((20000 + RANDOM % 20000))
socat "TCP-LISTEN:$through_port,bind=127.0.0.1,fork,reuseaddr" "EXEC:sh $work/s_client" 2>/dev/null &
socat_pid=$!
for _ in $(seq 50); do ss -Hltn "sport = :$through_port" | grep -q . && break; sleep 0.05; done
"$top/tests/e2e/telegrams" 3 160 >"$work/telegrams"
grep "^$first" "$work/telegrams" >"$work/one"
wrong_before=$(sql "SELECT count(*) FROM gateway_event WHERE event = 'wrong_identity'")
sim psk13 --connect "127.0.0.1:$through_port" --telegrams "$work/one" --timeout 5
is "$?$(sql "SELECT committed_record_no FROM gateway WHERE gateway_id = 1")" 0160 "TLS 1.3 with a pre-shared key carries records"
sim other13 --connect "127.0.0.1:$through_port" --telegrams "$work/two" --timeout 1
is "$(sql "SELECT committed_record_no FROM gateway WHERE gateway_id = 2")" 100 "and no other gateway's"
comes t "SELECT count(*) > $wrong_before FROM gateway_event WHERE event = 'wrong_identity' AND gateway_id = 2" "which is an event, too"
kill $socat_pid
printf '%s:%s\n' $first "$(shared_key $second)" >"$work/psk"
tunnel wrong "PSKsecrets = $work/psk" "ciphers = PSK" "sslVersionMax = TLSv1.2"
sim wrong --connect "$through" --telegrams "$work/one" --timeout 1
check "$([ $? != 0 ]; echo $?)" "a wrong pre-shared key is refused"
end_tunnel

# Someone who opens a connection and never begins the handshake, and someone who speaks no TLS.
perl -MIO::Socket::INET -e 'my $s = IO::Socket::INET->new($ARGV[0]) or die; alarm 8; exit(defined sysread($s, my $x, 1) ? 0 : 1)' "$tls"
check $? "a connection without a TLS handshake is closed in time"
head -c 3000 /dev/urandom | timeout 5 perl -MIO::Socket::INET -e 'my $s = IO::Socket::INET->new($ARGV[0]) or die; binmode STDIN; print $s <STDIN>; sysread($s, my $x, 100); sysread($s, $x, 100)' "$tls"
check "$([ $? != 124 ]; echo $?)" "and so is one with garbage"

# A certificate is replaced while the bridge runs; a bad file leaves the old one in use.
authority other && certificate server localhost other
kill -HUP "$bridge_pid"
sleep 0.3
is "$(openssl s_client -connect "$tls" -CAfile "$work/other.pem" -verify_return_error </dev/null 2>/dev/null | grep -c 'Verify return code: 0')" 1 "SIGHUP takes a new certificate into use"
echo broken >"$work/server.pem"
kill -HUP "$bridge_pid"
sleep 0.3
is "$(openssl s_client -connect "$tls" -CAfile "$work/other.pem" -verify_return_error </dev/null 2>/dev/null | grep -c 'Verify return code: 0')$(logged 'certificate not read again')" 11 "a broken file leaves the old one in use, and is told"
stop_bridge TERM

# Security required on the port in clear, optional on the one with TLS and certificates of gateways.
certificate server localhost dso
sql "UPDATE gateway SET security_required = false, link_key = NULL WHERE gateway_id < 3" >/dev/null
third_key=$(shared_key 0015bc0100000003)
: >"$work/keys"
start_bridge --tls_listen=127.0.0.1:0 --tls_certificate="$work/server.pem" --tls_key="$work/server.key" --tls_client_ca="$work/dso.pem" --tls_security=optional
tls=$(tls_address)
sleep 0.3 | openssl s_client -connect "$tls" -tls1_2 -cipher PSK -psk_identity 0015bc0100000003 -psk "$third_key" >"$work/psk.refused" 2>&1
is "$(grep -cE 'Cipher is (TLS_|.*PSK)' "$work/psk.refused")" 0 "where certificates are asked for no pre-shared key takes their place"
"$top/tests/e2e/telegrams" 3 200 >"$work/telegrams"
grep "^$first" "$work/telegrams" >"$work/one"
grep "^$second" "$work/telegrams" >"$work/two"
sim clear --telegrams "$work/one" --timeout 1
is "$(sql "SELECT committed_record_no FROM gateway WHERE gateway_id = 1")" 160 "in clear a gateway without key is refused"
tunnel gateway "cert = $work/gateway1.pem" "key = $work/gateway1.key"
sim gateway --connect "$through" --telegrams "$work/one"
check $? "with its certificate below it may come"
sim another --connect "$through" --telegrams "$work/two" --timeout 1
is "$(sql "SELECT string_agg(committed_record_no::text, ' ' ORDER BY gateway_id) FROM gateway WHERE gateway_id < 3")" "200 100" "but not one that another gateway's certificate stands for"
end_tunnel
# Common names that are no EUI-64, whoever claims to be the gateway that they would name; the
# first would say inside that no certificate was shown, the second that it names none.
sql "INSERT INTO gateway (gateway_id, home_id, eui64, security_required) SELECT 3 + i, i, decode(repeat(byte, 8), 'hex'), false FROM unnest('{00,ff}'::text[]) WITH ORDINALITY AS u(byte, i)" >/dev/null
for _ in $(seq 50); do [ "$(logged 'gateways loaded" count=5')" -gt 0 ] && break; sleep 0.1; done
"$top/tests/e2e/telegrams" 3 205 | grep "^$first" >"$work/one"
for name in 0000000000000000 ffffffffffffffff 0015bc010000000; do
	certificate nobody $name dso
	tunnel nobody "cert = $work/nobody.pem" "key = $work/nobody.key"
	for claimed in $name $first; do
		sed "s/^$first/$(printf %-16s "$claimed" | tr ' ' 1)/" "$work/one" >"$work/claimed"
		sim "nobody$name$claimed" --connect "$through" --telegrams "$work/claimed" --timeout 1
	done
	end_tunnel
done
is "$(sql "SELECT string_agg(committed_record_no::text, ' ' ORDER BY gateway_id) FROM gateway") $(sql "SELECT count(DISTINCT event_id) > 5 FROM gateway_event WHERE event = 'wrong_identity'")" "200 100 100 0 0 t" "a certificate of zeros, of ones or of too few digits stands for no gateway, not even one of that number"
# Alternative names: they count before the common name, and several gateways' are nobody's.
for names in URI:urn:dev:mac:$first DNS:gateway.example.org,DNS:$first; do
	certificate named $second dso $names
	tunnel named "cert = $work/named.pem" "key = $work/named.key"
	sim named --connect "$through" --telegrams "$work/one" --timeout 2
	check $? "a certificate with the alternative names $names stands for the gateway"
	sim common --connect "$through" --telegrams "$work/two" --timeout 1
	end_tunnel
	"$top/tests/e2e/telegrams" 3 206 | grep "^$first" >"$work/one"
done
certificate several $first dso DNS:$first,DNS:$second
tunnel several "cert = $work/several.pem" "key = $work/several.key"
"$top/tests/e2e/telegrams" 3 209 | grep "^$first" >"$work/one"
for claimed in one two; do sim several$claimed --connect "$through" --telegrams "$work/$claimed" --timeout 1; done
end_tunnel
is "$(sql "SELECT string_agg(committed_record_no::text, ' ' ORDER BY gateway_id) FROM gateway WHERE gateway_id < 3")" "206 100" "not for the one of its common name, and one that names two stands for neither"
tunnel false "cert = $work/false.pem" "key = $work/false.key"
"$top/tests/e2e/telegrams" 3 210 | grep "^$first" >"$work/one"
sim false --connect "$through" --telegrams "$work/one" --timeout 1
is "$(sql "SELECT committed_record_no FROM gateway WHERE gateway_id = 1")" 206 "nor does one of a stranger for anybody"
end_tunnel
stop_bridge TERM
"$bridge_program" --listen=127.0.0.1:0 --tls_listen=127.0.0.1:0 --tls_certificate="$work/none" --tls_key="$work/none" 2>"$work/none.log"
check "$([ $? = 1 ] && grep -q 'TLS files cannot be used' "$work/none.log"; echo $?)" "a bridge without its certificate does not start"
echo "1..$count"
