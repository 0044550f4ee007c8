-- The closed loop over recorded history (DESIGN.md section 3).

CREATE TYPE ebr_replay_bill AS (
	way text,
	energy_eur float8,
	co2_eur float8,
	distribution_eur float8,
	bill_eur float8,
	missed_kwh float8,
	missed_eur float8,
	left_kwh float8,
	left_eur float8,
	cost_eur float8,
	saving_percent float8,
	unproved_eur float8,
	outside_profile_kwh float8,
	outside_contract_kwh float8,
	cycles float8,
	slots_billed integer,
	slots_skipped integer,
	stays integer
);
COMMENT ON TYPE ebr_replay_bill IS 'What one way to run a home''s stores over a time cost, or would have';
COMMENT ON COLUMN ebr_replay_bill.way IS 'no storage (the battery idle), naive rule (it charges on surplus, discharges on deficit), in both the vehicle charged at once on arrival; set-point (the command''s set-points), rule (its levels), perfect foresight (the best plan had all been known)';
COMMENT ON COLUMN ebr_replay_bill.energy_eur IS 'Energy at the real prices, EUR';
COMMENT ON COLUMN ebr_replay_bill.co2_eur IS 'CO2 cost, EUR';
COMMENT ON COLUMN ebr_replay_bill.distribution_eur IS 'Penalties for energy outside the power profile, EUR';
COMMENT ON COLUMN ebr_replay_bill.bill_eur IS 'The three together, EUR';
COMMENT ON COLUMN ebr_replay_bill.missed_kwh IS 'What the vehicle lacked of its targets on leaving, kWh';
COMMENT ON COLUMN ebr_replay_bill.missed_eur IS 'The same, each stay at its dearest import price (penalty above the profile included) / sqrt(efficiency), EUR: so no way gains by not charging';
COMMENT ON COLUMN ebr_replay_bill.left_kwh IS 'Stored in the battery at the end, kWh';
COMMENT ON COLUMN ebr_replay_bill.left_eur IS 'What that is worth, EUR: sqrt(efficiency) times the mean import price of the last day';
COMMENT ON COLUMN ebr_replay_bill.cost_eur IS 'Bill and what was missed, less what is left, EUR: what ways are compared by';
COMMENT ON COLUMN ebr_replay_bill.saving_percent IS 'Saving against no storage in percent of that of perfect foresight; null where there is none';
COMMENT ON COLUMN ebr_replay_bill.unproved_eur IS 'So much less at most may be possible, EUR: what the proof leaves open; null but for perfect foresight';
COMMENT ON COLUMN ebr_replay_bill.outside_profile_kwh IS 'Energy outside the power profile, kWh';
COMMENT ON COLUMN ebr_replay_bill.outside_contract_kwh IS 'Energy outside the contractual power, kWh; it costs nothing here';
COMMENT ON COLUMN ebr_replay_bill.cycles IS 'Energy charged into the battery in capacities';
COMMENT ON COLUMN ebr_replay_bill.slots_billed IS 'Slots with demand and price';
COMMENT ON COLUMN ebr_replay_bill.slots_skipped IS 'Slots with a gap: no way runs a store or is billed in them';
COMMENT ON COLUMN ebr_replay_bill.stays IS 'Stays of the vehicle that were replayed';

CREATE FUNCTION ebr_replay(home_id bigint, from_slot timestamptz, until_slot timestamptz, slot_length interval DEFAULT '1 hour',
	ess_capacity_kwh float8 DEFAULT NULL, ess_min_kw float8 DEFAULT NULL, ess_max_kw float8 DEFAULT NULL, ess_efficiency float8 DEFAULT NULL,
	with_pev boolean DEFAULT true)
RETURNS SETOF ebr_replay_bill
LANGUAGE c STABLE PARALLEL SAFE COST 1000000 ROWS 5 SET search_path = smarthg, pg_temp AS 'MODULE_PATHNAME', 'smarthg_ebr_replay';
COMMENT ON FUNCTION ebr_replay(bigint, timestamptz, timestamptz, interval, float8, float8, float8, float8, boolean) IS
'Replays a home''s stores over recorded history, a row for each way to run them: each slot is commanded with what was measured, published (market_price.published_at; CO2 costs count as published with the prices) and announced (pev_session.departs_at) before it, executed on what was measured, and billed at the real prices, CO2 cost and power profile included; the contract is kept by commands. A vehicle is commanded on arrival too, and leaves at unplugged_at; it acts first in a slot, the battery then on the net demand with the vehicle. The battery is the home''s, or the one given; it starts empty. The vehicle is the home''s unless with_pev is false; its stays are those wholly inside the range whose state of charge on arrival is known (arrival_soc_kwh, else measured within 15 minutes). Errors: unknown home (42704), range not aligned to slots, a battery that cannot be (22023), a null range (22004) (document 3.2, DESIGN.md section 3)';

CREATE FUNCTION ebr_replay_total(from_slot timestamptz, until_slot timestamptz, slot_length interval DEFAULT '1 hour', homes bigint[] DEFAULT NULL)
RETURNS TABLE (home_id bigint, way text, energy_eur float8, co2_eur float8, distribution_eur float8, bill_eur float8, missed_kwh float8, missed_eur float8,
	left_kwh float8, left_eur float8, cost_eur float8, saving_percent float8, unproved_eur float8, outside_profile_kwh float8, outside_contract_kwh float8,
	slots_billed bigint, slots_skipped bigint, stays bigint, error text)
LANGUAGE plpgsql STABLE ROWS 1000 SET search_path = smarthg, pg_temp
-- The planner takes a lateral function for cheap; replaying is what workers are for.
SET parallel_setup_cost = 0 SET parallel_tuple_cost = 0 SET min_parallel_table_scan_size = 0 AS $$
#variable_conflict use_column
DECLARE
	wanted bigint[];
	good bigint[] := '{}';
	one bigint;
BEGIN
	SELECT array_agg(h.home_id ORDER BY h.home_id) INTO wanted FROM home h
		WHERE h.home_id = ANY (ebr_replay_total.homes) OR (ebr_replay_total.homes IS NULL
			AND (EXISTS (SELECT FROM ess e WHERE e.home_id = h.home_id) OR EXISTS (SELECT FROM pev p WHERE p.home_id = h.home_id)));
	FOR one IN SELECT DISTINCT u.id FROM unnest(ebr_replay_total.homes) AS u(id) WHERE u.id IS NOT NULL AND NOT u.id = ANY (coalesce(wanted, '{}')) LOOP
		home_id := one;
		error := format('home %s does not exist', one);
		RETURN NEXT;
	END LOOP;
	-- All at once; if a home makes that fail, those that do not. Nothing is returned before all are replayed.
	FOR attempt IN 1 .. 2 LOOP
		BEGIN
			RETURN QUERY
				WITH b AS (
					SELECT h.home_id, r.* FROM home h
					CROSS JOIN LATERAL ebr_replay(h.home_id, ebr_replay_total.from_slot, ebr_replay_total.until_slot, ebr_replay_total.slot_length) AS r
					WHERE h.home_id = ANY (wanted)
				), s AS (
					SELECT b.home_id, b.way, sum(b.energy_eur) AS energy_eur, sum(b.co2_eur) AS co2_eur, sum(b.distribution_eur) AS distribution_eur, sum(b.bill_eur) AS bill_eur,
						sum(b.missed_kwh) AS missed_kwh, sum(b.missed_eur) AS missed_eur, sum(b.left_kwh) AS left_kwh, sum(b.left_eur) AS left_eur,
						sum(b.cost_eur) AS cost_eur, sum(b.unproved_eur) AS unproved_eur, sum(b.outside_profile_kwh) AS outside_profile_kwh,
						sum(b.outside_contract_kwh) AS outside_contract_kwh, sum(b.slots_billed) AS slots_billed, sum(b.slots_skipped) AS slots_skipped, sum(b.stays) AS stays
					FROM b GROUP BY GROUPING SETS ((b.home_id, b.way), (b.way))
				)
				SELECT s.home_id, s.way, s.energy_eur, s.co2_eur, s.distribution_eur, s.bill_eur, s.missed_kwh, s.missed_eur, s.left_kwh, s.left_eur, s.cost_eur,
					100 * (s.none_eur - s.cost_eur) / CASE WHEN s.none_eur - s.best_eur > 1e-9 THEN s.none_eur - s.best_eur END,
					s.unproved_eur, s.outside_profile_kwh, s.outside_contract_kwh, s.slots_billed, s.slots_skipped, s.stays, NULL::text
				FROM (
					SELECT s.*, max(s.cost_eur) FILTER (WHERE s.way = 'no storage') OVER of_home AS none_eur,
						max(s.cost_eur) FILTER (WHERE s.way = 'perfect foresight') OVER of_home AS best_eur
					FROM s WINDOW of_home AS (PARTITION BY s.home_id)
				) AS s
				ORDER BY s.home_id NULLS LAST, array_position('{no storage,naive rule,set-point,rule,perfect foresight}', s.way);
			RETURN;
		EXCEPTION WHEN OTHERS THEN
			IF attempt = 2 THEN
				RAISE;
			END IF;
		END;
		FOREACH one IN ARRAY wanted LOOP
			BEGIN
				PERFORM FROM ebr_replay(one, ebr_replay_total.from_slot, ebr_replay_total.until_slot, ebr_replay_total.slot_length);
				good := good || one;
			EXCEPTION WHEN OTHERS THEN
				home_id := one;
				error := SQLERRM;
				RETURN NEXT;
			END;
		END LOOP;
		wanted := good;
	END LOOP;
END $$;
COMMENT ON FUNCTION ebr_replay_total(timestamptz, timestamptz, interval, bigint[]) IS
'ebr_replay of all homes (or those given) that have an ESS or a PEV, in one statement that parallel workers share where the server has them: a row for each home and way, and one for each way with home_id null, the total; saving_percent of the total is that of all homes as one. A home that fails is a row with its error and no way, and is not in the total. Columns as in ebr_replay_bill (DESIGN.md section 3)';
