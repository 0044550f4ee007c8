-- Interval energy is that of all readings in one pass, in whatever order and pieces they came, were
-- corrected and erased: with glitches, some side by side, and readings as sparse as one a day
-- (DESIGN.md section 6).
\ir home.psql
SELECT plan(7);
INSERT INTO register (register_id, meter_id, obis, unit, cumulative) SELECT n, 1, '1-0:1.8.' || n || '.255', 'kWh', true FROM generate_series(1, 60) AS n;
INSERT INTO register_epoch SELECT n, '-infinity', 1, 1000, NULL, 'first reading' FROM generate_series(1, 60) AS n;

-- The slots of registers that are not those of one pass over their readings.
CREATE FUNCTION pg_temp.otherwise(first bigint, until bigint) RETURNS TABLE (register_id bigint, slot_start timestamptz) LANGUAGE sql AS $$
	SELECT register_id, slot_start FROM (SELECT register_id, slot_start, energy_kwh AS kwh, quality FROM smarthg.interval_energy WHERE register_id BETWEEN first AND until) AS kept
	FULL JOIN (
		SELECT r.register_id, s.slot_start, s.energy_kwh AS kwh, s.quality
		FROM (SELECT r.register_id, array_agg(r.measured_at ORDER BY r.measured_at) AS t, array_agg(r.raw_value ORDER BY r.measured_at) AS c, array_agg(1) AS e, min(r.measured_at) AS begins, max(r.measured_at) AS ends
			FROM smarthg.reading r WHERE r.register_id BETWEEN first AND until GROUP BY 1) AS r,
			smarthg.interval_energy_series(r.t, r.c, r.e, '{0.001}', '{NULL}', date_trunc('day', r.begins), date_trunc('day', r.ends) + interval '1 day', '15 min') AS s
	) AS one_pass USING (register_id, slot_start)
	WHERE kept.quality IS DISTINCT FROM one_pass.quality OR abs(kept.kwh - one_pass.kwh) > 1e-8
$$;
CREATE FUNCTION pg_temp.read(register bigint, counts bigint[], first timestamptz, apart interval, received timestamptz DEFAULT now()) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
	FOR i IN 1 .. cardinality(counts) LOOP
		INSERT INTO smarthg.reading_landing (register_id, measured_at, raw_value, received_at) VALUES (register, first + (i - 1) * apart, counts[i], received);
		PERFORM smarthg.refresh_interval_energy();
	END LOOP;
END $$;

SELECT pg_temp.read(1, '{100000,50000,110000,120000,130000,140000,150000}', '2024-01-01 12:00Z', '1 day');
SELECT is((SELECT round(sum(energy_kwh)::numeric, 6) FROM interval_energy WHERE register_id = 1), 50.000000, 'a glitch among readings a day apart stays passed over as the days go on');
SELECT is_empty('SELECT * FROM pg_temp.otherwise(1, 1)', '... and no slot differs');
INSERT INTO reading (register_id, measured_at, raw_value) SELECT 2, '2024-01-01 12:00Z'::timestamptz + (n - 1) * interval '1 day', ('{100000,50000,120000,110000}'::bigint[])[n] FROM generate_series(1, 4) AS n;
SELECT refresh_interval_energy();
SELECT pg_temp.read(2, '{130000}', '2024-01-04 12:00Z', '1 day', now() + interval '1 s');
SELECT is((SELECT round(sum(energy_kwh)::numeric, 6) FROM interval_energy WHERE register_id = 2 AND day = '2024-01-01'), 5.000000, 'a correction reaches across glitches side by side');
SELECT pg_temp.read(3, (SELECT array_agg(100000 + n * 1000 + n % 2 * 500000 ORDER BY n) FROM generate_series(1, 33) AS n), '2024-01-01 12:00Z', '1 day');
SELECT is_empty('SELECT * FROM pg_temp.otherwise(2, 3)', '... also where they go on for weeks');

-- Readings of 60 registers in random order, most of them nearly in time; an odd one is a glitch.
SELECT floor(random() * 1000000) / 1000000 AS seed \gset
\echo # seed :seed
SELECT setseed(:seed);
CREATE TEMP TABLE truth AS
	SELECT r, n, '2024-03-24 00:00Z'::timestamptz + n * apart + CASE WHEN r % 3 = 0 THEN random() * interval '7 min' ELSE '0' END AS measured_at,
		(r * 1000000 + sum(floor(random() * 500)) OVER (PARTITION BY r ORDER BY n))::bigint + CASE WHEN random() < 0.12 THEN floor((random() - 0.5) * 100000)::bigint ELSE 0 END AS raw_value,
		n + CASE WHEN random() < 0.15 THEN random() * 60 ELSE random() * 3 END AS place
	FROM generate_series(4, 60) AS r, generate_series(0, 60) AS n, LATERAL (SELECT (ARRAY['7 hours', '1 day', '15 min', '3 days'])[1 + r % 4]::interval AS apart) AS a WHERE random() < 0.9;
DO $$
BEGIN
	FOR piece IN 0 .. 30 LOOP
		INSERT INTO smarthg.reading_landing (register_id, measured_at, raw_value, received_at) SELECT r, measured_at, raw_value, now() FROM pg_temp.truth WHERE floor(place / 4) = piece ORDER BY place;
		-- Some are corrected.
		INSERT INTO smarthg.reading_landing (register_id, measured_at, raw_value, received_at) SELECT r, measured_at, raw_value + 3, now() + interval '1 s' FROM pg_temp.truth WHERE floor(place / 4) < piece AND random() < 0.01;
		PERFORM smarthg.refresh_interval_energy();
	END LOOP;
END $$;
SELECT is_empty('SELECT * FROM pg_temp.otherwise(4, 60)', 'readings in any order with glitches: the slots are those of one pass');
SELECT cmp_ok((SELECT count(DISTINCT register_id)::integer FROM interval_energy), '=', 60, '... of all registers');
SELECT forget_readings(r, measured_at, measured_at + random() * interval '2 days') FROM truth WHERE random() < 0.05;
SELECT refresh_interval_energy();
SELECT is_empty('SELECT * FROM pg_temp.otherwise(4, 60)', '... after some were erased too');
SELECT * FROM finish();
ROLLBACK;
