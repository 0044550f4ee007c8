-- Rollups of interval energy: 5, 15 and 30 minutes, hours, and days, months and years of the home's
-- time zone (DESIGN.md section 6). Each granularity is a table of its own, so that access can be granted
-- to one and to nothing finer; all have one shape. They are kept in the transaction that writes
-- energy_day: only what changed days reach is computed anew, and written only where it differs.

CREATE TYPE energy_granularity AS ENUM ('5min', '15min', '30min', 'hourly', 'daily', 'monthly', 'yearly');
COMMENT ON TYPE energy_granularity IS 'Length of the slots of a rollup; 5min to hourly are aligned in UTC, daily, monthly and yearly in the home''s time zone';

CREATE TABLE energy_rollup (
	register_id bigint NOT NULL,
	period date NOT NULL,
	granularity energy_granularity NOT NULL,
	block bytea NOT NULL,
	is_over boolean NOT NULL,
	PRIMARY KEY (register_id, period, granularity)
) PARTITION BY LIST (granularity);
ALTER TABLE energy_rollup ALTER block SET STORAGE EXTERNAL;
COMMENT ON TABLE energy_rollup IS 'Energy of registers rolled up from energy_day; a partition for each granularity, filled where it is longer than installation.base_slot and a multiple of it, shown a row a slot by energy_5min to energy_yearly. It stays when readings are dropped';
COMMENT ON COLUMN energy_rollup.register_id IS 'The register';
COMMENT ON COLUMN energy_rollup.period IS 'What the row holds, by its first day: a UTC day of 5 minutes to hours; a local day, month or year';
COMMENT ON COLUMN energy_rollup.granularity IS 'Length of its slots';
COMMENT ON COLUMN energy_rollup.block IS 'Packed energy, quality and number of known base slots of each slot; energy_unpack gives rows';
COMMENT ON COLUMN energy_rollup.is_over IS 'Whether its slots are over as far as is known of the register: false for a local day, month or year that goes on at the end of the last known base slot';

CREATE TABLE energy_rollup_5min PARTITION OF energy_rollup FOR VALUES IN ('5min') WITH (fillfactor = 85);
CREATE TABLE energy_rollup_15min PARTITION OF energy_rollup FOR VALUES IN ('15min') WITH (fillfactor = 85);
CREATE TABLE energy_rollup_30min PARTITION OF energy_rollup FOR VALUES IN ('30min') WITH (fillfactor = 85);
CREATE TABLE energy_rollup_hourly PARTITION OF energy_rollup FOR VALUES IN ('hourly') WITH (fillfactor = 85);
CREATE TABLE energy_rollup_daily PARTITION OF energy_rollup FOR VALUES IN ('daily') WITH (fillfactor = 85);
CREATE TABLE energy_rollup_monthly PARTITION OF energy_rollup FOR VALUES IN ('monthly') WITH (fillfactor = 85);
CREATE TABLE energy_rollup_yearly PARTITION OF energy_rollup FOR VALUES IN ('yearly') WITH (fillfactor = 85);
COMMENT ON TABLE energy_rollup_5min IS 'Energy by 5 minutes, a row a UTC day';
COMMENT ON TABLE energy_rollup_15min IS 'Energy by quarters of an hour, a row a UTC day';
COMMENT ON TABLE energy_rollup_30min IS 'Energy by half hours, a row a UTC day';
COMMENT ON TABLE energy_rollup_hourly IS 'Energy by hours, a row a UTC day';
COMMENT ON TABLE energy_rollup_daily IS 'Energy by days of the home''s time zone, a row each';
COMMENT ON TABLE energy_rollup_monthly IS 'Energy by months of the home''s time zone, a row each, named by its first day';
COMMENT ON TABLE energy_rollup_yearly IS 'Energy by years of the home''s time zone, a row each, named by its first day';

CREATE FUNCTION energy_roll_up(changed date[], days date[], blocks bytea[], daily_days date[], daily_blocks bytea[], monthly_months date[], monthly_blocks bytea[],
	last_day date, last_block bytea, base_slot interval, time_zone text)
RETURNS TABLE (granularity energy_granularity, period date, block bytea, is_over boolean)
LANGUAGE c STABLE PARALLEL SAFE ROWS 4 AS 'MODULE_PATHNAME', 'smarthg_energy_roll_up';
COMMENT ON FUNCTION energy_roll_up(date[], date[], bytea[], date[], bytea[], date[], bytea[], date, bytea, interval, text) IS
'The rows of energy_rollup that changed UTC days of a register reach, from the packed base slots of these days and of the days beside them, and the rows of daily that are stored of the months and of monthly that are of the years; all dates ascending. last_day and last_block are the last UTC day of which anything is known and its base slots: slots within it that still go on are left out, local days, months and years that do are told by is_over. A null block where nothing is known. Errors: not a block, dates not ascending, unknown time zone';

CREATE FUNCTION roll_up(registers bigint[], days date[]) RETURNS bigint
LANGUAGE plpgsql VOLATILE STRICT SET search_path = smarthg, pg_temp SET timezone = 'UTC' SET work_mem = '64MB' SET jit = off
	SET enable_hashjoin = off SET enable_mergejoin = off SET enable_seqscan = off AS $$
DECLARE
	changed bigint;
BEGIN
	WITH dirty AS (
		SELECT u.register_id, u.day FROM unnest(registers, roll_up.days) AS u(register_id, day)
		-- What went on at the end of what was known before may be over now, and the other way round.
		UNION SELECT u.register_id, (SELECT max(e.day) FROM energy_day e WHERE e.register_id = u.register_id AND e.day < u.day)
			FROM unnest(registers, roll_up.days) AS u(register_id, day)
	), work AS MATERIALIZED (
		SELECT w.register_id, array_agg(w.day ORDER BY w.day) AS changed,
			array_agg(w.day - 1) || array_agg(w.day) || array_agg(w.day + 1) AS days,
			array_agg(DISTINCT date_trunc('month', w.day - 1)::date) || array_agg(DISTINCT date_trunc('month', w.day + 1)::date) AS months,
			date_trunc('month', min(w.day) - 1)::date AS first_month, date_trunc('month', max(w.day) + 32)::date AS until_month,
			date_trunc('year', min(w.day) - 1)::date AS first_year, date_trunc('year', max(w.day) + 367)::date AS until_year
		FROM dirty w WHERE w.day IS NOT NULL GROUP BY w.register_id
	), fresh AS MATERIALIZED (
		SELECT w.register_id, f.*
		FROM (SELECT s.* FROM settings() AS s OFFSET 0) AS setting, work w JOIN register r USING (register_id) JOIN meter m USING (meter_id) JOIN home h USING (home_id),
			LATERAL (SELECT array_agg(e.day ORDER BY e.day) AS days, array_agg(e.block ORDER BY e.day) AS blocks FROM energy_day e
				WHERE e.register_id = w.register_id AND e.day = ANY (w.days)) AS base,
			LATERAL (SELECT array_agg(e.period ORDER BY e.period) AS days, array_agg(e.block ORDER BY e.period) AS blocks FROM energy_rollup_daily e
				WHERE e.register_id = w.register_id AND e.period >= w.first_month AND e.period < w.until_month AND date_trunc('month', e.period)::date = ANY (w.months)) AS daily,
			LATERAL (SELECT array_agg(e.period ORDER BY e.period) AS months, array_agg(e.block ORDER BY e.period) AS blocks FROM energy_rollup_monthly e
				WHERE e.register_id = w.register_id AND e.period >= w.first_year AND e.period < w.until_year) AS monthly,
			LATERAL (SELECT max(e.day) AS day, (array_agg(e.block))[1] AS block FROM (SELECT e.day, e.block FROM energy_day e
				WHERE e.register_id = w.register_id ORDER BY e.day DESC LIMIT 1) AS e) AS last,
			energy_roll_up(w.changed, base.days, base.blocks, daily.days, daily.blocks, monthly.months, monthly.blocks, last.day, last.block, setting.base_slot, h.time_zone) AS f
	)
	MERGE INTO energy_rollup old USING fresh ON old.register_id = fresh.register_id AND old.period = fresh.period AND old.granularity = fresh.granularity
	WHEN MATCHED AND fresh.block IS NULL THEN DELETE
	WHEN MATCHED AND (old.block <> fresh.block OR old.is_over <> fresh.is_over) THEN UPDATE SET block = fresh.block, is_over = fresh.is_over
	WHEN NOT MATCHED AND fresh.block IS NOT NULL THEN INSERT VALUES (fresh.register_id, fresh.period, fresh.granularity, fresh.block, fresh.is_over);
	GET DIAGNOSTICS changed = ROW_COUNT;
	RETURN changed;
END $$;
COMMENT ON FUNCTION roll_up(bigint[], date[]) IS 'Brings energy_rollup up to date with energy_day for these registers'' UTC days, a day for each register given; returns the number of rows changed';

CREATE FUNCTION roll_up_again(registers bigint[]) RETURNS void
LANGUAGE sql VOLATILE STRICT SET search_path = smarthg, pg_temp AS $$
	DELETE FROM energy_rollup WHERE register_id = ANY (registers);
	SELECT roll_up(array_agg(d.register_id), array_agg(d.day)) FROM energy_day d WHERE d.register_id = ANY (registers)
$$;
COMMENT ON FUNCTION roll_up_again(bigint[]) IS 'Computes energy_rollup of registers anew from all of energy_day';

CREATE FUNCTION home_days_moved() RETURNS trigger
LANGUAGE plpgsql SET search_path = smarthg, pg_temp AS $$
BEGIN
	-- A refresh at work rolls up by the days as they were: it is waited for.
	LOCK TABLE installation IN SHARE UPDATE EXCLUSIVE MODE;
	PERFORM roll_up_again(array_agg(r.register_id)) FROM register r JOIN meter m USING (meter_id) WHERE m.home_id = NEW.home_id;
	RETURN NULL;
END $$;
COMMENT ON FUNCTION home_days_moved() IS 'Rolls the energy of a home''s registers up anew where local days become others: its time zone changed, or a meter came from another home';
CREATE TRIGGER home_days_moved AFTER UPDATE OF time_zone ON home FOR EACH ROW WHEN (NEW.time_zone <> OLD.time_zone) EXECUTE FUNCTION home_days_moved();
CREATE TRIGGER home_days_moved AFTER UPDATE OF home_id ON meter FOR EACH ROW WHEN (NEW.home_id <> OLD.home_id) EXECUTE FUNCTION home_days_moved();

-- Slots as long as the base slot are those of energy_day, which is never looked at otherwise. Said
-- like this both tables are reached by the index from a home's registers.
CREATE VIEW energy_5min WITH (security_invoker = true) AS
SELECT e.register_id, (e.day + s.slot * interval '5 min') AT TIME ZONE 'UTC' AS slot_start, s.energy_kwh, s.quality, s.covered * (SELECT (settings()).base_slot) AS covered, e.day
FROM (SELECT register_id, period AS day, block, false AS base FROM energy_rollup_5min UNION ALL SELECT register_id, day, block, true FROM energy_day) AS e, energy_unpack(e.block) AS s
WHERE NOT e.base OR (SELECT (settings()).base_slot) = '5 min';
CREATE VIEW energy_15min WITH (security_invoker = true) AS
SELECT e.register_id, (e.day + s.slot * interval '15 min') AT TIME ZONE 'UTC' AS slot_start, s.energy_kwh, s.quality, s.covered * (SELECT (settings()).base_slot) AS covered, e.day
FROM (SELECT register_id, period AS day, block, false AS base FROM energy_rollup_15min UNION ALL SELECT register_id, day, block, true FROM energy_day) AS e, energy_unpack(e.block) AS s
WHERE NOT e.base OR (SELECT (settings()).base_slot) = '15 min';
CREATE VIEW energy_30min WITH (security_invoker = true) AS
SELECT e.register_id, (e.day + s.slot * interval '30 min') AT TIME ZONE 'UTC' AS slot_start, s.energy_kwh, s.quality, s.covered * (SELECT (settings()).base_slot) AS covered, e.day
FROM (SELECT register_id, period AS day, block, false AS base FROM energy_rollup_30min UNION ALL SELECT register_id, day, block, true FROM energy_day) AS e, energy_unpack(e.block) AS s
WHERE NOT e.base OR (SELECT (settings()).base_slot) = '30 min';
CREATE VIEW energy_hourly WITH (security_invoker = true) AS
SELECT e.register_id, (e.day + s.slot * interval '1 hour') AT TIME ZONE 'UTC' AS slot_start, s.energy_kwh, s.quality, s.covered * (SELECT (settings()).base_slot) AS covered, e.day
FROM (SELECT register_id, period AS day, block, false AS base FROM energy_rollup_hourly UNION ALL SELECT register_id, day, block, true FROM energy_day) AS e, energy_unpack(e.block) AS s
WHERE NOT e.base OR (SELECT (settings()).base_slot) = '1 hour';
COMMENT ON VIEW energy_5min IS 'Energy of a register by 5 minutes, kWh, where base slots are of that length or a part of it; as energy_hourly';
COMMENT ON VIEW energy_15min IS 'Energy of a register by quarters of an hour, kWh, where base slots are of that length or a part of it; as energy_hourly';
COMMENT ON VIEW energy_30min IS 'Energy of a register by half hours, kWh, where base slots are of that length or a part of it; as energy_hourly';
COMMENT ON VIEW energy_hourly IS 'Energy of a register by UTC hours: what is known of them, kWh, the worst quality in it, and how much of the hour is covered; an hour of which nothing is known has no row, nor has one that still goes on at the end of what is known of the register. Restrict it by register_id, and a long history by day (UTC) too';

CREATE VIEW energy_daily WITH (security_invoker = true) AS
SELECT r.register_id, r.period AS local_day, s.energy_kwh, s.quality, s.covered * (SELECT (settings()).base_slot) AS covered
FROM energy_rollup_daily r, energy_unpack(r.block) AS s;
COMMENT ON VIEW energy_daily IS 'Energy of a register by days of its home''s time zone, 23 to 25 hours long: what is known of them, kWh, the worst quality in it, and how much of the day is covered. A base slot belongs to the day in which it starts';

CREATE VIEW energy_monthly WITH (security_invoker = true) AS
SELECT r.register_id, r.period AS local_month, s.energy_kwh, s.quality, s.covered * (SELECT (settings()).base_slot) AS covered
FROM energy_rollup_monthly r, energy_unpack(r.block) AS s;
COMMENT ON VIEW energy_monthly IS 'Energy of a register by months of its home''s time zone, named by their first day: what is known of them, kWh, the worst quality in it, and how much of the month is covered';

CREATE VIEW energy_yearly WITH (security_invoker = true) AS
SELECT r.register_id, r.period AS local_year, s.energy_kwh, s.quality, s.covered * (SELECT (settings()).base_slot) AS covered
FROM energy_rollup_yearly r, energy_unpack(r.block) AS s;
COMMENT ON VIEW energy_yearly IS 'Energy of a register by years of its home''s time zone, named by their first day, as energy_monthly';
