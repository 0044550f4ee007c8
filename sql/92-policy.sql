-- Row-level security: which rows a role may see and change (DESIGN.md section 8).
--
-- Every table has it, partitions included. The DSO's operator sees all rows; a service what the
-- token of its session opens (24-opened.sql); nobody else has a policy, so nobody else sees any row.
-- Functions in policies stand in a sub-select, so that they are called once a statement and their
-- answer is a key for an index.

DO $$
DECLARE
	guarded regclass;
BEGIN
	FOR guarded IN SELECT c.oid::regclass FROM pg_catalog.pg_class c WHERE c.relnamespace = 'smarthg'::regnamespace AND c.relkind IN ('r', 'p') ORDER BY c.relname LOOP
		EXECUTE pg_catalog.format('ALTER TABLE %s ENABLE ROW LEVEL SECURITY', guarded);
		EXECUTE pg_catalog.format('CREATE POLICY operator ON %s TO smarthg_admin USING (true) WITH CHECK (true)', guarded);
	END LOOP;
END $$;

-- What is nobody's: the settings that views need, where prices hold, tariffs.
CREATE POLICY service ON installation FOR SELECT TO smarthg_service USING (true);
CREATE POLICY service ON price_area FOR SELECT TO smarthg_service USING ((SELECT (current_token()).jti) IS NOT NULL);
CREATE POLICY service ON tariff FOR SELECT TO smarthg_service USING ((SELECT (current_token()).jti) IS NOT NULL);
CREATE POLICY service_writes ON market_price TO smarthg_service USING ((SELECT token_of_operator('write', 'price')));
CREATE POLICY service_writes ON co2_cost TO smarthg_service USING ((SELECT token_of_operator('write', 'price')));
CREATE POLICY service ON market_price FOR SELECT TO smarthg_service USING (slot_length >= (SELECT token_slot_length('price')));
CREATE POLICY service ON co2_cost FOR SELECT TO smarthg_service USING (slot_length >= (SELECT token_slot_length('price')));

-- The home and what hangs on it.
CREATE POLICY service ON home FOR SELECT TO smarthg_service USING (home_id = ANY ((SELECT token_homes())::bigint[]));
-- The home is asked for too, so that an index finds no row of another home that a plan could count.
CREATE POLICY service ON meter FOR SELECT TO smarthg_service
	USING (home_id = ANY ((SELECT token_homes())::bigint[]) AND meter_id = ANY ((SELECT token_meters())::bigint[]));
CREATE POLICY service ON register FOR SELECT TO smarthg_service USING (meter_id = ANY ((SELECT token_meters())::bigint[]));
CREATE POLICY service ON register_epoch FOR SELECT TO smarthg_service USING (register_id = ANY ((SELECT token_registers('raw'))::bigint[]));

-- Readings and energy: each granularity is a table of its own.
CREATE POLICY service ON reading_day FOR SELECT TO smarthg_service
	USING (register_id = ANY ((SELECT token_registers('raw'))::bigint[]) AND day >= (SELECT token_first_day()));
CREATE POLICY service ON reading_landing FOR SELECT TO smarthg_service
	USING (register_id = ANY ((SELECT token_registers('raw'))::bigint[]) AND measured_at >= (SELECT token_history_from()));
CREATE POLICY service ON reading_correction FOR SELECT TO smarthg_service
	USING (register_id = ANY ((SELECT token_registers('raw'))::bigint[]) AND measured_at >= (SELECT token_history_from()));

CREATE POLICY service ON energy_day FOR SELECT TO smarthg_service
	USING (register_id = ANY ((SELECT token_registers(granularity_of((settings()).base_slot)))::bigint[]) AND day >= (SELECT token_first_day()));
CREATE POLICY service ON energy_rollup_5min FOR SELECT TO smarthg_service
	USING (register_id = ANY ((SELECT token_registers('5min'))::bigint[]) AND period >= (SELECT token_first_day()));
CREATE POLICY service ON energy_rollup_15min FOR SELECT TO smarthg_service
	USING (register_id = ANY ((SELECT token_registers('15min'))::bigint[]) AND period >= (SELECT token_first_day()));
CREATE POLICY service ON energy_rollup_30min FOR SELECT TO smarthg_service
	USING (register_id = ANY ((SELECT token_registers('30min'))::bigint[]) AND period >= (SELECT token_first_day()));
CREATE POLICY service ON energy_rollup_hourly FOR SELECT TO smarthg_service
	USING (register_id = ANY ((SELECT token_registers('hourly'))::bigint[]) AND period >= (SELECT token_first_day()));
-- Days, months and years of services are over, by the clock and by what is known: one that goes on, or
-- comes in late piece by piece, would tell finer ones.
CREATE POLICY service ON energy_rollup_daily FOR SELECT TO smarthg_service
	USING (register_id = ANY ((SELECT token_registers('daily'))::bigint[]) AND is_over AND period >= (SELECT token_first_local_day()) AND period < (SELECT token_today()));
CREATE POLICY service ON energy_rollup_monthly FOR SELECT TO smarthg_service
	USING (register_id = ANY ((SELECT token_registers('monthly'))::bigint[]) AND is_over AND period >= (SELECT token_first_local_day()) AND period < (SELECT date_trunc('month', token_today())::date));
CREATE POLICY service ON energy_rollup_yearly FOR SELECT TO smarthg_service
	USING (register_id = ANY ((SELECT token_registers('yearly'))::bigint[]) AND is_over AND period >= (SELECT token_first_local_day()) AND period < (SELECT date_trunc('year', token_today())::date));

-- Stores.
CREATE POLICY service ON ess FOR SELECT TO smarthg_service USING (home_id = ANY ((SELECT token_homes('read', 'ess'))::bigint[]));
CREATE POLICY service ON ess_state FOR SELECT TO smarthg_service
	USING (home_id = ANY ((SELECT token_homes('read', 'ess'))::bigint[]) AND (SELECT token_slot_length('ess')) = interval '0' AND measured_at >= (SELECT token_history_from()));
CREATE POLICY service_writes ON ess_state FOR INSERT TO smarthg_service WITH CHECK (home_id = ANY ((SELECT token_homes('write', 'ess'))::bigint[]));
CREATE POLICY service ON pev FOR SELECT TO smarthg_service USING (home_id = ANY ((SELECT token_homes('read', 'pev'))::bigint[]));
CREATE POLICY service ON pev_state FOR SELECT TO smarthg_service
	USING (home_id = ANY ((SELECT token_homes('read', 'pev'))::bigint[]) AND (SELECT token_slot_length('pev')) = interval '0' AND measured_at >= (SELECT token_history_from()));
CREATE POLICY service_writes ON pev_state FOR INSERT TO smarthg_service WITH CHECK (home_id = ANY ((SELECT token_homes('write', 'pev'))::bigint[]));
CREATE POLICY service ON pev_session FOR SELECT TO smarthg_service
	USING (home_id = ANY ((SELECT token_homes('read', 'pev'))::bigint[]) AND (SELECT token_slot_length('pev')) = interval '0' AND plugged_at >= (SELECT token_history_from()));
CREATE POLICY service_writes ON pev_session FOR INSERT TO smarthg_service WITH CHECK (home_id = ANY ((SELECT token_homes('write', 'pev'))::bigint[]));

-- Profiles, plans and commands.
CREATE POLICY service ON power_profile FOR SELECT TO smarthg_service
	USING (home_id = ANY ((SELECT token_homes('read', 'profile'))::bigint[]) AND slot_length >= (SELECT token_slot_length('profile')) AND slot_start >= (SELECT token_history_from()));
CREATE POLICY service_writes ON power_profile FOR INSERT TO smarthg_service WITH CHECK (home_id = ANY ((SELECT token_homes('write', 'profile'))::bigint[]));
CREATE POLICY service ON plan FOR SELECT TO smarthg_service
	USING (home_id = ANY ((SELECT token_homes('read', 'plan'))::bigint[]) AND slot_length >= (SELECT token_slot_length('plan')) AND origin >= (SELECT token_history_from()));
CREATE POLICY service_writes ON plan FOR INSERT TO smarthg_service WITH CHECK (home_id = ANY ((SELECT token_homes('write', 'plan'))::bigint[]));
CREATE POLICY service ON command FOR SELECT TO smarthg_service
	USING (home_id = ANY ((SELECT token_homes('read', 'command'))::bigint[]) AND slot_start >= (SELECT token_history_from()));
CREATE POLICY service_writes ON command FOR INSERT TO smarthg_service
	-- For slots that go on or are to come, few of which there can be: the bridge sends what is due first.
	WITH CHECK (home_id = ANY ((SELECT token_homes('write', 'command'))::bigint[]) AND state = 'pending' AND slot_length <= '1 hour'
		AND slot_start = slot_start(slot_start, slot_length) AND slot_start > now() - slot_length AND slot_start < now() + interval '2 days');

-- Forecasts, and what goes into them.
CREATE POLICY service ON holiday FOR SELECT TO smarthg_service USING ((SELECT (current_token()).jti) IS NOT NULL);
CREATE POLICY service ON weather FOR SELECT TO smarthg_service USING ((SELECT (current_token()).jti) IS NOT NULL);
CREATE POLICY service ON price_forecast FOR SELECT TO smarthg_service USING (slot_length >= (SELECT token_slot_length('price')));
CREATE POLICY service ON forecast FOR SELECT TO smarthg_service
	USING (home_id = ANY ((SELECT token_homes('read', 'forecast'))::bigint[]) AND slot_length >= (SELECT token_slot_length('forecast')) AND origin >= (SELECT token_history_from()));
CREATE POLICY service_writes ON forecast FOR INSERT TO smarthg_service WITH CHECK (home_id = ANY ((SELECT token_homes('write', 'forecast'))::bigint[]));

CREATE POLICY service ON heating FOR SELECT TO smarthg_service USING (home_id = ANY ((SELECT token_homes('read', 'home'))::bigint[]));
CREATE POLICY service ON retrofit_option FOR SELECT TO smarthg_service
	USING ((SELECT (current_token()).jti) IS NOT NULL AND (home_id IS NULL OR home_id = ANY ((SELECT token_homes('read', 'home'))::bigint[])));
CREATE POLICY service ON standard_profile FOR SELECT TO smarthg_service USING ((SELECT (current_token()).jti) IS NOT NULL);

-- What services produce for others: its developer is the resource owner, whose token names resource
-- and granularity; written by the service itself.
CREATE POLICY service ON service_data FOR SELECT TO smarthg_service
	USING (service_id = ANY ((SELECT token_services())::bigint[]) AND slot_length >= (SELECT granularity_length(token_finest(resource))) AND slot_start >= (SELECT token_history_from()));
CREATE POLICY service_writes ON service_data FOR INSERT TO smarthg_service WITH CHECK (service_id = (SELECT token_own_service()) AND token_allows('write', resource));

-- What a service may name at all; of a register not what it read last, of devices not their addresses.
GRANT SELECT ON installation, price_area, tariff, holiday, weather, market_price, co2_cost, price_forecast, forecast, service_data, heating, retrofit_option, standard_profile, home, register_epoch, reading_day, reading_landing, reading_correction,
	ess_state, pev_state, pev_session, power_profile, plan, command TO smarthg_service;
GRANT SELECT (meter_id, home_id, kind, role, commodity, name) ON meter TO smarthg_service;
GRANT SELECT (register_id, meter_id, obis, unit, cumulative) ON register TO smarthg_service;
GRANT SELECT (home_id, capacity_kwh, min_kw, max_kw, efficiency) ON ess TO smarthg_service;
GRANT SELECT (home_id, capacity_kwh, min_kw, max_kw, efficiency, min_step_kw) ON pev TO smarthg_service;
-- No right on a whole table but to read it and add to it: a right to change rows is one to lock the
-- table, too. Identifiers, and what the bridge says of a command, are not theirs to choose.
GRANT INSERT ON ess_state, pev_state, pev_session, service_data, power_profile, market_price, co2_cost TO smarthg_service;
GRANT UPDATE (slot_length, energy_eur_per_kwh, published_at) ON market_price TO smarthg_service;
GRANT UPDATE (slot_length, carbon_g_per_kwh, co2_eur_per_kwh, published_at) ON co2_cost TO smarthg_service;
DO $$
DECLARE
	filled record;
BEGIN
	FOR filled IN SELECT a.attrelid::regclass AS relation, pg_catalog.string_agg(pg_catalog.quote_ident(a.attname), ', ') AS columns FROM pg_catalog.pg_attribute a
		WHERE a.attrelid IN ('smarthg.plan'::regclass, 'smarthg.command'::regclass, 'smarthg.forecast'::regclass) AND a.attnum > 0 AND NOT a.attisdropped
			AND NOT (a.attrelid = 'smarthg.plan'::regclass AND a.attname IN ('plan_id', 'made_at'))
			AND NOT (a.attrelid = 'smarthg.command'::regclass AND a.attname IN ('command_id', 'created_at', 'state', 'state_changed_at', 'detail'))
			AND NOT (a.attrelid = 'smarthg.forecast'::regclass AND a.attname = 'made_at')
		GROUP BY 1 LOOP
		EXECUTE pg_catalog.format('GRANT INSERT (%s) ON %s TO smarthg_service', filled.columns, filled.relation);
	END LOOP;
END $$;
GRANT EXECUTE ON FUNCTION new_id(), withdraw_profile(bigint, timestamptz, timestamptz), withdraw_service_data(text, text, timestamptz, timestamptz) TO smarthg_service;
GRANT SELECT ON energy_day, energy_rollup_5min, energy_rollup_15min, energy_rollup_30min, energy_rollup_hourly,
	energy_rollup_daily, energy_rollup_monthly, energy_rollup_yearly TO smarthg_service;
GRANT SELECT ON reading, interval_energy, energy_5min, energy_15min, energy_30min, energy_hourly, energy_daily, energy_monthly, energy_yearly,
	home_register, home_part, home_energy, home_energy_hourly, home_energy_daily, home_energy_monthly, plan_slot TO smarthg_service;

-- What only reads, with its caller's rights, shows a service no more than it may see anyway.
DO $$
DECLARE
	reading regprocedure;
BEGIN
	FOR reading IN SELECT p.oid::regprocedure FROM pg_catalog.pg_proc p
		WHERE p.pronamespace = 'smarthg'::regnamespace AND p.prokind = 'f' AND p.provolatile <> 'v' AND NOT p.prosecdef ORDER BY p.proname LOOP
		EXECUTE pg_catalog.format('GRANT EXECUTE ON FUNCTION %s TO smarthg_service', reading);
	END LOOP;
END $$;
GRANT EXECUTE ON FUNCTION usage_similar(bigint, timestamptz, timestamptz) TO smarthg_service;
