-- The demonstration's tables: the plan of one home slot by slot, then all homes.
\set ON_ERROR_STOP 1
SET search_path = smarthg, public;
SET timezone = 'Europe/Berlin';
\pset footer off
SELECT home_id AS shown FROM pev_session, demo.moment WHERE plugged_at <= now AND departs_at > now ORDER BY home_id % 2, home_id LIMIT 1 \gset
SELECT format('Plan of %s made at %s (contract %s kW, 10 kWh battery, vehicle with %s kWh that leaves at %s)', h.name, to_char(m.now, 'YYYY-MM-DD HH24:MI'), h.contract_max_kw,
	round(s.arrival_soc_kwh::numeric, 1), to_char(s.departs_at, 'DD Mon HH24:MI')) AS title
FROM home h, demo.moment m, pev_session s WHERE h.home_id = :shown AND s.home_id = :shown AND s.plugged_at <= m.now AND s.departs_at > m.now \gset
\pset title :title
SELECT to_char(slot_start, 'Dy HH24:MI') AS slot, round(energy_eur_per_kwh::numeric, 3) AS "EUR/kWh", round(demand_kw::numeric, 2) AS "demand kW", round(production_kw::numeric, 2) AS "PV kW",
	round(ess_kw::numeric, 2) AS "ESS kW", round(ess_soc_kwh::numeric, 1) AS "ESS kWh", round(pev_kw::numeric, 2) AS "PEV kW", round(pev_soc_kwh::numeric, 1) AS "PEV kWh",
	round(grid_kw::numeric, 2) AS "grid kW", round(without.cost_eur::numeric, 3) AS "EUR without", round(p.cost_eur::numeric, 3) AS "EUR with"
FROM demo.moment, ebr_plan(:shown, now, 36) AS p
JOIN (SELECT w.slot_no, w.cost_eur FROM demo.moment, ebr_plan(:shown, now, 36, method => 'fallback') AS w) AS without USING (slot_no) ORDER BY p.slot_no;

SELECT count(command_id) AS commands, count(error) AS errors FROM demo.moment, ebr_run(now, slots => 36);
-- Fair shares: both ways end with energy stored, which is worth what the plan says.
CREATE TABLE demo.saving AS
	SELECT h.home_id, h.name AS home, p.status, u.energy_eur + u.co2_eur AS without_eur, p.energy_eur + p.co2_eur AS with_eur,
		p.stored_value_eur - u.stored_value_eur AS stored_eur, u.objective_eur - p.objective_eur AS saving_eur, p.solve_seconds,
		c.ess_setpoint_kw, c.pev_setpoint_kw, coalesce(nullif(array_to_string(p.violated, ' '), ''), 'nothing') AS violated
	FROM plan p JOIN home h USING (home_id) JOIN command c USING (home_id, plan_id), demo.moment,
		LATERAL (SELECT (ebr_solve_input(ebr_home_input(h.home_id, now, 36), method => 'fallback')).*) AS u;
\pset title 'All homes, 36 hours, without control (vehicle charged on arrival, battery idle) and with'
SELECT home, status, round(without_eur::numeric, 2) AS "EUR without", round(with_eur::numeric, 2) AS "EUR with", round(stored_eur::numeric, 2) AS "more stored EUR",
	round(saving_eur::numeric, 2) AS "saving EUR", round((100 * saving_eur / nullif(without_eur, 0))::numeric, 0) AS "%", round((1000 * solve_seconds)::numeric, 1) AS "solver ms",
	round(ess_setpoint_kw::numeric, 2) AS "ESS kW now", round(pev_setpoint_kw::numeric, 2) AS "PEV kW now", violated
FROM demo.saving
UNION ALL SELECT 'all', '', round(sum(without_eur)::numeric, 2), round(sum(with_eur)::numeric, 2), round(sum(stored_eur)::numeric, 2), round(sum(saving_eur)::numeric, 2),
	round((100 * sum(saving_eur) / sum(without_eur))::numeric, 0), round((1000 * sum(solve_seconds))::numeric, 1), NULL, NULL, NULL
FROM demo.saving ORDER BY 2 DESC, 1;
\pset title 'Their rules for the coming hour, kWh stored'
SELECT h.name AS home, round(ess_grid_charge_kwh::numeric, 2) AS "charge from grid below", round(ess_surplus_charge_kwh::numeric, 2) AS "from surplus below",
	round(ess_cover_demand_kwh::numeric, 2) AS "cover demand above", round(ess_export_kwh::numeric, 2) AS "export above"
FROM command JOIN home h USING (home_id) ORDER BY 1;
\pset title 'The four weeks before, replayed slot by slot with what was known then: saving in percent of perfect foresight; without control the vehicle is charged on arrival'
SELECT h.name AS home, round(max(r.cost_eur) FILTER (WHERE way = 'no storage')::numeric, 2) AS "EUR without control",
	round(max(r.cost_eur) FILTER (WHERE way = 'rule')::numeric, 2) AS "EUR by the rule", round(max(r.cost_eur) FILTER (WHERE way = 'perfect foresight')::numeric, 2) AS "EUR perfect",
	round(max(r.saving_percent) FILTER (WHERE way = 'naive rule')::numeric, 0) AS "naive %", round(max(r.saving_percent) FILTER (WHERE way = 'set-point')::numeric, 0) AS "set-point %",
	round(max(r.saving_percent) FILTER (WHERE way = 'rule')::numeric, 0) AS "rule %"
FROM demo.moment, home h CROSS JOIN LATERAL ebr_replay(h.home_id, now - interval '28 days', now) AS r GROUP BY h.name ORDER BY 1;
