#!/bin/bash
# Nested tokens both ways with two implementations that are not ours, Debian's python3-jwcrypto and
# the command jose (libjose): they open what we issue, we accept what they seal, for both signature
# algorithms. Prints TAP; PGHOST and so on name the cluster.
source "$(dirname "$0")/harness"
here=$(cd "$(dirname "$0")/../interop" && pwd)
createdb "$database" && psql -X -q -v ON_ERROR_STOP=1 -d "$database" -c 'CREATE EXTENSION smarthg' || exit 1

private_jwk() { # kid
	sql "SELECT encode(wrapped_private, 'hex') FROM token_key WHERE kid = '$1'" |
		"$here/unwrap.py" "$key_file" "$1" "$(sql "SELECT algorithm FROM token_key WHERE kid = '$1'")"
}
# The same two actions by the command jose.
jose_nested() { # open or seal, signing key, decrypting key
	if [ "$1" = open ]; then
		jose jwe dec -i- -k "$3" -O- | jose jws ver -i- -k "$2" -O-
	else
		jose jws sig -I- -k "$2" -c -s "{\"protected\":{\"alg\":$(jose fmt -j "$2" -g alg -o-),\"kid\":$(jose fmt -j "$2" -g kid -o-),\"typ\":\"at+jwt\"}}" >"$work/inner" &&
			jose jwk pub -i "$3" -o "$work/public" &&
			jose jwe enc -I "$work/inner" -k "$work/public" -c \
				-i "{\"protected\":{\"alg\":\"ECDH-ES+A256KW\",\"enc\":\"A256GCM\",\"kid\":$(jose fmt -j "$3" -g kid -o-),\"typ\":\"JWT\",\"cty\":\"JWT\"}}"
	fi
}

key_file=$(sql "SELECT current_setting('data_directory')")/smarthg.key
decrypt=$(sql "SELECT make_token_key('decrypt')")
private_jwk "$decrypt" >"$work/decrypt.jwk"
for algorithm in ES256 RS256; do
	sign=$(sql "SELECT make_token_key('sign', '$algorithm')")
	private_jwk "$sign" >"$work/sign.jwk"
	sql "SELECT jwks()->'keys'->-1" >"$work/published.jwk"
	token=$(sql "SELECT issue_token('owner', 'service', 'read_mainmeter_hourly', '1 hour')")
	claims=$(sql "SELECT token_verify('$token')")
	is "$(sql "SELECT '$claims'::jsonb->>'sub'")" owner "$algorithm: a token of ours"
	for other in "$here/nested.py" jose_nested; do
		opened=$("$other" open "$work/published.jwk" "$work/decrypt.jwk" <<<"$token")
		is "$(sql "SELECT '$opened'::jsonb")" "$claims" "$algorithm: ${other##*/} opens our token by the published key"
		sealed=$("$other" seal "$work/sign.jwk" "$work/decrypt.jwk" <<<"$opened")
		is "$(sql "SELECT token_verify('$sealed')")" "$claims" "$algorithm: we accept what ${other##*/} seals"
	done
done
echo "1..$count"
