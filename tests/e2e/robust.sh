#!/bin/bash
# Hardship: a database that is away, full or slow; gateways with clocks that jump; connections that
# trickle, stall or send garbage. Every record that is acknowledged is stored exactly once, and
# honest gateways feel nothing of others. SMARTHG_DOWN_SECONDS (4) says how long the database is
# away. Prints TAP; the cluster of tests/cluster is stopped and started.
. "$(dirname "$0")/harness"

homes=10 down_s=${SMARTHG_DOWN_SECONDS:-4}
records() { "$top/tests/e2e/telegrams" $homes "$1" >"$work/telegrams"; }
# Records of each home that are stored as they were sent, in all; those stored otherwise or twice;
# lowest and highest mark.
stored() {
	sql "SELECT count(DISTINCT (gateway_id, record_no)) FILTER (WHERE raw_value = 1000 * meter_id + 7 * record_no AND gateway_id = meter_id
			AND measured_at = to_timestamp(1700000000 + 60 * record_no)),
		count(*) - count(DISTINCT (gateway_id, record_no)), (SELECT min(committed_record_no) || ' ' || max(committed_record_no) FROM gateway WHERE gateway_id <= $homes)
		FROM reading JOIN register USING (register_id) WHERE gateway_id <= $homes AND obis = '1-0:1.8.0.255'" | tr '|' ' '
}
holds() { is "$(stored)" "$((homes * $1)) 0 $1 $1" "$2"; }
start() { start_bridge --keepalive_seconds=1 --offline_factor=2 --batch_records=200 --handshake_seconds=1 --max_pending_connections=50 --stop_seconds=2 "$@"; }

make_homes $((homes + 1)) || { echo "Bail out! no database"; exit 1; }
start
# A gateway that stays connected through what follows.
for _ in $(seq 50); do [ "$(logged 'gateways loaded')" -gt 0 ] && break; sleep 0.1; done
"$top/tests/e2e/telegrams" $((homes + 1)) 1 | tail -n 1 >"$work/last"
start_sim honest --telegrams "$work/last"
comes t "SELECT online FROM gateway WHERE gateway_id = $homes + 1" "an honest gateway is there"

records 1400
sim down --speed 2000 & sim_pid=$!
sleep 0.3
"$top/tests/cluster" kill
sleep "$down_s"
"$top/tests/cluster" up
wait $sim_pid
check $? "the database is away for $down_s s, and all records are acknowledged in the end"
holds 1400 "each is stored exactly once"
check "$(grep -q ' reconnects=0 ' "$work/down.sim"; echo $?)" "no gateway lost its session meanwhile"

sql "CREATE FUNCTION full_disk() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RAISE disk_full; END';
	CREATE TRIGGER full_disk BEFORE INSERT ON reading_landing FOR EACH STATEMENT EXECUTE FUNCTION full_disk()"
records 1500
sim full & sim_pid=$!
sleep 1
is "$(sql "SELECT max(committed_record_no) FROM gateway")" 1400 "while the database's disk is full nothing is acknowledged"
sql "DROP TRIGGER full_disk ON reading_landing"
wait $sim_pid
check $? "and everything once there is room"
holds 1500 "each record exactly once, none in quarantine"
is "$(sql "SELECT count(*) FROM quarantine")" 0 "for the database's trouble is not the record's"

sql "CREATE FUNCTION slow() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN PERFORM pg_sleep(0.2); RETURN NULL; END';
	CREATE TRIGGER slow AFTER INSERT ON reading_landing FOR EACH STATEMENT EXECUTE FUNCTION slow()"
records 1800
sim slow
check $? "a database that takes 200 ms a batch gets all records"
sql "DROP TRIGGER slow ON reading_landing"
holds 1800 "each exactly once"
check "$(grep -q ' reconnects=0 ' "$work/slow.sim"; echo $?)" "in the sessions that were open"
is "$(sql "SELECT count(*) FROM gateway_event WHERE event = 'offline' AND detail = 'no keep-alive'")" 0 "and no gateway went offline for it"
is "$(grep -c disconnected "$work/honest.sim")" 0 "the honest gateway felt nothing"

# What is told of gateways while the database is busy is written in one call; where one line of it
# cannot be, the others are.
sql "CREATE FUNCTION no_third() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN IF NEW.gateway_id = 3 THEN RAISE check_violation; END IF; PERFORM pg_sleep(0.1); RETURN NEW; END';
	CREATE TRIGGER no_third BEFORE INSERT ON gateway_session FOR EACH ROW EXECUTE FUNCTION no_third()"
opened=$(sql "SELECT clock_timestamp()")
sim again
comes "1 2 4 5 6 7 8 9 10" "SELECT string_agg(id::text, ' ' ORDER BY id) FROM (SELECT DISTINCT gateway_id FROM gateway_session WHERE opened_at > '$opened') AS s(id)" "a session that cannot be written costs no other gateway's"
check "$([ "$(logged 'statement failed.*bridge_journal')" -ge 2 ]; echo $?)" "though they were one call at first"
sql "DROP TRIGGER no_third ON gateway_session"

# Connections that trickle, stall or are noise, while honest ones come and go.
cat >"$work/nuisance" <<'PERL'
use IO::Socket::INET; use IO::Select;
my ($peer, $kind, $number, $seconds) = @ARGV;
$SIG{PIPE} = 'IGNORE';
my @all = map { IO::Socket::INET->new(PeerAddr => $peer) || () } 1 .. $number;
my $hello = "SA\x01\x01\x00\x00\x00\x18" . "\x00\x15\xbc\x01\x00\x00\x00\x02" . "\0" x 8;
my %bytes = (trickle => $hello, silent => '', huge => "SA\x01\x07\x00\x00\xff\xff" . "\xff" x 16, noise => join('', map { chr rand 256 } 1 .. 5000), half => substr($hello, 0, 23));
my ($end, $at, $closed) = (time + $seconds, 0, 0);
my $select = IO::Select->new(@all);
while (time < $end && $select->count) {
	for my $s ($select->handles) {
		my $next = $kind eq 'trickle' ? substr($bytes{$kind}, $at % 32, 1) : $at ? '' : $bytes{$kind};
		syswrite $s, $next if length $next;
	}
	$at++;
	for my $s ($select->can_read(0.2)) {
		next if sysread $s, my $got, 4096;
		$select->remove($s);
		$closed++;
	}
	select undef, undef, undef, 0.1;
}
print scalar(@all), " $closed\n";
PERL
for kind in trickle silent huge noise half; do
	perl "$work/nuisance" "$listen" $kind 40 4 >"$work/$kind" &
	nuisances+=($!)
done
sleep 0.2
records 1900
sim among
check $? "honest gateways come in among 200 connections that trickle, are silent or send garbage"
holds 1900 "and all their records are stored"
wait "${nuisances[@]}"
is "$(for kind in trickle silent huge noise half; do cat "$work/$kind"; done | awk '{ made += $1; closed += $2 } END { print (made > 150), (made == closed) }')" "1 1" "all of those were closed, the silent ones in time"
is "$(grep -c disconnected "$work/honest.sim")" 0 "the honest gateway felt nothing"

# Clocks that jump: never set, counting from power-up, far in the future, at the end of all numbers, a
# month back, further back than is accepted, a day ahead and a little more, and back to times that
# were told already, with other counts. Each record is a reading, a correction of one, or in quarantine.
third=$(sed -n 3p "$work/telegrams" | cut -d' ' -f1)
grep "^$third" "$work/telegrams" >"$work/third"
now=$(date +%s)000
tail -n 10 "$work/third" | awk -v ahead="$((now + 82800000))" -v beyond="$((now + 90000000))" '{
	split("0 1000 4102444800000 18446744073709551615 1697408000000 1420070400000 " ahead " " beyond " 1700006060000 1700006060000", at, " "); $2 = at[NR]; print }' >"$work/jumps"
cat "$work/jumps" >>"$work/third"
sim jumps --telegrams "$work/third"
check $? "a gateway whose clock jumps gets its records acknowledged"
# Of two records that came in the same millisecond one corrects the other.
sql "CREATE VIEW told AS SELECT record_no - 1900 AS n, measured_at FROM (SELECT gateway_id, register_id, record_no, measured_at FROM reading
		UNION ALL SELECT gateway_id, register_id, record_no, measured_at FROM reading_correction) AS r
	JOIN register USING (register_id) WHERE obis = '1-0:1.8.0.255' AND gateway_id = 3 AND record_no > 1900"
comes "1 received, 2 received, 3 received, 4 received, 5 1697408000, 7 $((now / 1000 + 82800)), 8 received, 9 1700006060, 10 1700006060" \
	"SELECT string_agg(n || CASE WHEN measured_at BETWEEN now() - interval '1 hour' AND now() THEN ' received' ELSE ' ' || round(extract(epoch FROM measured_at)) END, ', ' ORDER BY n) FROM told" \
	"impossible times become the time of reception, possible ones stand, and nothing is lost"
is "$(sql "SELECT string_agg(record_no - 1900 || ' ' || reason, ', ') FROM quarantine WHERE gateway_id = 3")" "6 time is implausible" "one further back than is accepted is in quarantine"
is "$(sql "SELECT committed_record_no FROM gateway WHERE gateway_id = 3")" 1910 "and the mark is past them"
stop_sim
stop_bridge TERM
is $? 0 "the bridge stops in good order after all that"
echo "1..$count"
