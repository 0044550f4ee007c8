-- ebr_solve: the plan is right, the input is checked (document 3.2, DESIGN.md section 3).
\ir home.psql
SELECT plan(64);

-- By hand: charge 2 h at 0.10, cover at 0.50; no loss, nothing left over.
SELECT is((SELECT (status, round(objective_eur::numeric, 9), round(baseline_eur::numeric, 9), ess_kw)::text
	FROM ebr_solve('{1,1,1,1}', '{0.1,0.1,0.5,0.5}', ess_capacity_kwh => 2, ess_min_kw => -1, ess_max_kw => 1, ess_terminal_value_eur_per_kwh => 0)),
	'(optimal,0.400000000,1.200000000,"{1,1,-1,-1}")', 'arbitrage by hand');
SELECT is((SELECT round(objective_eur::numeric, 6) FROM ebr_solve('{1,1}', '{0.1,0.5}', ess_capacity_kwh => 2, ess_min_kw => -1, ess_max_kw => 1,
	ess_efficiency => 0.81, ess_terminal_value_eur_per_kwh => 0)), round((0.1 * 2 + 0.5 * (1 - 0.81))::numeric, 6), 'round-trip efficiency is lost once');
SELECT is((SELECT (round(pev_soc_kwh[3]::numeric, 6), round(objective_eur::numeric, 6))::text FROM ebr_solve('{0,0,0,0}', '{0.3,0.1,0.2,0.4}',
	pev_capacity_kwh => 10, pev_max_kw => 4, pev_soc_kwh => 4, pev_plugged_hours => 3)), '(10.000000,0.800000)', 'the PEV is full when it leaves, charged where it is cheap');
SELECT is((SELECT (violated, round(shortfall_kwh::numeric, 6), round(pev_soc_kwh[1]::numeric, 6))::text FROM ebr_solve('{0,0}', '{0.3,0.1}',
	pev_capacity_kwh => 10, pev_max_kw => 4, pev_soc_kwh => 0, pev_plugged_hours => 1)), '({departure},6.000000,4.000000)', 'a target out of reach is missed by as little as can be');
SELECT is((SELECT (violated, ess_kw[1], round(contract_high_kw[1]::numeric, 6))::text FROM ebr_solve('{9}', '{0.1}', contract_max_kw => 5, ess_capacity_kwh => 3,
	ess_min_kw => -3, ess_max_kw => 3, ess_soc_kwh => 3)), '({contract_max},-3,1.000000)', 'an infeasible contract is answered with the best command');
SELECT is((SELECT round(objective_eur::numeric, 6) FROM ebr_solve('{0}', '{-0.1}', ess_capacity_kwh => 10, ess_min_kw => -5, ess_max_kw => 5, ess_efficiency => 0.25,
	ess_soc_kwh => 10, ess_terminal_value_eur_per_kwh => 0)), 0::numeric, 'a negative price does not make a full battery charge and discharge at once');
SELECT is((SELECT (violated, grid_kw[1])::text FROM ebr_solve('{4}', '{0.1}', profile_low_kw => '{0}', profile_high_kw => '{3}', penalty_high_eur_per_kwh => '{1}',
	ess_capacity_kwh => 5, ess_min_kw => -0.5, ess_soc_kwh => 5)), '({profile},3.5)', 'the tube pulls grid power towards it');
SELECT is((SELECT (distribution_eur > 0, ess_kw[1])::text FROM ebr_solve('{4}', '{0.1}', profile_low_kw => '{0}', profile_high_kw => '{3}', penalty_high_eur_per_kwh => '{1}',
	ess_capacity_kwh => 5, ess_min_kw => -0.5, ess_soc_kwh => 5, ess_terminal_value_eur_per_kwh => 1, objective => 'energy_co2')), '(t,0)', '... not under the objective energy_co2, which still reports it');
SELECT is((SELECT ess_kw FROM ebr_solve('{1,1}', '{0.5,0.1}', co2_eur_per_kwh => '{0.01,0.09}', ess_capacity_kwh => 1, ess_min_kw => -1, ess_max_kw => 1,
	ess_terminal_value_eur_per_kwh => 0, objective => 'co2')), '{1,-1}', 'the objective co2 looks at CO2 alone');
SELECT is((SELECT ess_kw FROM ebr_solve('{0,2}', '{0.3,0.3}', production_kw => '{2,0}', export_eur_per_kwh => '{0.05,0.05}', ess_capacity_kwh => 2, ess_min_kw => -2, ess_max_kw => 2,
	ess_terminal_value_eur_per_kwh => 0)), '{2,-2}', 'surplus is stored where export pays less than import costs');
SELECT is((SELECT (assumed, energy_eur_per_kwh)::text FROM ebr_solve('{1,1,1}', '{0.1,NULL,0.3}')), '({energy_price},"{0.1,0.2,0.3}")', 'a missing price is assumed, and said so');
SELECT is((SELECT assumed FROM ebr_solve('{1}', '{0.1}', ess_capacity_kwh => 2, ess_max_kw => 1, ess_soc_kwh => 2.1)), '{ess_soc}', 'a state of charge slightly outside its range is clamped, and said so');
SELECT is((SELECT status FROM ebr_solve('{1,2}', '{0.1,0.3}', ess_capacity_kwh => 2, ess_min_kw => -1, ess_max_kw => 1, method => 'fallback')), 'fallback', 'there is an answer without a solver');
SELECT is((SELECT abs(a.objective_eur - m.objective_eur) < 1e-6 FROM ebr_solve('{1,2,3}', '{0.1,0.3,-0.2}', ess_capacity_kwh => 2, ess_min_kw => -1, ess_max_kw => 1, ess_efficiency => 0.8) AS a,
	ebr_solve('{1,2,3}', '{0.1,0.3,-0.2}', ess_capacity_kwh => 2, ess_min_kw => -1, ess_max_kw => 1, ess_efficiency => 0.8, method => 'milp') AS m), true, 'both methods find the same optimum');

-- The scenarios of document 3.2.4, in two dear and two cheap hours.
CREATE FUNCTION pg_temp.scenario(ess float8, pev float8, pev_min float8) RETURNS ebr_solution LANGUAGE sql AS $$
	SELECT smarthg.ebr_solve('{2,2,2,2}', '{0.4,0.1,0.1,0.4}', ess_capacity_kwh => ess, ess_min_kw => -2, ess_max_kw => 2, ess_soc_kwh => ess / 2,
		ess_terminal_value_eur_per_kwh => 0, pev_capacity_kwh => pev, pev_min_kw => pev_min, pev_max_kw => 3, pev_soc_kwh => pev / 2, pev_plugged_hours => 3)
$$;
SELECT is((SELECT (min(e), bool_and(p = 0))::text FROM unnest((pg_temp.scenario(4, 0, -3)).ess_kw, (pg_temp.scenario(4, 0, -3)).pev_kw) AS u(e, p)), '(-2,t)', 'BU: only the ESS is controlled');
SELECT is((SELECT (min(e), min(p), max(p))::text FROM unnest((pg_temp.scenario(4, 6, 0)).ess_kw, (pg_temp.scenario(4, 6, 0)).pev_kw) AS u(e, p)), '(-2,0,3)', 'BC: both, the PEV is only charged');
SELECT ok((SELECT min(p) < 0 AND min(e) < 0 FROM unnest((pg_temp.scenario(1, 6, -3)).ess_kw, (pg_temp.scenario(1, 6, -3)).pev_kw) AS u(e, p)), 'BD: both, the PEV may be discharged');
SELECT is((SELECT (bool_and(e = 0), min(p), sum(p))::text FROM unnest((pg_temp.scenario(0, 6, 0)).ess_kw, (pg_temp.scenario(0, 6, 0)).pev_kw) AS u(e, p)), '(t,0,3)', 'PC: only the PEV, only charged');
SELECT is((SELECT (bool_and(e = 0), min(p) < 0, sum(p))::text FROM unnest((pg_temp.scenario(0, 6, -3)).ess_kw, (pg_temp.scenario(0, 6, -3)).pev_kw) AS u(e, p)), '(t,t,3)', 'PD: only the PEV, discharged too');

-- The rule knows what demand may be, not only what it is forecast to be.
CREATE FUNCTION pg_temp.expecting(past_kw float8, known integer DEFAULT 24) RETURNS ebr_solution LANGUAGE sql AS $$
	SELECT smarthg.ebr_solve(array_fill(1::float8, '{24}'), array_cat('{0.1}', array_fill(0.5::float8, '{23}')), export_eur_per_kwh => array_fill(0::float8, '{24}'),
		ess_capacity_kwh => 10, ess_min_kw => -5, ess_max_kw => 5, ess_efficiency => 0.9, ess_terminal_value_eur_per_kwh => 0, history_net_kw => array_fill(past_kw, '{504}'),
		history_energy_eur_per_kwh => array_fill(0.3::float8, '{504}'), history_export_eur_per_kwh => array_fill(0::float8, '{504}'), known_slots => known, reveal_slot => known)
$$;
SELECT ok((pg_temp.expecting(1)).ess_grid_charge_kwh > 9, 'a cheap hour fills the battery of a home that uses energy');
SELECT ok((pg_temp.expecting(0)).ess_grid_charge_kwh < 0.5, '... not of one that never did, whatever the forecast says');
SELECT ok((pg_temp.expecting(0.03)).ess_grid_charge_kwh BETWEEN 4 AND 6, '... and in part of one that uses little');
SELECT throws_ok('SELECT pg_temp.expecting(1, 0)', '22023', NULL, 'an outlook without a known price is refused');
SELECT throws_ok($$ SELECT ebr_solve('{1}', '{0.1}', ess_capacity_kwh => 1, history_net_kw => '{1,2}', history_energy_eur_per_kwh => '{1}') $$, '2202E', NULL, 'a history of two lengths is refused');

-- A tube and a contract add bands to the rule.
CREATE TEMP TABLE tubed AS SELECT * FROM ebr_solve('{1,1,1,6}', '{0.2,0.2,0.2,0.4}', profile_low_kw => '{0,0,0,0}', profile_high_kw => '{2,2,2,2}',
	penalty_high_eur_per_kwh => '{0.3,0.3,0.3,0.3}', contract_max_kw => 5, export_eur_per_kwh => '{0.1,0.1,0.1,0.1}', ess_capacity_kwh => 4, ess_min_kw => -4, ess_max_kw => 4, ess_soc_kwh => 1, ess_terminal_value_eur_per_kwh => 0);
SELECT is((SELECT array_agg(b) FROM tubed, unnest(ess_bands[:][1:1]) AS b), '{0,2,5,Infinity}', 'import and export, tube and contract each end a band');
SELECT is((SELECT pev_bands FROM tubed), NULL, 'a rule of four levels has no bands');
SELECT is((SELECT ebr_rule_power(ess_grid_charge_kwh, ess_surplus_charge_kwh, ess_cover_demand_kwh, ess_export_kwh, 4, -4, 4, 1, 1, 1.8, bands => ess_bands)::numeric(9,6) FROM tubed), 0.2, 'charging stops at the tube');
SELECT is((SELECT ebr_rule_power(ess_grid_charge_kwh, ess_surplus_charge_kwh, ess_cover_demand_kwh, ess_export_kwh, 4, -4, 4, 1, 1, 1.8)::numeric(9,6) FROM tubed), 1.0, '... which the four levels do not know');
SELECT is((SELECT ebr_rule_power(ess_grid_charge_kwh, ess_surplus_charge_kwh, ess_cover_demand_kwh, ess_export_kwh, 4, -4, 4, 1, 1, 5.5, bands => ess_bands) FROM tubed), -0.5::float8, 'and the contract is kept whatever the energy is worth');
SELECT throws_ok('SELECT ebr_rule_power(1, 1, 1, 1, 4, -4, 4, 1, 1, 1, bands => ' || bands || ')', '22023', 'bands are no rule', bands) FROM (VALUES
	('''{1,2,3}'''), ('''{{1,2,3},{0,2,3}}'''), ('''{{2,2,3},{1,2,3},{Infinity,2,3}}''')) AS t(bands);
-- Of equally good plans the previous one.
SELECT is((SELECT (ess_kw, changed_slots)::text FROM ebr_solve('{1,1,1,5}', '{0.2,0.2,0.2,0.6}', ess_capacity_kwh => 2, ess_min_kw => -2, ess_max_kw => 2,
	ess_terminal_value_eur_per_kwh => 0, previous_ess_kw => '{0,2,0,NULL}')), '("{0,2,0,-2}",0)', 'a previous plan settles ties');

-- A charger of 1.4 to 7 kW: the cheapest hour leaves the next its least power.
SELECT is((SELECT (status, array_agg(round(p::numeric, 3)))::text FROM ebr_solve('{1,1,1,1}', '{0.2,0.1,0.15,0.2}', contract_max_kw => 5, pev_capacity_kwh => 40, pev_max_kw => 7,
	pev_soc_kwh => 10, pev_plugged_hours => 4, pev_target_kwh => 14.5, pev_min_step_kw => 1.4), unnest(pev_kw) AS p GROUP BY status), '(optimal,"{0.000,3.100,1.400,0.000}")', 'a least power is kept');
SELECT is(ebr_rule_power(4, 8, 10, 10, 10, 0, 7, 1, 3.2, 1, min_step_kw => 1.4), 1.4::float8, 'a rule runs at the step rather than a little below');
SELECT is(ebr_rule_power(4, 8, 10, 10, 10, 0, 7, 1, 3.5, 1, min_step_kw => 1.4), 0::float8, '... or not at all');
SELECT is(ebr_rule_power(9.9, 9.9, 10, 10, 10, 0, 7, 1, 9, 1, min_step_kw => 1.4), 0::float8, '... or where the store has no room for it');
SELECT throws_ok($$ SELECT ebr_solve('{1}', '{0.1}', pev_capacity_kwh => 5, pev_max_kw => 3, pev_plugged_hours => 1, pev_min_step_kw => 4) $$, '22023', NULL, 'a step above the full power is refused');

-- Bad input.
SELECT throws_ok('SELECT * FROM ebr_solve(' || call || ')', state::char(5), NULL, promise) FROM (VALUES
	('''{1,NaN}'', ''{0.1,0.1}''', '22023', 'NaN demand is refused'),
	('''{1,NULL}'', ''{0.1,0.1}''', '22004', 'null demand is refused'),
	('''{1}'', ''{NaN}''', '22023', 'NaN price is refused'),
	('''{}'', ''{}''', '22023', 'empty arrays are refused'),
	('''{1,2}'', ''{0.1}''', '2202E', 'arrays of different length are refused'),
	('''{{1,2}}'', ''{0.1,0.1}''', '2202E', 'two-dimensional arrays are refused'),
	('NULL, ''{0.1}''', '22004', 'a null series is refused'),
	('''{Infinity}'', ''{0.1}''', '22023', 'infinite demand is refused'),
	('''{1}'', ''{Infinity}''', '22023', 'an infinite price is refused'),
	('''{1}'', ''{0.1}'', ess_capacity_kwh => -1', '22023', 'negative capacity is refused'),
	('''{1}'', ''{0.1}'', ess_capacity_kwh => ''NaN''', '22023', 'NaN capacity is refused'),
	('''{1}'', ''{0.1}'', ess_capacity_kwh => 1, ess_efficiency => 0', '22023', 'efficiency 0 is refused'),
	('''{1}'', ''{0.1}'', pev_capacity_kwh => 1, pev_efficiency => 1.2', '22023', 'efficiency 1.2 is refused'),
	('''{1}'', ''{0.1}'', ess_capacity_kwh => 1, ess_min_kw => 1', '22023', 'a positive minimum rate is refused'),
	('''{1}'', ''{0.1}'', ess_capacity_kwh => 1, ess_max_kw => -1', '22023', 'a negative maximum rate is refused'),
	('''{1}'', ''{0.1}'', pev_capacity_kwh => 1, pev_plugged_hours => -1', '22023', 'a stay of negative length is refused'),
	('''{1}'', ''{0.1}'', pev_capacity_kwh => 5, pev_plugged_hours => 1, pev_target_kwh => 6', '22023', 'a target above the capacity is refused'),
	('''{1}'', ''{0.1}'', contract_min_kw => 2, contract_max_kw => 1', '22023', 'a contract upside down is refused'),
	('''{1}'', ''{0.1}'', profile_low_kw => ''{2}'', profile_high_kw => ''{1}''', '22023', 'a tube upside down is refused'),
	('''{1}'', ''{0.1}'', penalty_high_eur_per_kwh => ''{-1}''', '22023', 'a negative penalty is refused'),
	('''{1}'', ''{0.1}'', slot_length => ''0''', '22023', 'an empty slot is refused'),
	('''{1}'', ''{0.1}'', slot_length => ''1 month''', '22023', 'a slot of a month is refused'),
	('''{1}'', ''{0.1}'', objective => ''profit''', '22023', 'an unknown objective is refused'),
	('''{1}'', ''{0.1}'', method => ''magic''', '22023', 'an unknown method is refused'),
	('''{1}'', ''{0.1}'', memory_limit_mb => 0', '22023', 'a memory limit of nothing is refused'),
	('(SELECT array_agg(1.0::float8) FROM generate_series(1, 10001)), (SELECT array_agg(1.0::float8) FROM generate_series(1, 10001))', '22023', 'more than 10,000 slots are refused')
) AS t(call, state, promise);
SELECT * FROM finish();
ROLLBACK;
