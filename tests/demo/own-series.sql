-- The demonstration's input where the folder of real data is absent: six made-up households over
-- ten weeks, with the same columns. Deterministic.
\set ON_ERROR_STOP 1
CREATE TABLE demo.moment AS SELECT now, now - interval '56 days' AS since FROM (SELECT '2023-05-21 17:00:00+00'::timestamptz AS now) AS m;
SELECT setseed(0.5) \g /dev/null
CREATE TABLE demo.consumption AS
	SELECT home_no, slot_start,
		0.08 + 0.05 * home_no * random() + 0.5 * exp(-(((hour - 18 - home_no % 3) / 2) ^ 2)) * (0.5 + random()) + 0.25 * exp(-(((hour - 7) / 1.2) ^ 2)) AS kwh,
		CASE WHEN home_no = 6 THEN greatest(0, 2.2 * sin((hour - 5) / 15 * pi())) * (0.3 + 0.7 * random()) ELSE 0 END / 2 AS production_kwh
	FROM generate_series(1, 6) AS home_no, generate_series('2023-03-20 00:00Z'::timestamptz, '2023-05-28 23:30Z', '30 min') AS slot_start,
		LATERAL (SELECT extract(epoch FROM slot_start - date_trunc('day', slot_start))::float8 / 3600 AS hour) AS clock;
CREATE TABLE demo.charging AS
	SELECT home_no, day + interval '16 hours' + home_no * interval '7 min' AS plugged_from, day + interval '30 hours' AS plugged_until, 4 + 10 * random() AS charged_kwh
	FROM generate_series(1, 5) AS home_no, generate_series('2023-03-20 00:00Z'::timestamptz, '2023-05-27', '1 day') AS day WHERE extract(day FROM day)::integer % 5 <> home_no;
CREATE TABLE demo.market AS
	SELECT slot_start, 0.09 - 0.05 * cos((hour - 3) / 12 * pi()) * (0.6 + 0.4 * random()) - 0.06 * exp(-(((hour - 12) / 2.5) ^ 2)) AS energy_eur_per_kwh,
		380 - 160 * exp(-(((hour - 12) / 3.5) ^ 2)) AS co2_g_per_kwh
	FROM generate_series('2023-03-01 00:00Z'::timestamptz, '2023-05-28 23:00Z', '1 hour') AS slot_start,
		LATERAL (SELECT extract(hour FROM slot_start)::float8 AS hour) AS clock;
