#!/bin/bash
# What an identity costs: authenticate in one backend, for tokens seen for the first time and again,
# current_token(), and transactions through Debian's pgbouncer with and without authentication. The
# transaction reads a day or a month of one home's energy, as a service does. SECONDS_EACH=5 says how long each
# turn of pgbench takes; the ways take turns. Run by `make bench` on a private cluster with fsync on.
set -euo pipefail
source "$(dirname "$0")/../e2e/pooler"
seconds=${SECONDS_EACH:-5}
turns=${TURNS:-3}
database=smarthg_bench_$$ service=smarthg_bench_service_$$
work=$(mktemp -d)
chmod 755 "$work"
trap 'stop_pooler "$work/pool"; dropdb --if-exists --force "$database"; dropuser --if-exists "$service"; rm -rf "$work"' EXIT
pgbench=$(pg_config --bindir)/pgbench
createdb "$database"
createuser "$service"
export PGDATABASE=$database
psql -X -q -v ON_ERROR_STOP=1 -v service="$service" <<'SQL'
CREATE EXTENSION smarthg;
SET search_path = smarthg, public;
GRANT smarthg_service TO :service;
SELECT make_token_key('sign'), make_token_key('decrypt') \g /dev/null
CREATE TABLE public.energy (home_id bigint, slot_start timestamptz, energy_kwh float8, PRIMARY KEY (home_id, slot_start));
INSERT INTO public.energy SELECT h, t, 0.1 FROM generate_series(1, 200) AS h, generate_series('2026-01-01'::timestamptz, '2026-01-30 23:45Z', '15 min') AS t;
GRANT SELECT ON public.energy TO :service;
CREATE TABLE public.token AS SELECT n, issue_token('owner-' || n, 'service', 'read_mainmeter_15min', '1 day', ARRAY[n]) AS token FROM generate_series(1, 200) AS n;
VACUUM ANALYZE;
CREATE FUNCTION public.authenticate_all(rounds integer) RETURNS TABLE (what text, us_each numeric) LANGUAGE plpgsql AS $$
DECLARE
	tokens text[] := ARRAY(SELECT token FROM public.token);
	began timestamptz := clock_timestamp();
	t text;
BEGIN
	FOREACH t IN ARRAY tokens LOOP
		PERFORM smarthg.authenticate(t);
	END LOOP;
	RETURN QUERY SELECT 'authenticate, first time'::text, round((extract(epoch FROM clock_timestamp() - began) * 1e6 / cardinality(tokens))::numeric, 1);
	began := clock_timestamp();
	FOR n IN 1 .. rounds LOOP
		FOREACH t IN ARRAY tokens LOOP
			PERFORM smarthg.authenticate(t);
		END LOOP;
	END LOOP;
	RETURN QUERY SELECT 'authenticate, seen before', round((extract(epoch FROM clock_timestamp() - began) * 1e6 / cardinality(tokens) / rounds)::numeric, 1);
	began := clock_timestamp();
	FOR n IN 1 .. rounds LOOP
		FOREACH t IN ARRAY tokens LOOP
			PERFORM smarthg.current_token();
		END LOOP;
	END LOOP;
	RETURN QUERY SELECT 'current_token', round((extract(epoch FROM clock_timestamp() - began) * 1e6 / cardinality(tokens) / rounds)::numeric, 1);
	began := clock_timestamp();
	FOR n IN 1 .. rounds LOOP
		FOREACH t IN ARRAY tokens LOOP
			PERFORM length(t);
		END LOOP;
	END LOOP;
	RETURN QUERY SELECT 'the loop itself', round((extract(epoch FROM clock_timestamp() - began) * 1e6 / cardinality(tokens) / rounds)::numeric, 1);
END $$;
SELECT * FROM public.authenticate_all(50);
SQL

start_pooler "$work/pool" "$service" 'default_pool_size = 4'
psql -X -A -t -F ' ' -c 'SELECT n, token FROM public.token WHERE n <= 20' >"$work/tokens"
# The scripts of a kind, one for each of 20 owners: what goes with BEGIN in one message, so that all
# kinds have as many round trips, and how many days are read.
scripts() { # kind, days
	while read -r n token; do
		case $1 in
		without) first= ;;
		statement) first="\\; SELECT length('$token')" ;;
		with) first="\\; SELECT smarthg.authenticate('$token')" ;;
		esac
		printf '%s\n' "BEGIN$first;" "SELECT sum(energy_kwh) FROM public.energy WHERE home_id = $n AND slot_start >= '2026-01-01' AND slot_start < timestamptz '2026-01-01' + interval '$2 days';" \
			'COMMIT;' >"$work/$1.$2.$n"
	done <"$work/tokens"
}
rate() { # kind, days
	local options=()
	for script in "$work/$1.$2".*; do options+=(-f "$script"); done
	"$pgbench" -n -h "$work/pool" -p 6432 -U "$service" -c 8 -j 2 -T "$seconds" "${options[@]}" | sed -n 's/^tps = \([0-9.]*\).*/\1/p'
}
for days in 1 30; do
	for kind in without statement with; do scripts "$kind" "$days"; done
	rate with "$days" >/dev/null
	for _ in $(seq "$turns"); do
		for kind in without statement with; do echo "$kind $(rate "$kind" "$days")"; done
	done | awk -v days="$days" '{ sum[$1] += $2 }
		END { printf "through pgbouncer, %s days read: transactions/s %.0f without, %.0f with another statement of that size, %.0f with authentication (%.2f and %.2f of without)\n",
			days, sum["without"] / NR * 3, sum["statement"] / NR * 3, sum["with"] / NR * 3, sum["statement"] / sum["without"], sum["with"] / sum["without"] }'
done
