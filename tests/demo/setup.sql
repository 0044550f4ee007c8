-- Homes, meters, gateways, stores and prices of the demonstration; then the telegrams that its
-- gateways will send, one ZCL report of the Metering cluster each half hour and meter.
\set ON_ERROR_STOP 1
SET search_path = smarthg, public;
SET client_min_messages = warning;
SET timezone = 'UTC';

INSERT INTO price_area (price_area_id, name, time_zone) VALUES (1, 'DE-LU', 'Europe/Berlin');
INSERT INTO substation (substation_id, name, limit_kw) VALUES (1, 'demonstration substation', 400);
INSERT INTO feeder (feeder_id, substation_id, name) VALUES (1, 1, 'feeder 1');
INSERT INTO tariff (tariff_id, name, import_markup_eur_per_kwh, export_markup_eur_per_kwh) VALUES (1, 'spot + 0.15, export at spot', 0.15, 0);
INSERT INTO home (home_id, feeder_id, price_area_id, tariff_id, name, time_zone, contract_max_kw)
	SELECT home_no, 1, 1, 1, 'home ' || home_no, 'Europe/Berlin', 11 FROM (SELECT DISTINCT home_no FROM demo.consumption) AS c;
-- The day-ahead auction publishes a day's prices about noon of the day before.
INSERT INTO market_price (price_area_id, slot_start, energy_eur_per_kwh, published_at)
	SELECT 1, slot_start, energy_eur_per_kwh, (date_trunc('day', slot_start AT TIME ZONE 'Europe/Berlin') - interval '11 hours 15 min') AT TIME ZONE 'Europe/Berlin'
	FROM demo.market WHERE slot_start BETWEEN (SELECT since FROM demo.moment) AND (SELECT now + interval '2 days' FROM demo.moment);
-- CO2 at 80 EUR a tonne; the intensity of the coming day is taken as published with the prices.
INSERT INTO co2_cost (price_area_id, slot_start, carbon_g_per_kwh, co2_eur_per_kwh, published_at)
	SELECT 1, slot_start, co2_g_per_kwh, co2_g_per_kwh * 80e-6, (date_trunc('day', slot_start AT TIME ZONE 'Europe/Berlin') - interval '11 hours 15 min') AT TIME ZONE 'Europe/Berlin'
	FROM demo.market WHERE co2_g_per_kwh IS NOT NULL AND slot_start BETWEEN (SELECT since FROM demo.moment) AND (SELECT now + interval '2 days' FROM demo.moment);

CREATE FUNCTION demo.eui64(device integer, home_no bigint) RETURNS bytea LANGUAGE sql IMMUTABLE AS $$
	SELECT decode('0015bc00' || lpad(to_hex(device), 4, '0') || lpad(to_hex(home_no), 4, '0'), 'hex') $$;
INSERT INTO gateway (gateway_id, home_id, eui64, link_key) SELECT home_id, home_id, demo.eui64(0, home_id), sha256(convert_to(gen_random_uuid()::text, 'UTF8')) FROM home;
INSERT INTO meter (home_id, gateway_id, device_address, kind, role, name)
	SELECT home_id, home_id, demo.eui64(1, home_id), 'main'::meter_kind, 'consumption'::meter_role, 'main meter' FROM home
	UNION ALL SELECT DISTINCT home_no, home_no, demo.eui64(2, home_no), 'sub'::meter_kind, 'production'::meter_role, 'PV inverter' FROM demo.consumption WHERE production_kwh > 0
	UNION ALL SELECT DISTINCT home_no, home_no, demo.eui64(3, home_no), 'sub'::meter_kind, 'pev'::meter_role, 'charging point' FROM demo.charging;
-- The simulated gateways report their stores' state of charge on endpoints 10 and 11.
INSERT INTO ess (home_id, capacity_kwh, min_kw, max_kw, efficiency, device_eui64, endpoint) SELECT home_id, 10, -5, 5, 0.9, demo.eui64(0, home_id), 10 FROM home;
INSERT INTO ess_state SELECT home_id, (SELECT now FROM demo.moment), 5 FROM home;
INSERT INTO pev (home_id, capacity_kwh, min_kw, max_kw, efficiency, device_eui64, endpoint)
	SELECT DISTINCT home_no, 40, CASE WHEN home_no % 2 = 0 THEN -7 ELSE 0 END, 7, 0.9, demo.eui64(0, home_no), 11 FROM demo.charging;
-- A vehicle arrives with as much less than full as it was really charged then.
INSERT INTO pev_session (home_id, plugged_at, departs_at, unplugged_at, arrival_soc_kwh)
	SELECT home_no, plugged_from, plugged_until, CASE WHEN plugged_until <= now THEN plugged_until END, greatest(40 - charged_kwh * sqrt(0.9), 0) FROM demo.charging, demo.moment
	WHERE plugged_from BETWEEN since AND now ON CONFLICT DO NOTHING;

-- What the meters counted: vehicles charged at once on arrival, 7 kW, but for the sessions under
-- way, which the planner takes over.
CREATE TABLE demo.counted AS
	WITH vehicle AS (
		SELECT c.home_no, s.slot_start, sum(greatest(0, 7 * extract(epoch FROM
			least(s.slot_start + interval '30 min', c.plugged_until, c.plugged_from + c.charged_kwh / 7 * interval '1 hour') - greatest(s.slot_start, c.plugged_from)) / 3600)) AS kwh
		FROM demo.charging c, demo.moment, generate_series(date_bin('30 min', c.plugged_from, 'epoch'), c.plugged_until, '30 min') AS s(slot_start)
		WHERE c.plugged_until > since AND c.plugged_from < now AND c.plugged_until <= now GROUP BY 1, 2
	)
	SELECT c.home_no, c.slot_start, c.kwh + coalesce(v.kwh, 0) - c.production_kwh AS net_kwh, c.production_kwh, coalesce(v.kwh, 0) AS pev_kwh
	FROM demo.consumption c LEFT JOIN vehicle v USING (home_no, slot_start), demo.moment WHERE c.slot_start >= since AND c.slot_start < now;

CREATE FUNCTION demo.little_endian(value bigint, bytes integer) RETURNS text LANGUAGE sql IMMUTABLE AS $$
	SELECT string_agg(lpad(to_hex((value >> (8 * i)) & 255), 2, '0'), '' ORDER BY i) FROM generate_series(0, bytes - 1) AS i $$;
-- Registers count Wh: attribute 0x0000 delivered and 0x0001 received (uint48), 0x0301 multiplier
-- and 0x0302 divisor (uint24), each report with a sequence number.
CREATE TABLE demo.telegram AS
	WITH flow AS (
		SELECT home_no, 1 AS device, slot_start, greatest(net_kwh, 0) AS delivered, greatest(-net_kwh, 0) AS received FROM demo.counted
		UNION ALL SELECT home_no, 2, slot_start, 0, production_kwh FROM demo.counted WHERE home_no IN (SELECT home_no FROM demo.counted WHERE production_kwh > 0)
		UNION ALL SELECT home_no, 3, slot_start, pev_kwh, 0 FROM demo.counted WHERE home_no IN (SELECT home_no FROM demo.charging)
	), register AS (
		-- The register at the end of each slot, and once before the first.
		SELECT home_no, device, slot_start + interval '30 min' AS at, (1000000 + round(1000 * sum(delivered) OVER w))::bigint AS delivered, (1000 * sum(received) OVER w)::bigint AS received
		FROM flow WINDOW w AS (PARTITION BY home_no, device ORDER BY slot_start)
		UNION ALL SELECT home_no, device, min(slot_start), 1000000, 0 FROM flow GROUP BY 1, 2
	)
	SELECT home_no, at, device, format('%s %s 1 %s010109%s 18%s0a%s%s0103%s%s0203%s%s', encode(demo.eui64(0, home_no), 'hex'), (extract(epoch FROM at) * 1000)::bigint,
		encode(demo.eui64(device, home_no), 'hex'), '0702', lpad(to_hex(row_number() OVER (PARTITION BY home_no ORDER BY at) & 255), 2, '0'),
		'000025' || demo.little_endian(delivered, 6), '010025' || demo.little_endian(received, 6), '22', demo.little_endian(1, 3), '22', demo.little_endian(1000, 3)) AS line
	FROM register;
\copy (SELECT line FROM demo.telegram ORDER BY at, home_no, device) TO 'telegrams.txt'
\copy (SELECT encode(eui64, 'hex') || ' ' || encode(link_key, 'hex') FROM smarthg.gateway ORDER BY 1) TO 'keys.txt'
