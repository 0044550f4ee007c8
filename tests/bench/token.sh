#!/bin/bash
# What an identity costs: authenticate in one backend, for tokens seen for the first time and again,
# current_token(), and transactions through Debian's pgbouncer with and without authentication. The
# transaction reads a day of one home's energy, as a service does. SECONDS_EACH=5 says how long each
# turn of pgbench takes; the two take turns. Run by `make bench` on a private cluster with fsync on.
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

query="SELECT sum(energy_kwh) FROM public.energy WHERE home_id = :home AND slot_start >= '2026-01-10' AND slot_start < '2026-01-11';"
{
	echo '\set home random(1, 200)'
	printf 'BEGIN;\n%s\nCOMMIT;\n' "$query"
} >"$work/without"
# The tokens of 20 owners, each in a script of its own, as a service holds them.
psql -X -A -t -F ' ' -c 'SELECT n, token FROM public.token WHERE n <= 20' | while read -r n token; do
	printf '\\set home %s\nBEGIN;\nSELECT smarthg.authenticate('"'%s'"');\n%s\nCOMMIT;\n' "$n" "$token" "$query" >"$work/with.$n"
done
chmod a+r "$work"/*
start_pooler "$work/pool" "$service" 'default_pool_size = 4'
rate() { # scripts
	"$pgbench" -n -h "$work/pool" -p 6432 -U "$service" -c 8 -j 2 -T "$seconds" "$@" 2>/dev/null | sed -n 's/^tps = \([0-9.]*\).*/\1/p'
}
with=() scripts=()
for script in "$work"/with.*; do scripts+=(-f "$script"); done
for _ in $(seq "$turns"); do
	echo "without $(rate -f "$work/without")"
	echo "with $(rate "${scripts[@]}")"
done | awk '{ sum[$1] += $2; n[$1]++ }
	END { printf "through pgbouncer: %.0f transactions/s without, %.0f with authentication, ratio %.2f\n",
		sum["without"] / n["without"], sum["with"] / n["with"], sum["with"] / sum["without"] * n["without"] / n["with"] }'
