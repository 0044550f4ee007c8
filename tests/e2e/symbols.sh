#!/bin/bash
# A loaded extension finds the server's functions before those of its own libraries: none that it
# calls may bear the same name in both, as json_object does in jansson and PostgreSQL. Prints TAP.
set -euo pipefail
module=$(cd "$(dirname "$0")/../.." && pwd)/smarthg.so
server=$("${PG_CONFIG:-pg_config}" --bindir)/postgres
names() { # nm's arguments
	nm -D "$@" | sed 's/.* //; s/@.*//' | sort -u
}
libraries=$(ldd "$module" | awk '$3 ~ /lib(jansson|crypto|glpk)/ { print $3 }')
echo "1..$(($(wc -w <<<"$libraries") + 1))"
[ "$(wc -w <<<"$libraries")" = 3 ] || printf 'not '
echo "ok 1 - the extension has its three libraries"
count=1
for library in $libraries; do
	count=$((count + 1))
	both=$(comm -12 <(names --undefined-only "$module") \
		<(comm -12 <(names --defined-only "$library") <(names --defined-only "$server")))
	[ -z "$both" ] || printf 'not '
	echo "ok $count - $(basename "$library"): nothing that is called is the server's too"
	[ -z "$both" ] || sed 's/^/# /' <<<"$both"
done
