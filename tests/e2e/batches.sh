#!/bin/bash
# Several sessions feed the same records of the same gateways at random, by batches and arrays, and
# die in the middle, while meters and scales change: every record is in the database exactly once.
# And what backends keep of registers follows what other sessions change. Prints TAP; PGHOST and so
# on name the cluster.
set -uo pipefail
database=smarthg_batches_$$
. "$(dirname "$0")/scratch"
export PGDATABASE=$database PGOPTIONS='-c search_path=smarthg,public -c client_min_messages=error'
sql() { psql -X -q -A -t -v ON_ERROR_STOP=1 -c "$1"; }
# A session that stays: a file descriptor to write to, and what it answers in $work/NAME.
open_session() { # name, descriptor
	mkfifo "$work/$1.in"
	psql -X -q -A -t -v VERBOSITY=sqlstate <"$work/$1.in" >"$work/$1" 2>&1 &
	eval "exec $2>'$work/$1.in'"
}
say() { # name, descriptor, statements; waits until they are done
	rm -f "$work/$1.done"
	printf '%s\n\\! touch %s\n' "$3" "$work/$1.done" >&"$2"
	for _ in $(seq 200); do [ -e "$work/$1.done" ] && return; sleep 0.02; done
}
waits() { # until some session waits for a lock
	for _ in $(seq 200); do
		[ "$(sql "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'")" = 0 ] || return
		sleep 0.02
	done
}

gateways=8 records=400
createdb "$database"
sql "CREATE EXTENSION smarthg" || { echo "Bail out! no extension"; exit 1; }

# Records as bytes and as what bytes say: mostly a reading of the gateway's meter; each 10th of one
# that nobody entered, each 13th for the quarantine, each 17th of another register, and scales that
# come and go; or of the first alone.
fill() { # gateways, records, whether of all kinds
	psql -X -q -v gateways="$1" -f "$(dirname "$0")/homes.psql" && sql "
DROP TABLE IF EXISTS public.sent;
CREATE TABLE public.sent AS
	SELECT gateway_id, n AS record_no, timestamptz '2026-03-01Z' + n * interval '1 min' AS at, CASE WHEN $3 AND n % 13 = 0 THEN 'no key' END AS reason,
		CASE WHEN $3 AND n % 10 = 0 THEN '\xee' ELSE m.device_address END AS device, CASE WHEN $3 AND n % 17 = 0 THEN '1-0:2.8.0.255' ELSE '1-0:1.8.0.255' END AS obis,
		gateway_id * 1000000 + n AS raw, CASE WHEN $3 AND n % 19 = 0 THEN 1000 + n / 200 ELSE 0 END AS divisor, NULL::bytea AS bytes
	FROM meter m, generate_series(1, $2) AS n;
UPDATE public.sent SET bytes = int8send(gateway_id) || int8send(record_no) || int8send(0) || int8send((extract(epoch FROM at) * 1000)::bigint) || '\x01'
	|| CASE WHEN reason IS NULL THEN '\x000000000100000001ff'::bytea || int8send(raw) || int8send((divisor > 0)::integer) || int8send(divisor) || int8send((extract(epoch FROM at) * 1000)::bigint)
			|| substr(int4send(20 + length(device)), 4) || substr(int4send(length(device)), 4) || '\x0d0301' || device || convert_to(obis || 'kWh', 'UTF8')
			ELSE '\x010000000100060000ff' || convert_to(reason, 'UTF8') END;
UPDATE public.sent SET bytes = int4send(length(bytes)) || bytes;
CREATE UNIQUE INDEX ON public.sent (gateway_id, record_no);
CREATE OR REPLACE FUNCTION public.of(gateway bigint, first bigint, until bigint) RETURNS bytea LANGUAGE sql AS \$\$
	SELECT string_agg(bytes, '' ORDER BY record_no) FROM public.sent WHERE gateway_id = gateway AND record_no BETWEEN first AND until
\$\$;
CREATE OR REPLACE FUNCTION public.send(gateway bigint, first bigint, until bigint) RETURNS text LANGUAGE sql AS \$\$
	SELECT string_agg(b::text, ' ') FROM bridge_ingest_batch(public.of(gateway, first, until)) AS b
\$\$;" >/dev/null
}
fill $gateways $records true
sql "
-- Some gateways' records around their marks: in their order or shuffled, in a transaction that ends at
-- once, late, or with a savepoint that is rolled back.
CREATE PROCEDURE public.feed(by_arrays boolean) LANGUAGE plpgsql AS \$\$
DECLARE
	shuffled boolean;
	chosen bigint[];
BEGIN
	LOOP
		shuffled := random() < 0.2;
		SELECT array_agg(g.gateway_id) INTO chosen FROM gateway g WHERE g.committed_record_no < $records AND random() < 0.4;
		EXIT WHEN chosen IS NULL AND NOT EXISTS (SELECT FROM gateway g WHERE g.committed_record_no < $records);
		BEGIN
			IF by_arrays THEN
				PERFORM bridge_ingest(array_agg(s.gateway_id), array_agg(s.record_no), array_agg(NULL::timestamptz), array_agg(s.at), array_agg(1::smallint), array_agg('\x'::bytea),
						array_agg('\xff'::bytea), array_agg(s.reason), coalesce(array_agg(s.i) FILTER (WHERE s.reason IS NULL), '{}'), coalesce(array_agg(s.device) FILTER (WHERE s.reason IS NULL), '{}'),
						coalesce(array_agg(1::smallint) FILTER (WHERE s.reason IS NULL), '{}'), coalesce(array_agg(s.obis) FILTER (WHERE s.reason IS NULL), '{}'),
						coalesce(array_agg('kWh'::text) FILTER (WHERE s.reason IS NULL), '{}'), coalesce(array_agg(s.raw) FILTER (WHERE s.reason IS NULL), '{}'),
						coalesce(array_agg(CASE WHEN s.divisor > 0 THEN 1::bigint END) FILTER (WHERE s.reason IS NULL), '{}'),
						coalesce(array_agg(nullif(s.divisor, 0)::bigint) FILTER (WHERE s.reason IS NULL), '{}'), coalesce(array_agg(s.at) FILTER (WHERE s.reason IS NULL), '{}'))
				FROM (SELECT s.*, row_number() OVER ()::integer AS i FROM public.sent s JOIN gateway g USING (gateway_id)
					WHERE g.gateway_id = ANY (chosen) AND s.record_no BETWEEN g.committed_record_no - 2 AND g.committed_record_no + 10) AS s HAVING count(*) > 0;
			ELSE
				PERFORM bridge_ingest_batch(string_agg(s.bytes, '' ORDER BY CASE WHEN shuffled THEN random() ELSE s.record_no END))
				FROM public.sent s JOIN gateway g USING (gateway_id)
				WHERE g.gateway_id = ANY (chosen) AND s.record_no BETWEEN g.committed_record_no + CASE WHEN shuffled THEN -3 ELSE 1 END AND g.committed_record_no + 10 * (1 + shuffled::integer)
				HAVING count(*) > 0;
			END IF;
			IF random() < 0.1 THEN
				PERFORM pg_sleep(0.01);
			END IF;
			IF random() < 0.05 THEN
				RAISE division_by_zero;
			END IF;
		EXCEPTION WHEN division_by_zero OR serialization_failure OR deadlock_detected OR lock_not_available THEN
		END;
		COMMIT;
	END LOOP;
END \$\$;"

feed() { # whether by arrays
	until psql -X -q -v ON_ERROR_STOP=1 -c "SET deadlock_timeout = '50ms'" -c "CALL public.feed($1)" 2>>"$work/feed_errors"; do
		[ ! -e "$work/late" ] || break
	done
}
kill_some() {
	while [ ! -e "$work/fed" ]; do
		echo "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND query ~ '^CALL public.feed' AND random() < 0.3; SELECT pg_sleep(0.1);"
		sleep 0.11
	done | psql -X -q -A -t | grep -c t >"$work/killed"
}
change() {
	while [ ! -e "$work/fed" ]; do
		echo "UPDATE meter SET device_address = '\xdd' WHERE meter_id = 1; SELECT pg_sleep(0.02); UPDATE meter SET device_address = decode('0015bc0200000001', 'hex') WHERE meter_id = 1;
			SELECT begin_epoch(register_id, min(valid_from), 1, 7, NULL, 'exchange') FROM register JOIN register_epoch USING (register_id) WHERE meter_id = 2 GROUP BY register_id;
			BEGIN; SELECT FROM gateway WHERE gateway_id IN (3, 4) FOR UPDATE; UPDATE gateway SET home_id = 5 WHERE gateway_id = 3; SELECT pg_sleep(0.01); COMMIT;"
		sleep 0.05
	done | psql -X -q >/dev/null 2>>"$work/change_errors"
}
for arrays in false false false false true; do
	feed $arrays &
	feeding="${feeding:-} $!"
done
kill_some &
change &
(sleep 20; touch "$work/late"; sql "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND query ~ '^CALL public.feed'" >/dev/null) &
watch=$!
wait $feeding
touch "$work/fed"
kill $watch
wait
is "$(cat "$work/change_errors" 2>/dev/null)" "" "who changes meters is not held up"
is "$([ "$(cat "$work/killed")" -gt 3 ]; echo $?)" 0 "sessions were ended in the middle ($(cat "$work/killed"))"
is "$(grep -o 'ERROR:.*' "$work/feed_errors" | sort | uniq -c)" "" "... and had no other trouble"
is "$(sql "SELECT min(committed_record_no), max(committed_record_no), (SELECT count(*) FROM gateway_record_ahead) FROM gateway")" "$records|$records|0" "all marks are at the end"
is "$(sql "SELECT count(*), count(DISTINCT (gateway_id, record_no)) FROM (SELECT gateway_id, record_no FROM reading_landing UNION ALL SELECT gateway_id, record_no FROM quarantine) AS kept")" \
	"$((gateways * records))|$((gateways * records))" "each record is there exactly once"
is "$(sql "SELECT sum(raw_value - gateway_id * 1000000 - record_no), count(*) FILTER (WHERE r.obis <> s.obis OR r.meter_id <> l.gateway_id OR l.measured_at <> s.at OR s.reason IS NOT NULL OR s.device = '\xee')
	FROM reading_landing l JOIN register r USING (register_id) JOIN public.sent s USING (gateway_id, record_no)")" "0|0" "... with its own value, of its own register"
is "$(sql "SELECT count(*) FROM public.sent s WHERE (reason IS NOT NULL OR device = '\xee') AND NOT EXISTS (SELECT FROM quarantine q WHERE (q.gateway_id, q.record_no) = (s.gateway_id, s.record_no) AND q.reason = coalesce(s.reason, 'meter is unknown'))")" \
	0 "... or kept for its own reason"
is "$(sql "SELECT count(*) FROM quarantine q JOIN public.sent s USING (gateway_id, record_no) WHERE s.reason IS NULL AND s.device <> '\xee' AND gateway_id > 1")" 0 "... which only a meter under change can change"

# What is kept of registers, one after the other: in the end each must have gone the way that is asked
# of arrays. The sessions know their registers from a first batch.
known() { sql "SELECT count(*) FROM reading_landing l WHERE gateway_id = $1 AND record_no > $2"; }
sql "DROP EXTENSION smarthg CASCADE; CREATE EXTENSION smarthg"
fill 9 200 false
open_session bridge 3
open_session admin 4
for gateway in $(seq 8); do say bridge 3 "SELECT public.send($gateway, 1, 4); SELECT public.send($gateway, 5, 8);"; done

say bridge 3 "SELECT 1;" && echo "DO \$\$ BEGIN PERFORM public.send(1, 9, 10); PERFORM public.send(1, 11, 12); PERFORM pg_sleep(0.5); PERFORM public.send(1, 13, 16); END \$\$;" >&3
sleep 0.2
say admin 4 "UPDATE meter SET device_address = '\xd1' WHERE meter_id = 1;"
say bridge 3 "SELECT 1;"
is "$(known 1 8)" 4 "a change that commits between two batches of a transaction holds from the second on"

say admin 4 "BEGIN; SELECT FROM gateway WHERE gateway_id = 2 FOR UPDATE; UPDATE meter SET device_address = '\xd2' WHERE meter_id = 2;"
say bridge 3 "SELECT 2;" && echo "SELECT public.send(2, 9, 12);" >&3
waits
say admin 4 "COMMIT;"
say bridge 3 "SELECT public.send(2, 9, 12);"
is "$(known 2 8) $(sql "SELECT count(*) FROM quarantine WHERE gateway_id = 2")" "0 4" "a batch that waited for who changes a meter does not land by what it knew before"

say bridge 3 "BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT count(*) FROM meter;"
say admin 4 "UPDATE meter SET device_address = '\xd3' WHERE meter_id = 3;"
say bridge 3 "SELECT public.send(4, 9, 12); SELECT public.send(3, 9, 9); COMMIT; SELECT public.send(3, 10, 12);"
is "$(known 3 9) $(known 4 8)" "0 4" "what an old snapshot shows is not kept"

say bridge 3 "SELECT public.send(5, 9, 9);"
say admin 4 "SET session_replication_role = replica; UPDATE meter SET device_address = '\xd5' WHERE meter_id = 5; RESET session_replication_role;"
say bridge 3 "SELECT public.send(5, 10, 12);"
is "$(known 5 9)" 0 "a change is heard where other triggers are quiet"

say bridge 3 "SET default_transaction_read_only = on; SELECT public.send(6, 9, 12); RESET default_transaction_read_only;"
is "$(known 6 8) $(grep -c 25006 "$work/bridge")" "0 1" "a batch does not write where nothing is to be written"

say admin 4 "BEGIN; SELECT FROM gateway WHERE gateway_id = 9 FOR UPDATE;"
say bridge 3 "SET statement_timeout = '200ms'; SELECT public.send(9, 1, 200); RESET statement_timeout;"
say admin 4 "ROLLBACK;"
is "$(known 9 0) $(grep -c 57014 "$work/bridge")" "0 1" "a batch that is cancelled while it waits has done nothing"
say bridge 3 "SELECT count(public.send(9, 1, n)) FROM generate_series(1, 200) AS n;"
is "$(sql "SELECT count(*), count(DISTINCT record_no), (SELECT committed_record_no FROM gateway WHERE gateway_id = 9) FROM reading_landing WHERE gateway_id = 9")" "200|200|200" "a batch that is sent again and again lands once"

say admin 4 "BEGIN; SELECT FROM gateway WHERE gateway_id = 7 FOR UPDATE; UPDATE register SET unit = 'm3' WHERE meter_id = 7;"
say bridge 3 "SELECT 7;" && echo "SELECT public.send(7, 9, 12);" >&3
waits
say admin 4 "COMMIT;"
say bridge 3 "SELECT public.send(7, 9, 12);"
is "$(grep -c 40001 "$work/bridge") $(known 7 8) $(sql "SELECT DISTINCT reason FROM quarantine WHERE gateway_id = 7")" "1 0 unit differs from the register's" "... and comes again where it takes queries now"

say bridge 3 "SELECT public.send(8, 9, 9);"
say admin 4 "BEGIN; DELETE FROM reading_landing WHERE gateway_id = 8; DELETE FROM register_epoch; DELETE FROM register; COMMIT;"
say bridge 3 "SELECT public.send(8, 10, 13);"
is "$(sql "SELECT count(*) FROM reading_landing JOIN register USING (register_id) WHERE gateway_id = 8")" 4 "a register that was deleted is made again"

say bridge 3 "BEGIN; DELETE FROM reading_landing WHERE gateway_id = 4; SELECT public.send(4, 13, 14); SELECT public.send(4, 15, 16); PREPARE TRANSACTION '$database'; ROLLBACK PREPARED '$database';"
say bridge 3 "SELECT public.send(4, 13, 16);"
is "$(sql "SELECT count(*) FROM reading_landing JOIN register USING (register_id) WHERE gateway_id = 4 AND record_no > 12")" 4 "a register of a transaction that was prepared and rolled back is made again"

say bridge 3 "DROP EXTENSION smarthg CASCADE; CREATE EXTENSION smarthg;"
fill 2 100 false
say bridge 3 "SELECT public.send(1, 1, 4); SELECT public.send(1, 5, 8);"
is "$(sql "SELECT count(*) FROM reading_landing JOIN register USING (register_id)")" 8 "an extension that was dropped and made anew is another one"
exec 3>&- 4>&-
wait
echo "1..$count"
