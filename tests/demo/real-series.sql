-- The demonstration's input from real homes: consumption, PV production, charging sessions,
-- market prices and carbon intensity. The variable data names the folder; its README says where
-- the series come from.
\set ON_ERROR_STOP 1
\cd :data
CREATE TEMP TABLE homes_csv (home text, slot_start timestamptz, kwh float8);
\copy homes_csv FROM PROGRAM 'zcat series/homes_30min.csv.gz' (FORMAT csv, HEADER)
CREATE TEMP TABLE solar_csv (slot_start timestamptz, consumption_kw float8, production_kw float8);
\copy solar_csv FROM PROGRAM 'zcat series/solar_home_30min.csv.gz' (FORMAT csv, HEADER)
CREATE TEMP TABLE market_csv (slot_start timestamptz, price_eur_per_mwh float8, co2_g_per_kwh float8, temperature_c float8);
\copy market_csv FROM PROGRAM 'zcat series/market_hourly.csv.gz' (FORMAT csv, HEADER)
CREATE TEMP TABLE pev_csv (pev text, plugged_from timestamptz, plugged_until timestamptz, charged_kwh float8);
\copy pev_csv FROM PROGRAM 'zcat series/pev_sessions.csv.gz' (FORMAT csv, HEADER)

CREATE TABLE demo.moment AS SELECT now, now - interval '56 days' AS since FROM (SELECT '2023-05-21 17:00:00+00'::timestamptz AS now) AS m;
CREATE TABLE demo.consumption AS
	SELECT substr(home, 5)::integer AS home_no, slot_start, kwh, 0::float8 AS production_kwh FROM homes_csv
	UNION ALL SELECT 6, slot_start, consumption_kw / 2, production_kw / 2 FROM solar_csv;
CREATE TABLE demo.charging AS SELECT substr(pev, 4)::integer AS home_no, plugged_from, plugged_until, charged_kwh FROM pev_csv;
CREATE TABLE demo.market AS SELECT slot_start, price_eur_per_mwh / 1000 AS energy_eur_per_kwh, co2_g_per_kwh FROM market_csv;
