#!/bin/bash
# The pages of EUR-H and of the DSO as a browser sees them: made by one SQL call each, shown by
# Chromium without script, request or complaint, on a desk, on a phone and in the dark; pictures are
# left in build/pages. Prints TAP.
set -uo pipefail
top=$(cd "$(dirname "$0")/../.." && pwd)
out=$top/build/pages
mkdir -p "$out"
rm -f "$out"/*
database=smarthg_pages_$$
profile=$(mktemp -d)
createdb "$database"
trap 'dropdb --if-exists --force "$database"; rm -rf "$profile"' EXIT
export PGDATABASE=$database
count=0
check() { # status, promise
	count=$((count + 1))
	if [ "$1" = 0 ]; then echo "ok $count - $2"; else echo "not ok $count - $2"; fi
}
psql -Xq -v ON_ERROR_STOP=1 -c 'CREATE EXTENSION smarthg' -f "$top/tests/e2e/street.sql" >"$out/psql.log" 2>&1 ||
	sed 's/^/# /' "$out/psql.log"
psql -Xq -v ON_ERROR_STOP=1 -c "SELECT count(*) FROM smarthg.ebr_run('2023-05-20 12:00Z')" >>"$out/psql.log" 2>&1

psql -XAtqc "SELECT smarthg.eurh_page(1, '2023-04-01', '2023-05-23')" >"$out/home.html"
check $? 'one SQL call makes the page of a home'
psql -XAtqc "SELECT smarthg.eurh_page(2, '2023-05-21', '2023-05-23')" >"$out/days.html"
psql -XAtqc "SELECT smarthg.eurh_page(9, '2023-05-21', '2023-05-23')" >"$out/nothing.html"
psql -XAtqc "SELECT smarthg.feeder_page(1, '2023-05-16', '2023-05-22')" >"$out/feeder.html"
check $? 'one SQL call makes the page of a feeder'
psql -XAtqc "SELECT smarthg.feeder_page(2, '2023-05-16', '2023-05-22')" >"$out/empty.html"

browse() { # arguments of chromium
	chromium --headless --no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking \
		--disable-component-update --disable-sync --disable-dev-shm-usage --hide-scrollbars --user-data-dir="$profile" "$@" 2>>"$out/chromium.log"
}
# What the browser itself asks for, seen on an empty page, and its makers' services.
hosts() { grep -oE '"url":"(https?|wss?|ftp)://[^/"]*' "$1" | sed 's/.*:\/\///' | sort -u; }
browse --log-net-log="$out/blank.net.json" --dump-dom about:blank >/dev/null
own='^(accounts|clients[0-9]|update|optimizationguide-pa|safebrowsing|content-autofill)[.](google|googleapis)[.]com$'
for page in home days nothing feeder empty; do
	: >"$out/chromium.log"
	browse --enable-logging=stderr --log-net-log="$out/$page.net.json" --dump-dom "file://$out/$page.html" >"$out/$page.dom"
	check "$(grep -q '</main>' "$out/$page.dom" && ! grep -q 'CONSOLE' "$out/chromium.log"; echo $?)" "$page: shown without a complaint on the console"
	check "$([ -s "$out/$page.net.json" ] && ! hosts "$out/$page.net.json" | grep -vxFf <(hosts "$out/blank.net.json") | grep -vE "$own" | grep .; echo $?)" "$page: asks the network for nothing"
	check "$(! grep -qiE '<(script|img|iframe|object|embed)|onerror=|src=' <(sed 's/&lt;[^<]*//g' "$out/$page.dom"); echo $?)" "$page: holds neither script nor anything from elsewhere"
done
check "$(grep -q '<title>Electricity of &lt;script&gt;' "$out/home.dom"; echo $?)" 'a name that would be a script is text'
check "$(grep -q '&lt;img src=x onerror=alert(1)&gt;' "$out/home.dom"; echo $?)" '... and so is an appliance'
check "$(grep -q 'Svebølle &amp; &lt;b&gt;co' "$out/feeder.dom"; echo $?)" '... and a substation'
charts=$(grep -o '<svg viewBox="0 0 720' "$out/home.dom" | wc -l)
check "$([ "$charts" -ge 9 ]; echo $?)" "the page of a home has its charts ($charts)"
check "$([ "$(grep -o 'role="img" aria-labelledby' "$out/home.dom" | wc -l)" = "$charts" ] && [ "$(grep -o '<summary>' "$out/home.dom" | wc -l)" = "$charts" ]; echo $?)" 'every chart has a name and its numbers as a table'
check "$([ -z "$(grep -oE ' id="[^"]*"' "$out/home.dom" | sort | uniq -d)" ]; echo $?)" 'no name stands twice'
check "$(grep -q '7 homes alike\|6 homes alike\|5 homes alike' "$out/home.dom"; echo $?)" 'similar homes are a group of five or more'
check "$(! grep -q 'home [2-8]' "$out/home.dom"; echo $?)" '... none of which is named'
check "$(grep -q 'No readings of this home' "$out/nothing.dom"; echo $?)" 'a home without readings is told'
check "$(grep -q 'perfect foresight' "$out/feeder.dom" && grep -q '6 of 8' "$out/feeder.dom" && grep -q 'Accuracy of forecasts' "$out/feeder.dom"; echo $?)" 'the page of a feeder has savings, gateways and accuracy'
check "$(grep -q 'Not shown' "$out/empty.dom" && grep -q 'no home has a battery or vehicle' "$out/empty.dom"; echo $?)" 'what has no data is named'

browse --window-size=1100,3600 --screenshot="$out/home.png" "file://$out/home.html"
browse --window-size=500,4200 --screenshot="$out/home-phone.png" "file://$out/home.html"
browse --window-size=1100,1800 --blink-settings=preferredColorScheme=0 --screenshot="$out/feeder-dark.png" "file://$out/feeder.html"
browse --print-to-pdf="$out/home.pdf" "file://$out/home.html"
check "$([ -s "$out/home.png" ] && [ -s "$out/home-phone.png" ] && [ -s "$out/feeder-dark.png" ]; echo $?)" 'pictures are in build/pages'
check "$(head -c 5 "$out/home.pdf" | grep -q '%PDF-'; echo $?)" 'and a print'
echo "1..$count"
