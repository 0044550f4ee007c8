-- Electric energy of homes by part, from the energy of their registers at the granularity asked for,
-- and what the planner knows of their past (document 3.2.1).

CREATE FUNCTION register_direction(obis text) RETURNS text
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
RETURN CASE obis WHEN '1-0:1.8.0.255' THEN 'import' WHEN '1-0:2.8.0.255' THEN 'export' END;
COMMENT ON FUNCTION register_direction(text) IS 'import or export for the total active-energy registers 1.8.0 and 2.8.0, else null';

CREATE VIEW home_register WITH (security_invoker = true) AS
SELECT m.home_id, r.register_id, m.kind, m.role, CASE register_direction(r.obis) WHEN 'import' THEN 1 ELSE -1 END AS sign
FROM meter m JOIN register r USING (meter_id)
WHERE m.commodity = 'electricity' AND register_direction(r.obis) IS NOT NULL AND (m.kind = 'main' OR m.role <> 'consumption');
COMMENT ON VIEW home_register IS 'The registers of active energy that make up a home''s exchange with the grid, its production and its stores; sign is 1 for energy into, -1 for energy out of the home, battery or vehicle';

CREATE VIEW home_part WITH (security_invoker = true) AS
SELECT h.home_id, h.register_id, CASE WHEN h.kind <> 'main' THEN h.role::text WHEN h.sign > 0 THEN 'import' ELSE 'export' END AS part, h.sign,
	count(*) OVER (PARTITION BY h.home_id) AS registers
FROM home_register h;
COMMENT ON VIEW home_part IS 'home_register with the part that each register is of: import, export, production, ess, pev; and how many the home has';

CREATE VIEW home_energy WITH (security_invoker = true) AS
SELECT h.home_id, e.slot_start,
	sum(e.energy_kwh) FILTER (WHERE h.part = 'import') AS import_kwh, sum(e.energy_kwh) FILTER (WHERE h.part = 'export') AS export_kwh,
	sum(-h.sign * e.energy_kwh) FILTER (WHERE h.part = 'production') AS production_kwh,
	sum(h.sign * e.energy_kwh) FILTER (WHERE h.part = 'ess') AS ess_kwh, sum(h.sign * e.energy_kwh) FILTER (WHERE h.part = 'pev') AS pev_kwh,
	max(e.quality) AS quality, count(*) = h.registers AS complete, e.day
FROM home_part h JOIN interval_energy e USING (register_id)
GROUP BY h.home_id, h.registers, e.slot_start, e.day;
COMMENT ON VIEW home_energy IS 'Electric energy of each home and base slot by part, kWh: drawn from and fed into the grid, produced, into (negative: out of) ESS and PEV; null where a home has no such meter or it is not known; complete tells whether all of the home''s registers are known. Restrict a long history by day (UTC) too';

CREATE VIEW home_energy_hourly WITH (security_invoker = true) AS
SELECT h.home_id, e.slot_start,
	sum(e.energy_kwh) FILTER (WHERE h.part = 'import') AS import_kwh, sum(e.energy_kwh) FILTER (WHERE h.part = 'export') AS export_kwh,
	sum(-h.sign * e.energy_kwh) FILTER (WHERE h.part = 'production') AS production_kwh,
	sum(h.sign * e.energy_kwh) FILTER (WHERE h.part = 'ess') AS ess_kwh, sum(h.sign * e.energy_kwh) FILTER (WHERE h.part = 'pev') AS pev_kwh,
	max(e.quality) AS quality, CASE WHEN count(*) = h.registers THEN min(e.covered) ELSE '0' END AS covered, e.day
FROM home_part h JOIN energy_hourly e USING (register_id)
GROUP BY h.home_id, h.registers, e.slot_start, e.day;
COMMENT ON VIEW home_energy_hourly IS 'home_energy in UTC hours, from the hours that are stored; covered tells how much of it is known of the register that is known least, 0 where of one nothing is known. Restrict a long history by day (UTC) too';

CREATE VIEW home_energy_daily WITH (security_invoker = true) AS
SELECT h.home_id, e.local_day,
	sum(e.energy_kwh) FILTER (WHERE h.part = 'import') AS import_kwh, sum(e.energy_kwh) FILTER (WHERE h.part = 'export') AS export_kwh,
	sum(-h.sign * e.energy_kwh) FILTER (WHERE h.part = 'production') AS production_kwh,
	sum(h.sign * e.energy_kwh) FILTER (WHERE h.part = 'ess') AS ess_kwh, sum(h.sign * e.energy_kwh) FILTER (WHERE h.part = 'pev') AS pev_kwh,
	max(e.quality) AS quality, CASE WHEN count(*) = h.registers THEN min(e.covered) ELSE '0' END AS covered
FROM home_part h JOIN energy_daily e USING (register_id)
GROUP BY h.home_id, h.registers, e.local_day;
COMMENT ON VIEW home_energy_daily IS 'home_energy in days of the home''s time zone, 23 to 25 hours long; covered tells how much of it is known of the register that is known least, 0 where of one nothing is known';

CREATE VIEW home_energy_monthly WITH (security_invoker = true) AS
SELECT h.home_id, e.local_month,
	sum(e.energy_kwh) FILTER (WHERE h.part = 'import') AS import_kwh, sum(e.energy_kwh) FILTER (WHERE h.part = 'export') AS export_kwh,
	sum(-h.sign * e.energy_kwh) FILTER (WHERE h.part = 'production') AS production_kwh,
	sum(h.sign * e.energy_kwh) FILTER (WHERE h.part = 'ess') AS ess_kwh, sum(h.sign * e.energy_kwh) FILTER (WHERE h.part = 'pev') AS pev_kwh,
	max(e.quality) AS quality, CASE WHEN count(*) = h.registers THEN min(e.covered) ELSE '0' END AS covered
FROM home_part h JOIN energy_monthly e USING (register_id)
GROUP BY h.home_id, h.registers, e.local_month;
COMMENT ON VIEW home_energy_monthly IS 'home_energy in months of the home''s time zone, named by their first day; covered tells how much of it is known of the register that is known least, 0 where of one nothing is known';

CREATE FUNCTION home_history(home_id bigint, from_slot timestamptz, until_slot timestamptz, slot_length interval DEFAULT '1 hour',
	OUT demand_kw float8[], OUT production_kw float8[], OUT produces boolean)
LANGUAGE c STABLE STRICT PARALLEL SAFE SET search_path = smarthg, pg_temp AS 'MODULE_PATHNAME', 'smarthg_home_history';
COMMENT ON FUNCTION home_history(bigint, timestamptz, timestamptz, interval) IS
'Mean demand of a home''s appliances and its production, kW, one element for each slot of [from_slot, until_slot), null where not known entirely, or only estimated. Demand = grid exchange + production - what ESS and PEV took, from the home''s meters of active energy. produces tells whether there is a production meter. Errors: slot_length no multiple of installation.base_slot or no divisor of a day, times not aligned to slots, more than 1,000,000 slots (document 3.2.1)';

CREATE FUNCTION home_demand(home_id bigint, from_slot timestamptz, until_slot timestamptz, slot_length interval DEFAULT '1 hour')
RETURNS TABLE (slot_start timestamptz, demand_kw float8, production_kw float8)
LANGUAGE sql STABLE STRICT PARALLEL SAFE ROWS 1000 SET search_path = smarthg, pg_temp AS $$
	SELECT home_demand.from_slot + (s.n - 1) * home_demand.slot_length, s.demand_kw, s.production_kw
	FROM home_history(home_demand.home_id, home_demand.from_slot, home_demand.until_slot, home_demand.slot_length) AS h,
		unnest(h.demand_kw, h.production_kw) WITH ORDINALITY AS s(demand_kw, production_kw, n)
	WHERE s.demand_kw IS NOT NULL ORDER BY s.n
$$;
COMMENT ON FUNCTION home_demand(bigint, timestamptz, timestamptz, interval) IS
'home_history as rows: mean demand of the appliances (without ESS and PEV) and production, kW, for each slot of [from_slot, until_slot) that is known entirely (document 3.2.1)';
