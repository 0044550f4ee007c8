#!/bin/bash
# pg_dump | psql into an empty database that has only the extension's files installed: every row
# of every table comes back, partitions of reading_day and their index included, and so do the
# identifiers' sequence and the settings. Prints TAP; PGHOST and so on name the cluster.
set -euo pipefail
original=smarthg_dump_$$ copy=smarthg_restore_$$
trap 'dropdb --if-exists --force "$original"; dropdb --if-exists --force "$copy"; rm -f "$errors"' EXIT
errors=$(mktemp)
createdb "$original"
createdb "$copy"
psql -X -q -v ON_ERROR_STOP=1 -d "$original" <<'SQL'
CREATE EXTENSION smarthg;
SET search_path = smarthg, public;
INSERT INTO installation (shard_no, interpolation_limit, base_slot) VALUES (3, '2 hours', '1 min');
INSERT INTO price_area (name) VALUES ('area');
INSERT INTO substation (name) VALUES ('substation');
INSERT INTO feeder (substation_id, name) SELECT substation_id, 'feeder' FROM substation;
INSERT INTO tariff (name) VALUES ('tariff');
INSERT INTO home (feeder_id, price_area_id, tariff_id, name) SELECT feeder_id, price_area_id, tariff_id, 'home ' || n FROM feeder, price_area, tariff, generate_series(1, 3) AS n;
INSERT INTO gateway (home_id, eui64, link_key) SELECT home_id, decode(lpad(to_hex(home_id), 16, '0'), 'hex'), '\x000102030405060708090a0b0c0d0e0f' FROM home;
INSERT INTO meter (home_id, gateway_id, device_address, name, default_divisor) SELECT home_id, gateway_id, eui64, 'main', 1000 FROM gateway;
INSERT INTO meter_key VALUES (mbus_address('12345678', 'ABC', 1, 7), '\x000102030405060708090a0b0c0d0e0f');
SELECT bridge_mbus_layout(738004246, 4660, '\x0413', true),
	bridge_keep_meter_counters(ARRAY[mbus_address('12345678', 'ABC', 1, 7)], '{1}', '{7}', '{9}', '{1700000000}', ARRAY(SELECT min(gateway_id) FROM gateway)) \g /dev/null
INSERT INTO ess (home_id, capacity_kwh, min_kw, max_kw) SELECT home_id, 10, -5, 5 FROM home;
INSERT INTO ess_state SELECT home_id, '2023-05-08', 3 FROM home;
INSERT INTO pev (home_id, capacity_kwh, min_kw, max_kw) SELECT home_id, 40, 0, 7 FROM home;
INSERT INTO pev_state SELECT home_id, '2023-05-08', 3 FROM home;
INSERT INTO heating (home_id, supply) SELECT home_id, 'gas' FROM home;
INSERT INTO retrofit_option (name, heat_loss_reduction_percent, investment_eur, lifetime_years) VALUES ('walls', 30, 4000, 30);
INSERT INTO pev_session SELECT home_id, '2023-05-08', 'infinity' FROM home;
INSERT INTO market_price (price_area_id, slot_start, energy_eur_per_kwh, published_at) SELECT price_area_id, t, 0.1, '2023-04-01' FROM price_area, generate_series('2023-05-01'::timestamptz, '2023-05-12', '1 hour') AS t;
INSERT INTO co2_cost (price_area_id, slot_start, co2_eur_per_kwh) SELECT price_area_id, '2023-05-08', 0.01 FROM price_area;
INSERT INTO power_profile (home_id, slot_start, low_kw, high_kw) SELECT home_id, '2023-05-08', 0, 1 FROM home;
INSERT INTO ess_product (name, capacity_kwh, power_kw, price_eur, lifetime_years) VALUES ('product', 10, 5, 4000, 15);
INSERT INTO holiday SELECT price_area_id, '2023-05-01', 'first of May' FROM price_area;
INSERT INTO weather (price_area_id, slot_start, temperature_c) SELECT price_area_id, '2023-05-08', 12 FROM price_area;
INSERT INTO standard_profile VALUES ('flat', 0, 0, 0.2);
INSERT INTO price_forecast (price_area_id, made_at, slot_start, energy_eur_per_kwh, energy_q10_eur_per_kwh, energy_q90_eur_per_kwh) SELECT price_area_id, '2023-05-07', '2023-05-09', 0.1, 0, 0.2 FROM price_area;
-- Readings over three months, one corrected, one record ahead of a gap, one in quarantine.
SELECT count(*) FROM gateway g, generate_series(0, 400) AS n,
	bridge_ingest(ARRAY[g.gateway_id], ARRAY[n + 1]::bigint[], ARRAY[now()], ARRAY[now()], '{1}', '{"\\x00"}', '{"\\x01"}', '{NULL}', '{1}', ARRAY[g.eui64], '{1}',
		'{1-0:1.8.0.255}', '{kWh}', ARRAY[n * 100]::bigint[], '{NULL}', '{NULL}', ARRAY['2023-03-15'::timestamptz + n * interval '3 hours']) \g /dev/null
SELECT count(*) FROM gateway g, (VALUES (402, '2023-03-15'::timestamptz, NULL), (404, '2023-05-05', NULL), (405, '2023-05-05', 'broken')) AS v(n, t, reason), LATERAL (SELECT (reason IS NULL)::integer AS w) AS with_reading,
	bridge_ingest(ARRAY[g.gateway_id], ARRAY[n]::bigint[], ARRAY[now()], ARRAY[now()], '{1}', '{"\\x00"}', '{"\\x01"}', ARRAY[reason], (ARRAY[1])[:w], (ARRAY[g.eui64])[:w], (ARRAY[1::smallint])[:w],
		(ARRAY['1-0:1.8.0.255'])[:w], (ARRAY['kWh'])[:w], (ARRAY[7::bigint])[:w], (ARRAY[NULL::bigint])[:w], (ARRAY[NULL::bigint])[:w], (ARRAY[t])[:w]) \g /dev/null
INSERT INTO reading SELECT * FROM reading ORDER BY 1, 2 LIMIT 1;
SELECT refresh_interval_energy() \g /dev/null
INSERT INTO interval_dirty SELECT register_id, '2023-05-05', '2023-05-05' FROM register;
INSERT INTO reading (register_id, measured_at, raw_value) SELECT register_id, '2023-05-06', 8 FROM register;
INSERT INTO reading_import (meter, measured_at, value) VALUES ('main', '2023-05-06', 8);
SELECT report_upkeep('settle', 0) \g /dev/null
SELECT bridge_session_open(gateway_id, 1, 'peer', true, false), bridge_presence(gateway_id, true, now(), '') FROM gateway \g /dev/null
SELECT make_token_key('sign'), make_token_key('decrypt'), issue_token('owner', 'client', 'read_home', '1 hour') \g /dev/null
INSERT INTO gateway_phone SELECT gateway_id, '+45' || 10000000 + row_number() OVER () FROM gateway;
INSERT INTO remote_tunnel (gateway_id, public_key, port) SELECT gateway_id, 'ssh-ed25519 ' || repeat('A', 60) || 1000000 + row_number() OVER (), 22000 + row_number() OVER () FROM gateway;
SELECT count(*) FROM gateway g, bridge_ingest(ARRAY[g.gateway_id], '{406}', '{NULL}', ARRAY[now()], '{1}', '{""}', '{""}', '{NULL}', '{1}', ARRAY[g.eui64], '{1}', '{*mirror}', '{request}', '{0}', '{NULL}', '{NULL}', ARRAY[now()]) \g /dev/null
SELECT sms_send(gateway_id, 'text'), bridge_sms_received('+451', 'answer', now()), bridge_report('bridge', '{"started_ms": 0}') FROM gateway \g /dev/null
SELECT count(command_id) FROM ebr_run('2023-05-08 12:00Z') \g /dev/null
INSERT INTO market_setting (base_uri) VALUES ('https://market.example');
SELECT verify_account(sign_up('resident@example.com', 'password of a resident')), verify_account(sign_up('developer@example.com', 'password of a developer', 'developer')) \g /dev/null
SELECT log_in('resident@example.com', 'password of a resident'), ask_password_reset('developer@example.com') \g /dev/null
INSERT INTO home_resident SELECT min(home_id), min(account_id), '2023-03-15' FROM home, account;
SELECT register_service(session, 'planner', 'https://planner.example/api', '{"kty":"EC","crv":"P-256","x":"MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4","y":"4Etl6SRW2YiLUrN5vfvVHuhp7x8PxltmWWlbbM4IFyM"}',
	'plans', '{"read_mainmeter_hourly": "to plan"}', '{https://planner.example/back}') FROM log_in('developer@example.com', 'password of a developer') \g /dev/null
SELECT review_service(client_id, 'approved', version => version) FROM service \g /dev/null
SELECT session FROM log_in('resident@example.com', 'password of a resident') \gset
SELECT subscribe(:'session', client_id), renew_client_secret((log_in('developer@example.com', 'password of a developer')).session, client_id) AS secret, client_id FROM service \gset
SELECT oauth_authorize(:'session', 'response_type=code&client_id=' || :'client_id' || '&code_challenge_method=S256&code_challenge=E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM', 'grant') #>> '{headers,Location}' AS back \gset
SELECT oauth_token('grant_type=authorization_code&code_verifier=dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk&code=' || substring(:'back' FROM 'code=([^&]+)') || '&client_id=' || :'client_id' || '&client_secret=' || :'secret') \g /dev/null
SELECT request_access('subscription=' || :'subscribe' || '&scope=read_mainmeter_hourly&reason=plan&client_id=' || :'client_id' || '&client_secret=' || :'secret') \g /dev/null
INSERT INTO used_assertion VALUES (:'client_id', 'assertion', now());
INSERT INTO service_data SELECT service_id, 'forecast', 'wind', '2023-05-08', '1 hour', '{"mw": 3}' FROM service;
SELECT note_access(jti) FROM issued_token \g /dev/null
SELECT log_in('resident@example.com', 'a wrong one') \g /dev/null
SELECT make_forecasts('2023-05-08 12:00Z') \g /dev/null
SQL

content() { # one line a table: name, rows, checksum of all rows in order
	psql -X -q -A -t -v ON_ERROR_STOP=1 -d "$1" <<'SQL'
SET timezone = 'UTC';
SELECT format('SELECT %L, count(*), md5(string_agg(t::text, chr(10) ORDER BY t::text)) FROM %s AS t', c.oid::regclass, c.oid::regclass)
FROM pg_class c WHERE c.relnamespace = 'smarthg'::regnamespace AND c.relkind IN ('r', 'p') ORDER BY 1 \gexec
SELECT 'sequence', last_value, is_called FROM smarthg.id_sequence;
SELECT 'key', conrelid::regclass, pg_get_constraintdef(oid) FROM pg_constraint WHERE connamespace = 'smarthg'::regnamespace AND conrelid IN (SELECT inhrelid FROM pg_inherits) ORDER BY conrelid::regclass::text, 3;
SQL
}
count=0
check() { # status, promise
	count=$((count + 1))
	if [ "$1" = 0 ]; then echo "ok $count - $2"; else echo "not ok $count - $2"; fi
}
before=$(content "$original")
status=0
pg_dump "$original" | psql -X -q -v ON_ERROR_STOP=1 -d "$copy" >/dev/null 2>"$errors" || status=$?
sed 's/^/# /' "$errors"
check "$status" "pg_dump | psql runs without an error"
after=$(content "$copy")
status=0
diff <(echo "$before") <(echo "$after") | sed 's/^/# /' || status=1
check "$status" "every row of every table, the sequence and the partitions' keys are back"
empty=$(echo "$before" | awk -F'|' '$2 == 0 { print $1 }' | paste -sd' ')
check "$([ -z "$empty" ]; echo $?)" "no table was empty, so the comparison means something $empty"
more=$(psql -X -q -A -t -d "$copy" -c "SELECT smarthg.new_id() > max(plan_id) FROM smarthg.plan" -c "SELECT smarthg.ensure_reading_partitions('2023-03-01', '2023-06-01')")
check "$([ "$more" = $'t\n1' ]; echo $?)" "the restored database goes on: new identifiers, old partitions known, new ones made"
echo "1..$count"
