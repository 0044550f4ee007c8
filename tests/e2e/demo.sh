#!/bin/bash
# The demonstration runs to its end on the households that the project makes up itself: every home
# planned, every command acknowledged, the page written. Prints TAP.
set -uo pipefail
top=$(cd "$(dirname "$0")/../.." && pwd)
output=$(SMARTHG_DATA=/nonexistent "$top/tests/demo/run" 2>&1)
status=$?
check() { # status, number, promise
	if [ "$1" = 0 ]; then echo "ok $2 - $3"; else echo "not ok $2 - $3"; fi
}
[ "$status" = 0 ] || echo "$output" | tail -n 10 | sed 's/^/# /'
check "$status" 1 'the demonstration needs no data but its own'
check "$([ "$(grep -c '| optimal |' <<<"$output")" = 6 ]; echo $?)" 2 'all six homes are planned'
check "$([ "$(grep -c '| acknowledged |' <<<"$output")" = 6 ]; echo $?)" 3 'all six commands are acknowledged'
check "$([ "$(grep -c '<svg' "$top/build/demo/smarthg.html")" = 6 ]; echo $?)" 4 'the page has a chart for each'
check "$(grep -q '<svg' "$top/build/demo/home.html" && grep -q '<svg' "$top/build/demo/feeder.html"; echo $?)" 5 'so have the resident'"'"'s and the DSO'"'"'s page'
check "$(grep -q 'read_mainmeter_hourly' <<<"$output"; echo $?)" 6 'a service shows its token'
echo 1..6
