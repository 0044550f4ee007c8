-- EUMF-K: only what was known, gaps, short history, bad input (DESIGN.md section 5).
\ir home.psql
SELECT plan(21);

CREATE TEMP TABLE daily AS
	SELECT array_agg(1 + (n % 24 >= 18)::integer::float8 * (1 + ((n / 24) % 7 >= 5)::integer) ORDER BY n) AS kw, array_agg(n % 168 ORDER BY n) AS phase
	FROM generate_series(0, 168 * 6 - 1) AS n;
CREATE TEMP TABLE week AS SELECT array_agg(n ORDER BY n) AS phase FROM generate_series(0, 167) AS n;

SELECT is((SELECT DISTINCT model FROM daily d, week w, eumf_k_series(d.kw, d.phase, w.phase, 24)), 'weekly', 'weeks of history tell weekdays apart');
SELECT ok((SELECT bool_and(abs(mean_kw - (1 + (u.slot % 24 >= 18)::integer * (1 + (u.slot / 24 >= 5)::integer))) < 0.6)
	FROM daily d, week w, eumf_k_series(d.kw, d.phase, w.phase, 24) AS f, unnest(w.phase) WITH ORDINALITY AS u(slot, n) WHERE u.n = f.slot_no),
	'a strict weekly pattern is found');
SELECT ok((SELECT bool_and(q10_kw >= 0 AND q10_kw <= q50_kw AND q50_kw <= q90_kw) FROM daily d, week w, eumf_k_series(d.kw, d.phase, w.phase, 24)),
	'quantiles do not cross and are not negative');
SELECT results_eq($$ SELECT f.* FROM daily d, week w, eumf_k_series(d.kw, d.phase, w.phase, 24) AS f $$,
	$$ SELECT f.* FROM daily d, week w, eumf_k_series(d.kw, d.phase, w.phase, 24) AS f $$, 'the same history gives the same forecast');
SELECT is((SELECT DISTINCT model FROM daily d, week w, eumf_k_series(d.kw[:72], d.phase[:72], w.phase, 24)), 'daily', 'three days tell the hours apart');
SELECT is((SELECT DISTINCT model FROM daily d, week w, eumf_k_series(d.kw[:5], d.phase[:5], w.phase, 24)), 'level', 'a few hours give the level');
SELECT is((SELECT DISTINCT model FROM week w, eumf_k_series('{}', '{}', w.phase, 24)), 'standard', 'without history it is the standard household');
SELECT ok((SELECT abs(avg(mean_kw) * 8760 - 3500) < 35 FROM week w, eumf_k_series('{}', '{}', w.phase, 24)), '... of 3,500 kWh a year');
SELECT ok((SELECT bool_and(mean_kw > 0) FROM daily d, week w, eumf_k_series((SELECT array_agg(CASE WHEN n % 3 = 0 THEN NULL ELSE v END ORDER BY n)
	FROM unnest(d.kw) WITH ORDINALITY AS u(v, n)), d.phase, w.phase, 24)), 'gaps are tolerated');
SELECT throws_ok($$ SELECT * FROM eumf_k_series('{1,NaN}', '{0,1}', '{2}', 24) $$, '22023', NULL, 'NaN is refused');
SELECT throws_ok($$ SELECT * FROM eumf_k_series('{1,2}', '{0}', '{2}', 24) $$, '2202E', NULL, 'arrays of different length are refused');
SELECT throws_ok($$ SELECT * FROM eumf_k_series('{1}', '{0}', '{168}', 24) $$, '22023', NULL, 'a phase beyond the week is refused');
SELECT throws_ok($$ SELECT * FROM eumf_k(99, '2023-05-01') $$, '42704', 'home 99 does not exist', 'an unknown home is refused');

-- A stored home: what comes after the moment does not matter.
DO $$
BEGIN
	FOR n IN 0 .. 14 * 48 LOOP
		PERFORM pg_temp.feed(n + 1, '2023-05-01 00:00Z'::timestamptz + n * interval '30 min', n * 250 + (n % 48) * 5);
	END LOOP;
	PERFORM smarthg.refresh_interval_energy();
END $$;
CREATE TEMP TABLE before AS SELECT * FROM eumf_k(1, '2023-05-10 12:00Z', 24);
DO $$
BEGIN
	UPDATE smarthg.energy_day SET block = (SELECT smarthg.energy_pack(array_agg(CASE WHEN slot >= 48 OR day > '2023-05-10' THEN 1e6 ELSE energy_kwh END ORDER BY slot))
		FROM smarthg.energy_unpack(block)) WHERE day >= '2023-05-10';
END $$;
SELECT results_eq('SELECT * FROM eumf_k(1, ''2023-05-10 12:00Z'', 24)', 'SELECT * FROM before', 'nothing later than the moment is looked at');
SELECT is((SELECT count(*)::integer FROM before WHERE demand_kw > 0 AND demand_model = 'daily'), 24, 'stored readings become a forecast');

-- Prices of the day after the published ones: dear evenings, cheap weekends, a level that steps up.
CREATE TEMP TABLE market AS SELECT array_agg(0.1 + 0.1 * (n % 24 IN (18, 19))::integer - 0.03 * (n / 24 % 7 >= 5)::integer + 0.02 * (n / 24 / 10 % 3) ORDER BY n) AS price
	FROM generate_series(0, 98 * 24 - 1) AS n;
SELECT is((SELECT cardinality(price_day_forecast(price, 24, 0)) FROM market), 15 * 24, 'prices are forecast for the day to come and 14 before it');
SELECT ok((SELECT f[19] > f[18] + 0.07 AND abs(f[1] - (0.1 + 0.02 * (98 / 10 % 3))) < 0.02 FROM market, price_day_forecast(price, 24, 0) AS f), 'the day to come has the evening and the level of its kind');
SELECT is((SELECT price_day_forecast(price[:34 * 24], 24, 6) FROM market), NULL, 'without weeks of prices there is no forecast');
SELECT throws_ok('SELECT price_day_forecast(price, 24, 7) FROM market', '22023', '24 slots a day and weekday 7 are not possible', 'a weekday that is none is refused');
INSERT INTO market_price (price_area_id, slot_start, energy_eur_per_kwh, published_at)
	SELECT 1, '2023-02-01 23:00Z'::timestamptz + (n - 1) * interval '1 hour', p, '2023-02-01 12:00Z'::timestamptz + (n - 1) / 24 * interval '1 day'
	FROM market, unnest(price) WITH ORDINALITY AS u(p, n);
SELECT is((SELECT price_forecast_eur_per_kwh[:24] FROM ebr_home_input(1, '2023-05-09 10:00Z')),
	(SELECT (price_day_forecast(array_agg(energy_eur_per_kwh ORDER BY slot_start), 24, 2))[:24] FROM market_price
		WHERE slot_start >= '2023-02-01 22:00Z' AND slot_start < '2023-05-09 23:00Z'), 'a stored home is planned with its area''s forecast');
SELECT ok((SELECT bool_and(abs(energy_eur_per_kwh[13 + k] - 0.15 - price_forecast_eur_per_kwh[k]) < 1e-12)
	FROM ebr_home_input(1, '2023-05-09 10:00Z'), generate_series(1, 24) AS k), '... and its prices beyond publication are that, markup included');
SELECT * FROM finish();
ROLLBACK;
