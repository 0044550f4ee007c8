-- A street of eight made-up homes for the pages' test: twelve weeks of quarters of an hour, prices,
-- a battery with its meter, a vehicle, PV, appliances; a name that would like to be HTML.
SET search_path = smarthg, public;
SET timezone = 'UTC';
INSERT INTO price_area (price_area_id, name) VALUES (1, 'DK2');
INSERT INTO substation (substation_id, name, limit_kw) VALUES (1, 'Svebølle & <b>co</b>', 12);
INSERT INTO feeder (feeder_id, substation_id, name, limit_kw) VALUES (1, 1, 'F1', 10), (2, 1, 'empty', NULL);
INSERT INTO tariff (tariff_id, name, import_markup_eur_per_kwh) VALUES (1, 'spot + 0.15', 0.15);
INSERT INTO home (home_id, feeder_id, price_area_id, tariff_id, name) SELECT n, 1, 1, 1, CASE n WHEN 1 THEN '<script>document.title="owned"</script> & "home" ''1''' ELSE 'home ' || n END FROM generate_series(1, 8) AS n;
INSERT INTO home (home_id, feeder_id, price_area_id, name) VALUES (9, 2, 1, 'no readings');
INSERT INTO gateway (home_id, eui64, online) SELECT n, decode('0015bc000000000' || n, 'hex'), n < 7 FROM generate_series(1, 8) AS n;
INSERT INTO ess (home_id, capacity_kwh, min_kw, max_kw) VALUES (1, 8, -3, 3), (2, 8, -3, 3);
INSERT INTO ess_state SELECT home_id, '2023-03-01', 0 FROM ess;
INSERT INTO meter (meter_id, home_id, name) SELECT n, n, 'main' FROM generate_series(1, 8) AS n;
INSERT INTO meter (meter_id, home_id, kind, role, name) VALUES (11, 1, 'sub', 'ess', 'battery'), (12, 1, 'appliance', 'consumption', '<img src=x onerror=alert(1)>'),
	(13, 1, 'appliance', 'consumption', 'dishwasher'), (14, 2, 'sub', 'production', 'PV');
INSERT INTO register (register_id, meter_id, obis, unit, cumulative) SELECT meter_id, meter_id, '1-0:1.8.0.255', 'kWh', true FROM meter WHERE meter_id <> 14;
INSERT INTO register (register_id, meter_id, obis, unit, cumulative) VALUES (21, 11, '1-0:2.8.0.255', 'kWh', true), (22, 2, '1-0:2.8.0.255', 'kWh', true), (14, 14, '1-0:2.8.0.255', 'kWh', true);
CREATE TEMP TABLE quarter AS
	SELECT h AS home_id, t, extract(hour FROM t) AS hour, 0.06 + 0.02 * (h % 3) + 0.01 * ((extract(epoch FROM t)::bigint / 900 * 7 + h * 13) % 11)
			+ 0.35 * (extract(hour FROM t) BETWEEN 16 AND 19)::integer * (1 + 0.2 * (h % 2)) AS kwh,
		CASE WHEN h = 1 THEN 0.6 * (extract(hour FROM t) BETWEEN 1 AND 2)::integer - 0.25 * (extract(hour FROM t) BETWEEN 16 AND 19)::integer ELSE 0 END AS ess_kwh,
		CASE WHEN h = 2 THEN greatest(0, 0.5 * sin((extract(hour FROM t) - 6) / 12 * 3.14159)) ELSE 0 END AS pv_kwh
	FROM generate_series(1, 8) AS h, generate_series('2023-03-01 00:00Z'::timestamptz, '2023-05-23 23:45Z', '15 min') AS t;
CREATE TEMP TABLE counted AS
	SELECT home_id AS register_id, t, greatest(kwh + ess_kwh - pv_kwh, 0) AS kwh FROM quarter
	UNION ALL SELECT 22, t, greatest(pv_kwh - kwh, 0) FROM quarter WHERE home_id = 2
	UNION ALL SELECT 14, t, pv_kwh FROM quarter WHERE home_id = 2
	UNION ALL SELECT 11, t, greatest(ess_kwh, 0) FROM quarter WHERE home_id = 1
	UNION ALL SELECT 21, t, greatest(-ess_kwh, 0) FROM quarter WHERE home_id = 1
	UNION ALL SELECT 12, t, 0.02 FROM quarter WHERE home_id = 1
	UNION ALL SELECT 13, t, 0.3 * (hour = 19)::integer FROM quarter WHERE home_id = 1;
INSERT INTO energy_day SELECT register_id, date_trunc('day', t)::date, energy_pack(array_agg(kwh ORDER BY t)) FROM counted GROUP BY 1, 2;
SELECT roll_up_again(array_agg(DISTINCT register_id)) FROM energy_day \g /dev/null
INSERT INTO market_price (price_area_id, slot_start, energy_eur_per_kwh, published_at)
	SELECT 1, t, 0.12 + 0.09 * sin((extract(hour FROM t) - 10) / 24 * 6.283) + 0.02 * sin(extract(day FROM t)), date_trunc('day', t) - interval '11 hours'
	FROM generate_series('2023-03-01'::timestamptz, '2023-05-25 23:00Z', '1 hour') AS t;
INSERT INTO co2_cost (price_area_id, slot_start, carbon_g_per_kwh, co2_eur_per_kwh) SELECT 1, t, 250, 0.02 FROM generate_series('2023-03-01'::timestamptz, '2023-05-25', '1 hour') AS t;
INSERT INTO power_profile (home_id, slot_start, low_kw, high_kw, penalty_high_eur_per_kwh) SELECT h, t, -3, 1.5, 0.05 FROM generate_series(1, 8) AS h, generate_series('2023-05-01'::timestamptz, '2023-05-23', '1 hour') AS t;
