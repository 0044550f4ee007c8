#!/bin/bash
# Tokens where several sessions, a pooler, the key file and the server's log take part: an identity
# is never left over, never forged before the library is loaded, ends at once when its token does;
# and no token or key is in a log or a dump. Prints TAP; PGHOST and so on name the cluster.
source "$(dirname "$0")/harness"
source "$(dirname "$0")/pooler"
service=smarthg_e2e_service_$$
pool=$(mktemp -d)
chmod 755 "$pool"
leave_token() {
	stop_pooler "$pool/keeping"
	stop_pooler "$pool/resetting"
	[ -z "${key_file:-}" ] || [ ! -e "$key_file.away" ] || mv "$key_file.away" "$key_file"
	leave
	dropuser --if-exists "$service" 2>/dev/null
	rm -rf "$pool"
}
trap leave_token EXIT

createdb "$database" && createuser "$service" &&
	psql -X -q -v ON_ERROR_STOP=1 -d "$database" -c 'CREATE EXTENSION smarthg' -c "GRANT smarthg_service TO $service" ||
	exit 1
sql "SELECT make_token_key('sign'), make_token_key('decrypt')" >/dev/null
issue() { sql "SELECT issue_token('$1', 'service', 'read_home', '1 hour')"; }
a=$(issue owner-a) b=$(issue owner-b)
# What a service sees in a session of its own; statements on standard input.
service() { psql -X -q -A -t -d "$database" -U "$service" "$@" 2>"$work/service.err"; }
through() { PGHOST=$pool/$1 PGPORT=6432 service; }
who="SELECT coalesce((smarthg.current_token()).sub, 'nobody');"

# Behind a pooler whose clients share one session, taken over without a reset as transaction mode does.
start_pooler "$pool/keeping" "$service" 'default_pool_size = 1'
start_pooler "$pool/resetting" "$service" 'default_pool_size = 1' 'server_reset_query_always = 1'
got=$(through keeping <<<"BEGIN; SELECT pg_backend_pid() \\g $work/first
SELECT smarthg.authenticate('$a') \\g /dev/null
$who COMMIT; $who")
is "$got" $'owner-a\nnobody' 'through a pooler an identity lasts for its transaction'
got=$(through keeping <<<"SELECT pg_backend_pid() = $(cat "$work/first"); $who")
is "$got" $'t\nnobody' 'and the next client of the same session has none'
got=$(through keeping <<<"BEGIN; SELECT smarthg.authenticate('$a') \\g /dev/null
SELECT 1 / 0; ROLLBACK; $who")
is "$got" nobody 'nor is it left over by an error'
(through keeping <<<"BEGIN; SELECT smarthg.authenticate('$a') \\g /dev/null
\\! kill \$PPID") >/dev/null 2>&1
is "$(through keeping <<<"$who")" nobody 'nor by a client that vanishes in its transaction'
through resetting <<<"SELECT smarthg.authenticate('$a', true);" >/dev/null
is "$(through resetting <<<"$who")" nobody 'a pooler that says DISCARD ALL takes a session'\''s away'
sql "ALTER ROLE $service SET smarthg.session_identity = off"
stop_pooler "$pool/keeping"
while [ -e "$pool/keeping/pid" ]; do sleep 0.05; done
start_pooler "$pool/keeping" "$service" 'default_pool_size = 1'
through keeping <<<"SELECT smarthg.authenticate('$a', true);" >/dev/null
check "$(grep -q 'no identity may last for this session' "$work/service.err"; echo $?)" 'a role of a pooler can be kept from a session'\''s identity'
is "$(through keeping <<<"$who")" nobody 'then none is left over in transaction mode'
sql "ALTER ROLE $service RESET smarthg.session_identity"

# A session of one's own.
got=$(service <<<"SELECT smarthg.authenticate('$a', true) \\g /dev/null
$who BEGIN; SELECT smarthg.authenticate('$b') \\g /dev/null
$who COMMIT; $who RESET ALL; $who")
is "$got" $'owner-a\nowner-b\nowner-a\nnobody' 'a session'\''s identity lasts, gives way for a transaction, and ends by RESET ALL'
got=$(service <<<"SELECT smarthg.authenticate('$a', true) \\g /dev/null
DISCARD ALL; $who BEGIN; SELECT smarthg.authenticate('$b', true) \\g /dev/null
ROLLBACK; $who")
is "$got" $'nobody\nnobody' 'by DISCARD ALL, and with the rollback of its transaction'
got=$(service <<<"SELECT smarthg.authenticate('$a') \\g /dev/null
$who DO \$\$ BEGIN PERFORM smarthg.authenticate('$a'); COMMIT; RAISE EXCEPTION '%', coalesce((smarthg.current_token()).sub, 'nobody'); END \$\$;")
is "$got" nobody 'a statement of its own is a transaction of its own'
check "$(grep -q 'ERROR:  nobody' "$work/service.err"; echo $?)" 'and a COMMIT within a block ends it'

# A value that was right, taken to another session, before and after the library is loaded there.
stolen=$(sql "SELECT authenticate('$a', true) \\g /dev/null
SELECT current_setting('smarthg.identity')" 2>/dev/null || psql -X -q -A -t -d "$database" <<<"SELECT smarthg.authenticate('$a', true) \\g /dev/null
SELECT current_setting('smarthg.identity')")
check "$([ ${#stolen} -gt 60 ]; echo $?)" 'a superuser can read the setting'
is "$(service <<<"SET smarthg.identity = '$stolen'; $who")" nobody 'set before the library is loaded it is refused'
check "$(grep -q WARNING "$work/service.err"; echo $?)" '... with a warning'
is "$(psql -X -q -A -t -d "$database" <<<"SET smarthg.identity = '$stolen'; $who" 2>/dev/null)" nobody 'to a superuser, too'
is "$(PGOPTIONS="-c smarthg.identity=$stolen" service <<<"$who")" nobody 'by PGOPTIONS it is refused'
service <<<"ALTER ROLE $service SET smarthg.identity = '$stolen'" >/dev/null
psql -X -q -d "$database" -c "ALTER ROLE $service SET smarthg.identity = '$stolen'" -c "ALTER DATABASE $database SET smarthg.identity = '$stolen'" 2>/dev/null
is "$(service <<<"$who")" nobody 'by ALTER ROLE and ALTER DATABASE, a superuser'\''s, too'
psql -X -q -d "$database" -c "ALTER ROLE $service RESET ALL" -c "ALTER DATABASE $database RESET ALL"
psql -X -q -d "$database" <<<"SELECT smarthg.logout() \\g /dev/null
ALTER SYSTEM SET smarthg.identity = '$stolen';" 2>"$work/system.err"
check "$(grep -q 'parameter "smarthg.identity" cannot be changed' "$work/system.err"; echo $?)" 'nor by a file'
service <<<"CREATE FUNCTION pg_temp.f() RETURNS text LANGUAGE sql SET smarthg.identity = '$stolen' AS 'SELECT (smarthg.current_token()).sub';" >/dev/null
check "$(grep -q 'permission denied to set parameter "smarthg.identity"' "$work/service.err"; echo $?)" 'nor by a function with a SET clause made before the library is loaded'

# A token that ends meanwhile: in the next statement, whatever the snapshot.
jti=$(sql "SELECT token_verify('$a')->>'jti'")
coproc SESSION { psql -X -q -A -t -d "$database" -U "$service" 2>&1; }
session_pid=$SESSION_PID
ask() {
	echo "$1" >&"${SESSION[1]}"
	read -r -t 10 answer <&"${SESSION[0]}"
}
echo "BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT smarthg.authenticate('$a') \\g /dev/null" >&"${SESSION[1]}"
ask "$who"
is "$answer" owner-a 'in an open transaction'
sql "SELECT revoke_token('$jti')" >/dev/null
ask "$who"
is "$answer" nobody 'a token revoked elsewhere ends with the next statement, though the snapshot is older'
echo "ROLLBACK; SELECT smarthg.authenticate('$b', true) \\g /dev/null" >&"${SESSION[1]}"
ask "$who"
is "$answer" owner-b 'another token, known to this session'
ask "SELECT smarthg.authenticate('$b')->>'sub';"
is "$(service <<<"SELECT count(*) FROM pg_stat_activity WHERE query LIKE '%${b:0:100}%' AND pid <> pg_backend_pid(); SELECT count(*) FROM pg_stat_activity WHERE query LIKE '(not shown%'")" $'0\n1' 'no other session of the role sees it'
sql "SELECT rotate_token_key('sign', overlap => '1 hour'), retire_token_key(kid) FROM token_key WHERE use = 'sign'" >/dev/null
ask "SELECT smarthg.authenticate('$b');"
is "$answer" 'ERROR:  token is not valid' 'is refused once its key is retired elsewhere'
echo '\q' >&"${SESSION[1]}"
wait "$session_pid" 2>/dev/null

# The key file, and what is kept out of logs and dumps.
key_file=$(sql "SELECT current_setting('data_directory')")/smarthg.key
c=$(issue owner-c)
is "$(stat -c '%a %s' "$key_file")" '600 32' 'the key file is the server'\''s alone'
chmod 640 "$key_file"
service <<<"SELECT smarthg.authenticate('$c')" >/dev/null
check "$(grep -q 'accessible to others' "$work/service.err"; echo $?)" 'others may not read it'
chmod 600 "$key_file"
mv "$key_file" "$key_file.away"
service <<<"SELECT smarthg.authenticate('$c')" >/dev/null
check "$(grep -q 'key file is missing' "$work/service.err"; echo $?)" 'without it there are no keys'
head -c 32 /dev/urandom >"$key_file"
chmod 600 "$key_file"
[ "$(id -u)" != 0 ] || chown postgres: "$key_file"
service <<<"SELECT smarthg.authenticate('$c')" >/dev/null
check "$(grep -q 'could not unwrap a private key' "$work/service.err"; echo $?)" 'nor with another'
mv "$key_file.away" "$key_file"
is "$(service <<<"SELECT smarthg.authenticate('$c')->>'sub'")" owner-c 'with it there are again'
bad=$(sed 's/.$//; s/^\(.\{300\}\)./\1_/' <<<"$c")
service <<<"SELECT smarthg.authenticate('$bad'); DO \$\$ BEGIN PERFORM smarthg.authenticate('$bad'); END \$\$;" >/dev/null
is "$(grep -c 'token is not valid' "$work/service.err")" 2 'a bad token is an error'
check "$(grep -q 'token is not valid' "$PGHOST/log"; echo $?)" 'which is in the log'
service <<<"SELECT smarthg.authenticate('$c') IS NULL OR 1 / (random() * 0)::integer = 1" >/dev/null
check "$(grep -q 'STATEMENT:  (not shown' "$PGHOST/log"; echo $?)" 'nor does it have a statement that fails after it was authenticated'
parts=$(tr '.' '\n' <<<"$c" | awk 'length > 40 { print substr($0, 1, 40) }' | tail -n +2)
check "$(! grep -qF -e "$parts" "$PGHOST/log"; echo $?)" 'but no token is, not even as the statement'
key=$(od -An -v -tx1 "$key_file" | tr -d ' \n')
pg_dump "$database" >"$work/dump"
check "$(grep -q "COPY smarthg.token_key" "$work/dump" && ! grep -q "$key" "$work/dump"; echo $?)" 'a dump has the keys, wrapped, and not the key file'
echo "1..$count"
