-- Plans and commands are kept as long as asked for, and dropped in pieces.
\ir home.psql
SELECT plan(7);
INSERT INTO market_price (price_area_id, slot_start, energy_eur_per_kwh, published_at) SELECT 1, t, 0.1, '2023-04-01' FROM generate_series('2023-05-01'::timestamptz, '2023-05-12', '1 hour') AS t;
INSERT INTO ess (home_id, capacity_kwh, min_kw, max_kw) VALUES (1, 8, -4, 4);
SELECT count(r.command_id) FROM generate_series(0, 9) AS n, ebr_run('2023-05-08'::timestamptz + n * interval '1 hour') AS r \g /dev/null
UPDATE plan SET made_at = planned_at;
SELECT is((SELECT count(*)::integer FROM command), 10, 'there are commands of ten hours');
SELECT is(drop_plans_before('2023-05-08'), 0, 'nothing old, nothing dropped');
SELECT is(drop_plans_before('2023-05-08 05:00Z', 3), 3, 'so many are dropped at once');
SELECT is((SELECT (count(*), min(made_at))::text FROM plan), '(7,"2023-05-08 03:00:00+00")', '... the oldest first');
SELECT is(drop_plans_before('2023-05-08 05:00Z'), 2, '... then the rest');
SELECT is((SELECT (count(*), min(slot_start))::text FROM command), '(5,"2023-05-08 05:00:00+00")', 'their commands go with them');
SELECT throws_ok($$ INSERT INTO installation (plans_kept) VALUES ('1 hour') $$, '23514', NULL, 'plans are kept for a day at least');
SELECT * FROM finish();
ROLLBACK;
