-- The saving as measured, and what a DSO sees of a feeder (document chapter 1, section 2.3).

CREATE FUNCTION savings_measured(home_id bigint, from_slot timestamptz, until_slot timestamptz, slot_length interval DEFAULT '1 hour')
RETURNS TABLE (energy_eur float8, co2_eur float8, distribution_eur float8, left_eur float8, slots_billed bigint)
LANGUAGE sql STABLE STRICT PARALLEL SAFE ROWS 1 SET search_path = smarthg, pg_temp AS $$
	WITH price AS MATERIALIZED (
		SELECT p.slot_start, p.import_eur_per_kwh AS import_eur, p.export_eur_per_kwh AS export_eur, coalesce(p.co2_eur_per_kwh, 0) AS co2_eur
		FROM home_prices(savings_measured.home_id, savings_measured.from_slot,
			(extract(epoch FROM savings_measured.until_slot - savings_measured.from_slot) / extract(epoch FROM savings_measured.slot_length))::integer, savings_measured.slot_length) AS p
	), grid AS MATERIALIZED (
		SELECT date_bin(savings_measured.slot_length, e.slot_start, savings_measured.from_slot) AS slot_start,
			sum(e.import_kwh - coalesce(e.export_kwh, 0)) / extract(epoch FROM savings_measured.slot_length) * 3600 AS kw
		FROM home_energy e WHERE e.home_id = savings_measured.home_id AND e.slot_start >= savings_measured.from_slot AND e.slot_start < savings_measured.until_slot
			AND e.day BETWEEN (savings_measured.from_slot AT TIME ZONE 'UTC')::date AND (savings_measured.until_slot AT TIME ZONE 'UTC')::date
		GROUP BY 1
	), billed AS (
		-- The slots that the replay bills.
		SELECT g.kw, p.*, t.*
		FROM home_demand(savings_measured.home_id, savings_measured.from_slot, savings_measured.until_slot, savings_measured.slot_length) AS d
		JOIN grid g USING (slot_start) JOIN price p USING (slot_start)
		LEFT JOIN LATERAL (SELECT f.low_kw, f.high_kw, f.penalty_low_eur_per_kwh, f.penalty_high_eur_per_kwh FROM power_profile f
			WHERE f.home_id = savings_measured.home_id AND f.slot_start <= d.slot_start AND f.slot_start > d.slot_start - interval '1 day' AND f.slot_start + f.slot_length > d.slot_start
			ORDER BY f.slot_start DESC LIMIT 1) AS t ON true
		WHERE p.import_eur IS NOT NULL
	), total AS (
		SELECT sum(ebr_slot_cost(b.kw, b.import_eur, b.export_eur, 0, 0, 0, 0, 0, savings_measured.slot_length)) AS energy_eur,
			sum(ebr_slot_cost(b.kw, 0, 0, b.co2_eur, 0, 0, 0, 0, savings_measured.slot_length)) AS co2_eur,
			sum(ebr_slot_cost(b.kw, 0, 0, 0, greatest(b.kw - coalesce(b.high_kw, 'infinity'), 0), coalesce(b.penalty_high_eur_per_kwh, 0),
				greatest(coalesce(b.low_kw, '-infinity') - b.kw, 0), coalesce(b.penalty_low_eur_per_kwh, 0), savings_measured.slot_length)) AS distribution_eur,
			count(*) AS slots
		FROM billed b
	), stored AS (
		-- Worth what ebr_replay says: sqrt(efficiency) times the mean import price of the last day.
		SELECT sqrt(e.efficiency) * (last.soc_kwh - first.soc_kwh) * (SELECT avg(p.import_eur + p.co2_eur) FROM price p WHERE p.slot_start >= savings_measured.until_slot - interval '1 day') AS eur
		FROM ess e,
			LATERAL (SELECT s.soc_kwh FROM ess_state s WHERE s.home_id = e.home_id AND s.measured_at <= savings_measured.from_slot ORDER BY s.measured_at DESC LIMIT 1) AS first,
			LATERAL (SELECT s.soc_kwh FROM ess_state s WHERE s.home_id = e.home_id AND s.measured_at <= savings_measured.until_slot ORDER BY s.measured_at DESC LIMIT 1) AS last
		WHERE e.home_id = savings_measured.home_id
	)
	SELECT t.energy_eur, t.co2_eur, t.distribution_eur, coalesce((SELECT s.eur FROM stored s), 0), t.slots FROM total t
$$;
COMMENT ON FUNCTION savings_measured(bigint, timestamptz, timestamptz, interval) IS
'What a home''s measured exchange with the grid cost in the slots that ebr_replay bills (demand and price known), in parts, EUR; left_eur is what its battery holds more at the end than at the start, by ess_state, at ebr_replay''s worth';

CREATE FUNCTION savings_report(from_slot timestamptz, until_slot timestamptz, homes bigint[] DEFAULT NULL, slot_length interval DEFAULT '1 hour')
RETURNS TABLE (home_id bigint, way text, energy_eur float8, co2_eur float8, distribution_eur float8, missed_eur float8, left_eur float8, cost_eur float8,
	saving_eur float8, saving_percent float8, slots_billed bigint, slots_skipped bigint, error text)
LANGUAGE sql STABLE ROWS 100 SET search_path = smarthg, pg_temp AS $$
	WITH replayed AS MATERIALIZED (
		SELECT r.* FROM ebr_replay_total(savings_report.from_slot, savings_report.until_slot, savings_report.slot_length, savings_report.homes) AS r
	), measured AS (
		SELECT r.home_id, m.* FROM replayed r
		CROSS JOIN LATERAL savings_measured(r.home_id, savings_report.from_slot, savings_report.until_slot, savings_report.slot_length) AS m
		WHERE r.way = 'no storage' AND r.home_id IS NOT NULL
	), way AS (
		SELECT m.home_id, 'measured' AS way, sum(m.energy_eur) AS energy_eur, sum(m.co2_eur) AS co2_eur, sum(m.distribution_eur) AS distribution_eur, NULL::float8 AS missed_eur,
			sum(m.left_eur) AS left_eur, sum(m.energy_eur + m.co2_eur + m.distribution_eur - m.left_eur) AS cost_eur, sum(m.slots_billed)::bigint AS slots_billed, NULL::bigint AS slots_skipped, NULL AS error
		FROM measured m GROUP BY GROUPING SETS ((m.home_id), ())
		UNION ALL
		SELECT r.home_id, r.way, r.energy_eur, r.co2_eur, r.distribution_eur, r.missed_eur, r.left_eur, r.cost_eur, r.slots_billed, r.slots_skipped, r.error FROM replayed r
	)
	SELECT w.home_id, w.way, w.energy_eur, w.co2_eur, w.distribution_eur, w.missed_eur, w.left_eur, w.cost_eur, n.cost_eur - w.cost_eur,
		100 * (n.cost_eur - w.cost_eur) / CASE WHEN n.cost_eur - b.cost_eur > 1e-9 THEN n.cost_eur - b.cost_eur END, w.slots_billed, w.slots_skipped, w.error
	FROM way w LEFT JOIN replayed n ON n.home_id IS NOT DISTINCT FROM w.home_id AND n.way = 'no storage'
		LEFT JOIN replayed b ON b.home_id IS NOT DISTINCT FROM w.home_id AND b.way = 'perfect foresight'
	WHERE w.way IS NOT NULL AND w.cost_eur IS NOT NULL OR w.error IS NOT NULL
	ORDER BY w.home_id NULLS LAST, array_position('{measured,no storage,naive rule,set-point,rule,perfect foresight}', w.way)
$$;
COMMENT ON FUNCTION savings_report(timestamptz, timestamptz, bigint[], interval) IS
'What homes (default: all with a battery or vehicle) really paid over a time beside what they would have: a row for each home and way, and one for each way with home_id null, the total. measured is what the meters say at real prices, CO2 cost and power profile; the others are ebr_replay''s: no storage (vehicle charged on arrival), naive rule, set-point, rule, perfect foresight. cost_eur is energy, CO2 and distribution, and what the vehicle missed, less what is left in the battery; saving_eur is against no storage, saving_percent in percent of perfect foresight''s. All ways are billed in the same slots, net within each. A home that fails is a row with its error. Errors: range not aligned to slots (22023)';

CREATE FUNCTION feeder_load(feeder_id bigint, from_at timestamptz, until_at timestamptz)
RETURNS TABLE (slot_start timestamptz, homes integer, without_ess_kw float8, grid_kw float8, planned_homes integer, planned_kw float8, profile_low_kw float8, profile_high_kw float8,
	above_without_ess_kwh float8, above_kwh float8)
LANGUAGE sql STABLE STRICT PARALLEL SAFE ROWS 200 SET search_path = smarthg, pg_temp AS $$
	WITH home_hour AS (
		SELECT e.slot_start, e.import_kwh - coalesce(e.export_kwh, 0) AS kw, coalesce(e.ess_kwh, 0) AS ess_kw, t.low_kw, t.high_kw
		-- A home at a time: the whole country's hours would be made otherwise.
		FROM home h, LATERAL (SELECT e.* FROM home_energy_hourly e WHERE e.home_id = h.home_id
			AND e.day BETWEEN (feeder_load.from_at AT TIME ZONE 'UTC')::date AND (feeder_load.until_at AT TIME ZONE 'UTC')::date OFFSET 0) AS e
		LEFT JOIN LATERAL (SELECT f.low_kw, f.high_kw FROM power_profile f WHERE f.home_id = h.home_id AND f.slot_start <= e.slot_start AND f.slot_start > e.slot_start - interval '1 day'
			AND f.slot_start + f.slot_length > e.slot_start ORDER BY f.slot_start DESC LIMIT 1) AS t ON true
		WHERE h.feeder_id = feeder_load.feeder_id AND e.slot_start >= feeder_load.from_at AND e.slot_start < feeder_load.until_at AND e.covered >= interval '1 hour' AND e.import_kwh IS NOT NULL
	), measured AS (
		SELECT m.slot_start, count(*)::integer AS homes, sum(m.kw - m.ess_kw) AS without_ess_kw, sum(m.kw) AS kw,
			CASE WHEN count(m.low_kw) = count(*) THEN sum(m.low_kw) END AS low_kw, CASE WHEN count(m.high_kw) = count(*) THEN sum(m.high_kw) END AS high_kw,
			sum(greatest(m.kw - m.ess_kw - m.high_kw, 0)) AS above_without, sum(greatest(m.kw - m.high_kw, 0)) AS above
		FROM home_hour m GROUP BY 1
	), planned AS (
		SELECT date_trunc('hour', c.slot_start, 'UTC') AS slot_start, count(DISTINCT c.home_id)::integer AS homes, sum(p.grid_kw[1] * extract(epoch FROM c.slot_length) / 3600)::float8 AS kw
		FROM home h JOIN command c USING (home_id) JOIN plan p USING (home_id, plan_id)
		WHERE h.feeder_id = feeder_load.feeder_id AND c.slot_start >= feeder_load.from_at AND c.slot_start < feeder_load.until_at GROUP BY 1
	)
	SELECT coalesce(m.slot_start, p.slot_start), coalesce(m.homes, 0), m.without_ess_kw, m.kw, coalesce(p.homes, 0), p.kw, m.low_kw, m.high_kw, m.above_without, m.above
	FROM measured m FULL JOIN planned p ON p.slot_start = m.slot_start ORDER BY 1
$$;
COMMENT ON FUNCTION feeder_load(bigint, timestamptz, timestamptz) IS
'The load of a feeder''s homes in UTC hours, kW: measured (grid_kw, of the homes known entirely) and as it would have been without what their batteries took and gave; what EBR''s commands planned for planned_homes; the sum of the homes'' power profiles (null where one has none). above_... is the energy of homes above their own profile, kWh';

CREATE FUNCTION feeder_state(feeder_id bigint, from_at timestamptz, until_at timestamptz)
RETURNS TABLE (homes integer, gateways integer, gateways_online integer, known_percent float8, estimated_percent float8, quarantined bigint, commands bigint, commands_acknowledged bigint, fallbacks bigint)
LANGUAGE sql STABLE STRICT PARALLEL SAFE ROWS 1 SET search_path = smarthg, pg_temp AS $$
	WITH own AS (
		SELECT h.home_id FROM home h WHERE h.feeder_id = feeder_state.feeder_id
	), energy AS (
		SELECT sum(extract(epoch FROM e.covered)) / 3600 AS hours, count(*) FILTER (WHERE e.quality = 'estimated') AS estimated, count(*) AS known
		FROM own, LATERAL (SELECT e.* FROM home_energy_hourly e WHERE e.home_id = own.home_id
			AND e.day BETWEEN (feeder_state.from_at AT TIME ZONE 'UTC')::date AND (feeder_state.until_at AT TIME ZONE 'UTC')::date OFFSET 0) AS e
		WHERE e.slot_start >= feeder_state.from_at AND e.slot_start < feeder_state.until_at
	), gate AS (
		SELECT count(*) AS gateways, count(*) FILTER (WHERE g.online) AS online FROM own JOIN gateway g USING (home_id) WHERE g.enabled
	), told AS (
		SELECT count(*) AS commands, count(*) FILTER (WHERE c.state = 'acknowledged') AS acknowledged, count(*) FILTER (WHERE p.status = 'fallback') AS fallbacks
		FROM own JOIN command c USING (home_id) JOIN plan p USING (home_id, plan_id) WHERE c.slot_start >= feeder_state.from_at AND c.slot_start < feeder_state.until_at
	)
	SELECT (SELECT count(*) FROM own)::integer, g.gateways::integer, g.online::integer,
		(100 * coalesce(e.hours, 0) / nullif((SELECT count(*) FROM own) * extract(epoch FROM feeder_state.until_at - feeder_state.from_at) / 3600, 0))::float8,
		100.0 * e.estimated / nullif(e.known, 0),
		(SELECT count(*) FROM own JOIN gateway q USING (home_id) JOIN quarantine USING (gateway_id) WHERE received_at >= feeder_state.from_at AND received_at < feeder_state.until_at),
		t.commands, t.acknowledged, t.fallbacks
	FROM energy e, gate g, told t
$$;
COMMENT ON FUNCTION feeder_state(bigint, timestamptz, timestamptz) IS
'How a feeder''s homes are seen: gateways (enabled ones, and those online now), how much of the homes'' time is known of all registers, the part of known hours that is estimated, records in quarantine, commands and how many of them were acknowledged or came from a fallback plan';

CREATE FUNCTION feeder_forecast(feeder_id bigint, from_at timestamptz, until_at timestamptz)
RETURNS TABLE (lead_from integer, lead_until integer, slots bigint, mean_kw float8, mae_kw float8, bias_kw float8, week_before_mae_kw float8)
LANGUAGE sql STABLE STRICT PARALLEL SAFE ROWS 3 SET search_path = smarthg, pg_temp AS $$
	WITH measured AS MATERIALIZED (
		SELECT h.home_id, d.slot_start, d.demand_kw FROM home h
		CROSS JOIN LATERAL home_demand(h.home_id, date_trunc('hour', feeder_forecast.from_at, 'UTC') - interval '7 days', date_trunc('hour', feeder_forecast.until_at, 'UTC') + interval '1 day', '1 hour') AS d
		WHERE h.feeder_id = feeder_forecast.feeder_id
	), expected AS (
		SELECT p.home_id, p.origin + (f.n - 1) * interval '1 hour' AS slot_start, f.n, f.kw
		FROM home h JOIN plan p USING (home_id), unnest(p.demand_kw[:24]) WITH ORDINALITY AS f(kw, n)
		WHERE h.feeder_id = feeder_forecast.feeder_id AND p.slot_length = '1 hour' AND p.planned_at >= feeder_forecast.from_at AND p.planned_at < feeder_forecast.until_at
	), error AS (
		SELECT e.n, m.demand_kw, e.kw - m.demand_kw AS off, w.demand_kw - m.demand_kw AS week_off
		FROM expected e JOIN measured m USING (home_id, slot_start) LEFT JOIN measured w ON w.home_id = e.home_id AND w.slot_start = e.slot_start - interval '7 days'
	)
	SELECT l.low, l.high, count(*), avg(e.demand_kw), avg(abs(e.off)), avg(e.off), avg(abs(e.week_off))
	FROM (VALUES (1, 1), (2, 6), (7, 24)) AS l(low, high) JOIN error e ON e.n BETWEEN l.low AND l.high GROUP BY 1, 2 ORDER BY 1
$$;
COMMENT ON FUNCTION feeder_forecast(bigint, timestamptz, timestamptz) IS
'How far hourly forecasts of single homes'' demand, kW, were off in the plans made in a time, by hours ahead (lead_from to lead_until): mean absolute error and bias, beside the error of taking the same hour a week before. Only slots that were measured count';
