#!/bin/bash
# The tour of the README, statement by statement, as a reader types it. Prints TAP.
set -euo pipefail
cd "$(dirname "$0")/../.."
database=smarthg_tour_$$
createdb "$database"
trap 'dropdb --if-exists --force "$database"' EXIT
export PGDATABASE=$database
sed -n '/^## Five minutes in psql/,/^## SQL functions/s/^    //p' README.md >"${TMPDIR:-/tmp}/tour_$$.sql"
answers=$(psql -X -A -t -v ON_ERROR_STOP=1 -f "${TMPDIR:-/tmp}/tour_$$.sql" 2>&1) && status=0 || status=$?
rm -f "${TMPDIR:-/tmp}/tour_$$.sql"
echo "1..3"
if [ "$status" = 0 ]; then echo "ok 1 - every statement of the tour runs"; else echo "not ok 1 - every statement of the tour runs"; sed 's/^/# /' <<<"$answers" | tail -n 5; fi
days=$(psql -X -A -t -c 'SELECT count(*) FROM smarthg.home_energy_daily') || days=
commands=$(psql -X -A -t -c "SELECT count(*) FROM smarthg.command JOIN smarthg.plan USING (home_id, plan_id) WHERE status = 'optimal'") || commands=
if [ "${days:-0}" -ge 9 ]; then echo "ok 2 - its readings become days of energy"; else echo "not ok 2 - its readings become days of energy"; fi
if [ "${commands:-0}" = 1 ]; then echo "ok 3 - and its home a plan and a command"; else echo "not ok 3 - and its home a plan and a command"; fi
