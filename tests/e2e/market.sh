#!/bin/bash
# The service market by several sessions at once, which are the front end's, and by a service with a
# key of its own: codes, refresh tokens and assertions are good once however many come at a time,
# guesses at a password are counted, a token's use stays in the log. Prints TAP.
set -uo pipefail
cd "$(dirname "$0")/../.."
database=smarthg_market_$$
front=smarthg_market_front_$$
operator=smarthg_market_operator_$$
service=smarthg_market_service_$$
. tests/e2e/scratch
users=("$front" "$operator" "$service")
sql() { psql -X -q -A -t -v ON_ERROR_STOP=1 -d "$database" -c 'SET search_path = smarthg' -c "$@"; }
front() { psql -X -q -A -t -v ON_ERROR_STOP=1 -d "$database" -U "$front" -c 'SET search_path = smarthg' -c "$1"; }
operator() { psql -X -q -A -t -v ON_ERROR_STOP=1 -d "$database" -U "$operator" -c 'SET search_path = smarthg' -c "$1" >/dev/null; }
base64url() { openssl base64 -A | tr '+/' '-_' | tr -d '='; }

createdb "$database" && createuser "$front" && createuser "$operator" && createuser "$service" && sql 'CREATE EXTENSION smarthg' &&
	sql "GRANT smarthg_market TO $front" && sql "GRANT smarthg_admin TO $operator" && sql "GRANT smarthg_service TO $service"
openssl genpkey -quiet -algorithm RSA -pkeyopt rsa_keygen_bits:2048 -out "$work/key" && openssl pkey -in "$work/key" -pubout -out "$work/public"
sql "INSERT INTO price_area (price_area_id, name) VALUES (1, 'area');
	INSERT INTO substation (substation_id, name) VALUES (1, 'substation');
	INSERT INTO feeder (feeder_id, substation_id, name) VALUES (1, 1, 'feeder');
	INSERT INTO home (home_id, feeder_id, price_area_id, name) VALUES (1, 1, 1, 'home');
	INSERT INTO market_setting (scrypt_log2_n, scrypt_p) VALUES (10, 1);
	SELECT make_token_key('sign'), make_token_key('decrypt')" >/dev/null
resident_id=$(front "SELECT sign_up('resident@example.com', 'password of a resident')")
developer_id=$(front "SELECT sign_up('developer@example.com', 'password of a developer', 'developer')")
operator "SELECT verify_account($resident_id), verify_account($developer_id), move_in(1, $resident_id, now() - interval '1 year')"
resident=$(front "SELECT session FROM log_in('resident@example.com', 'password of a resident')")
developer=$(front "SELECT session FROM log_in('developer@example.com', 'password of a developer')")
IFS='|' read -r client secret <<<"$(front "SELECT client_id, client_secret FROM register_service('$developer', 'planner', 'https://planner.example/api', '$(cat "$work/public")', 'plans', '{\"read_mainmeter_hourly\": \"to plan\"}', '{https://planner.example/back}')")"
operator "SELECT review_service('$client', 'approved', version => 1)"

# Somebody who listens hears of a subscription.
(
	echo 'LISTEN smarthg_service_notification;'
	echo "SELECT 'listening';"
	for _ in $(seq 100); do
		echo 'SELECT 1;'
		sleep 0.1
	done
) | psql -X -q -A -t -d "$database" >"$work/heard" 2>&1 &
listener=$!
for _ in $(seq 50); do grep -q listening "$work/heard" && break; sleep 0.1; done
subscription=$(front "SELECT subscribe('$resident', '$client')")
for _ in $(seq 50); do grep -q 'notification "smarthg_service_notification"' "$work/heard" && break; sleep 0.1; done
is "$(grep -c 'notification "smarthg_service_notification"' "$work/heard" | sed 's/^[1-9].*/heard/')" heard 'a subscription wakes who delivers notifications'
kill $listener 2>/dev/null

authorize() { # prints a code
	front "SELECT substring(oauth_authorize('$resident', 'response_type=code&client_id=$client&scope=read_mainmeter_hourly&code_challenge=E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM&code_challenge_method=S256', 'grant') #>> '{headers,Location}' FROM 'code=([A-Za-z0-9_-]+)')"
}
# Sends one form in eight sessions that begin together; how many got a token and how many did not.
together() { # form
	local n
	for n in 1 2 3 4 5 6 7 8; do
		front "SELECT oauth_token('$1') ->> 'status'" >"$work/answer.$n" 2>&1 &
		pids[n]=$!
	done
	wait "${pids[@]}"
	cat "$work"/answer.? | sort | uniq -c | tr -s ' \n' ' '
}
live() { sql "SELECT count(*) FROM issued_token WHERE revoked_at IS NULL AND expires_at > now()"; }
credentials="client_id=$client&client_secret=$secret"
verifier=dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk

form="grant_type=authorization_code&code=$(authorize)&code_verifier=$verifier&$credentials"
is "$(together "$form")" ' 1 200 7 400 ' 'of eight uses of a code at once exactly one wins'
is "$(live)" 0 '... and the others void what it got'
refresh=$(front "SELECT oauth_token('grant_type=authorization_code&code=$(authorize)&code_verifier=$verifier&$credentials') #>> '{body,refresh_token}'")
is "$(live)" 1 'a code gives a token'
is "$(together "grant_type=refresh_token&refresh_token=$refresh&$credentials")" ' 1 200 7 400 ' 'of eight uses of a refresh token at once exactly one wins'
is "$(live)" 0 '... and the others end the family'

# Sends a form in a transaction, runs a command beside it until that waits, ends the transaction;
# both answers.
contend() { # form, COMMIT or ROLLBACK, command
	rm -f "$work/first"
	mkfifo "$work/first"
	psql -X -q -A -t -d "$database" -U "$front" <"$work/first" >"$work/first.out" 2>&1 &
	exec 3>"$work/first"
	echo "BEGIN; SELECT smarthg.oauth_token('$1') ->> 'status';" >&3
	for _ in $(seq 50); do [ -s "$work/first.out" ] && break; sleep 0.1; done
	"${@:3}" >"$work/second.out" 2>&1 &
	second=$!
	for _ in $(seq 50); do [ "$(sql "SELECT count(*) FROM pg_stat_activity WHERE usename = '$front' AND wait_event_type = 'Lock'")" = 1 ] && break; sleep 0.1; done
	[ "$(cat "$work/second.out")" = '' ] || echo early
	echo "$2;" >&3
	exec 3>&-
	wait $second
	cat "$work/first.out" "$work/second.out" | tr '\n' ' '
}
status() { front "SELECT oauth_token('$1') ->> 'status'"; }
form="grant_type=authorization_code&code=$(authorize)&code_verifier=$verifier&$credentials"
is "$(contend "$form" ROLLBACK status "$form")" '200 200 ' 'a second use of a code waits for the first, and wins where that is rolled back'
form="grant_type=authorization_code&code=$(authorize)&code_verifier=$verifier&$credentials"
is "$(contend "$form" COMMIT status "$form")" '200 400 ' '... and loses where it is committed'
renew() { front "SELECT oauth_token('grant_type=authorization_code&code=$(authorize)&code_verifier=$verifier&$credentials') #>> '{body,refresh_token}'"; }
form="grant_type=refresh_token&refresh_token=$(renew)&$credentials"
is "$(contend "$form" COMMIT status "$form")" '200 400 ' 'so does a second use of a refresh token'
withdraw() { front "SELECT withdraw_consent('$resident', consent_id) FROM my_consents('$resident') WHERE ended_at IS NULL"; }
is "$(contend "grant_type=refresh_token&refresh_token=$(renew)&$credentials" COMMIT withdraw) $(live)" '200   0' 'a token issued while its consent is taken back is void with it'

# Existing trust: the service signs an assertion instead of sending the resident to a browser.
assertion() { # claims; the key file, if not the service's
	local signed
	signed=$(printf '{"alg":"RS256"}' | base64url).$(printf '%s' "$1" | base64url)
	printf '%s.%s' "$signed" "$(printf '%s' "$signed" | openssl dgst -sha256 -sign "${2:-$work/key}" -binary | base64url)"
}
claims() { # jti, sub, aud, exp
	printf '{"iss":"%s","sub":"%s","aud":"%s","jti":"%s","exp":%s}' "$client" "$2" "$3" "$1" "$4"
}
grant='grant_type=urn:ietf:params:oauth:grant-type:jwt-bearer'
post() { front "SELECT coalesce(a #>> '{body,error}', a #>> '{body,scope}') FROM oauth_token('$1') AS a"; }
token=https://market.invalid/token
soon=$(($(date +%s) + 300))
is "$(post "$grant&assertion=$(assertion "$(claims 1 "$subscription" "$token" $soon)")")" invalid_grant 'without a consent there is no trust to build on'
request=$(front "SELECT request_access('subscription=$subscription&scope=read_mainmeter_hourly&reason=plan&$credentials') #>> '{body,request}'")
front "SELECT delegate('$resident', '$request', 'read_mainmeter_daily')" >/dev/null
good=$(assertion "$(claims 2 "$subscription" "$token" $soon)")
is "$(post "$grant&assertion=$good")" read_mainmeter_daily 'with one the assertion gives a token of what was granted'
is "$(post "$grant&assertion=$good")" invalid_grant '... once'
is "$(together "$grant&assertion=$(assertion "$(claims 3 "$subscription" "$token" $soon)")")" ' 1 200 7 400 ' '... also where eight come at a time'
is "$(post "$grant&scope=read_mainmeter_hourly&assertion=$(assertion "$(claims 4 "$subscription" "$token" $soon)")")" invalid_scope '... and no more than was granted'
is "$(post "$grant&assertion=$(assertion "$(claims 5 "$subscription" https://other.example/token $soon)")")" invalid_grant 'an assertion for another server is refused'
is "$(post "$grant&assertion=$(assertion "$(claims 6 "$subscription" "$token" $((soon - 3600)))")")" invalid_grant '... an expired one'
is "$(post "$grant&assertion=$(assertion "$(claims 7 "$subscription" "$token" $((soon + 86400)))")")" invalid_grant '... one that is good for days'
is "$(post "$grant&assertion=$(assertion "$(claims 8 "$(sql "SELECT sub FROM account WHERE account_id = $resident_id")" "$token" $soon)")")" invalid_grant '... one for a person instead of a subscription'
openssl genpkey -quiet -algorithm RSA -pkeyopt rsa_keygen_bits:2048 -out "$work/forger"
is "$(post "$grant&assertion=$(assertion "$(claims 9 "$subscription" "$token" $soon)" "$work/forger")")" invalid_grant '... one by another key'
is "$(post "$grant&assertion=${good%.*}.")" invalid_grant '... and one without signature'
by_key=client_assertion_type=urn:ietf:params:oauth:client-assertion-type:jwt-bearer
is "$(post "grant_type=client_credentials&$by_key&client_assertion=$(assertion "$(claims 10 "$client" "$token" $soon)")")" unauthorized_client 'a client is known by private_key_jwt'
is "$(post "grant_type=client_credentials&$by_key&client_assertion=$(assertion "$(claims 11 "$subscription" "$token" $soon)")")" invalid_client '... whose subject is itself'

# The service uses its token; the log has it whatever becomes of the transaction.
carry() { psql -X -q -A -t -d "$database" -U "$service" "$@" 2>&1; }
got=$(front "SELECT oauth_token('$grant&assertion=$(assertion "$(claims 20 "$subscription" "$token" $soon)")') #>> '{body,access_token}'")
jti=$(sql "SELECT token_verify('$got') ->> 'jti'")
logged() { sql "SELECT count(*) FROM access_log WHERE jti = '$jti'"; }
is "$(carry -c 'BEGIN READ ONLY' -c "SELECT smarthg.authenticate('$got') ->> 'scope'" -c ROLLBACK)" read_mainmeter_daily 'the token opens what was granted'
is "$(logged)" 1 '... and its use is in the log, though the transaction was read-only and rolled back'
carry -c "SELECT smarthg.authenticate('$got')" -c "SELECT smarthg.authenticate('$got')" >/dev/null
is "$(logged)" 1 '... once an hour'
is "$(front "SELECT service, scope FROM my_access_log('$resident')")" 'planner|read_mainmeter_daily' '... for the resident to read'
is "$(carry -c 'SELECT count(*) FROM smarthg.access_log' | grep -c 'permission denied')|$(carry -c "SELECT smarthg.note_access('$jti')" | grep -c 'permission denied')" '1|1' '... and not for services to read or write'
sql 'VACUUM access_log' && is "$(logged)|$(sql "SET enable_seqscan = off; SELECT count(*) FROM access_log WHERE jti = '$jti'")" '1|1' '... and stays there and in its index after a vacuum'
withdraw >/dev/null
is "$(live)" 0 'a consent taken back voids the tokens that an assertion got'
is "$(carry -c "SELECT smarthg.authenticate('$got')" | grep -c 'read_mainmeter')" 0 '... in the next statement of the service'
operator "SELECT suspend_account($developer_id)"
is "$(post "$grant&assertion=$(assertion "$(claims 21 "$subscription" "$token" $soon)")")" unauthorized_client 'the operator suspends a developer, whose service gets nothing more'
operator "SELECT suspend_account($developer_id, false), review_service('$client', 'suspended', 'under review'), review_service('$client', 'approved', version => 1)"

# A service with a second key gets its tokens encrypted to it; another implementation opens them.
openssl genpkey -quiet -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out "$work/reader" && openssl pkey -in "$work/reader" -pubout -out "$work/reader.public"
developer=$(front "SELECT session FROM log_in('developer@example.com', 'password of a developer')")
front "SELECT change_service('$developer', '$client', encryption_key => '$(cat "$work/reader.public")')" >/dev/null
is "$(post "grant_type=refresh_token&refresh_token=x&$credentials")" unauthorized_client 'a service that was changed waits for review'
operator "SELECT review_service('$client', 'approved', version => 2)"
request=$(front "SELECT request_access('subscription=$subscription&scope=read_mainmeter_hourly&reason=plan&$credentials') #>> '{body,request}'")
front "SELECT delegate('$resident', '$request')" >/dev/null
got=$(front "SELECT oauth_token('$grant&assertion=$(assertion "$(claims 30 "$subscription" "$token" $soon)")') #>> '{body,access_token}'")
is "$(carry -c "SELECT smarthg.authenticate('$got')" | grep -c read_mainmeter)" 0 'a token encrypted to the service is not the one that opens'
opened=$(/usr/bin/python3 - "$work/reader" "$got" <<'PYTHON'
import sys
from jwcrypto import jwe, jwk
token = jwe.JWE()
token.deserialize(sys.argv[2], jwk.JWK.from_pem(open(sys.argv[1], "rb").read()))
print(token.payload.decode())
PYTHON
)
is "$(carry -c "SELECT smarthg.authenticate('$opened') ->> 'scope'")" read_mainmeter_hourly '... which the service finds within'

# Whoever may connect sees locks and may take advisory ones.
attempt="SELECT error FROM smarthg.log_in('resident@example.com', 'password of a resident')"
key=$(psql -X -q -A -t -d "$database" -U "$front" <<<"BEGIN; $attempt \\g /dev/null
SELECT (classid::bigint << 32) + objid::bigint FROM pg_locks WHERE pid = pg_backend_pid() AND locktype = 'advisory'; ROLLBACK;")
is "$(wc -w <<<"$key")" 1 'an attempt to log in holds a lock of its e-mail'
carry -c "SELECT pg_advisory_lock($key), pg_sleep(60)" >/dev/null &
holder=$!
for _ in $(seq 50); do [ "$(sql "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND granted")" = 1 ] && break; sleep 0.1; done
is "$(front "SELECT coalesce(error, 'let in') FROM log_in('resident@example.com', 'password of a resident')")" 'let in' '... which nobody else can hold'
sql "SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory'" >/dev/null
wait $holder

# Errors are in the server's log, passwords and other secrets are not.
front "SELECT sign_up('bob@example.com', 'hunter-22')" >/dev/null 2>&1
front "SELECT change_password('$resident', 'password of a resident', 'hunter-22')" >/dev/null 2>&1
front "SELECT reset_password('guess-of-hunter-22', 'hunter-22 again')" >/dev/null 2>&1
front "SELECT log_in('resident@example.com', repeat('hunter-22', 1000))" >/dev/null 2>&1
front "SELECT oauth_token('hunter-22=1$(printf '&p%s=1' {1..70})')" >/dev/null 2>&1
front "SELECT subscribe('$resident', 'no-service-of-$$')" >/dev/null 2>&1
is "$(grep -c 'password must have at least 10 characters' "$PGHOST/log")|$(grep -c 'no approved service has this client_id' "$PGHOST/log")" '2|1' 'the market'\''s errors are in the log'
is "$(grep -cE "hunter-22|no-service-of-$$" "$PGHOST/log")" 0 '... and no statement that holds a secret'

# Guesses side by side.
sql "UPDATE market_setting SET failures_of_account = 3"
for n in 1 2 3 4 5 6 7 8; do
	(for _ in 1 2 3 4; do front "SELECT error FROM log_in('resident@example.com', 'a guess')"; done) >"$work/guess.$n" 2>&1 &
	pids[n]=$!
done
wait "${pids[@]}"
is "$(cat "$work"/guess.? | grep -c invalid_credentials)" 3 'of guesses side by side no more are tried than one after the other'
is "$(sql 'SELECT count(*) FROM log_in_failure')" 3 '... and each is counted'
operator "SELECT move_out(1, $resident_id), erase_account($resident_id), market_upkeep()"
is "$(sql "SELECT count(*) FROM account" -c "SELECT count(*) FROM access_log")" $'1\n0' 'the operator erases an account, with its access log'
echo "1..$count"
