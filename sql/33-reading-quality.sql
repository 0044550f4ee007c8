-- How well registers are read (DESIGN.md section 6): computed from the packed readings and energy of
-- the registers asked for; only duplicates, which leave no trace there, are counted as they settle.

CREATE FUNCTION reading_quality_series(blocks bytea[], epoch_from timestamptz[], epoch_kwh_per_count float8[], epoch_modulus bigint[],
	from_time timestamptz, until_time timestamptz, plausible_kw float8, cumulative boolean,
	OUT readings integer, OUT usual_interval interval, OUT gaps integer, OUT missing bigint, OUT longest_gap interval, OUT longest_gap_from timestamptz,
	OUT outliers integer, OUT resets integer, OUT jumps integer)
LANGUAGE c IMMUTABLE PARALLEL SAFE AS 'MODULE_PATHNAME', 'smarthg_reading_quality_series';
COMMENT ON FUNCTION reading_quality_series(bytea[], timestamptz[], float8[], bigint[], timestamptz, timestamptz, float8, boolean) IS
'What packed readings of [from_time, until_time), in ascending time, show: how many, their usual interval (the median), gaps (neighbours further apart than one and a half of it), readings missing in them, the longest and where it begins; of a cumulative register single readings out of line, resets, and rises of more than plausible_kw. Errors: as interval_energy_days';

CREATE FUNCTION energy_slots_measured(block bytea, from_slot integer, until_slot integer) RETURNS integer
LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'smarthg_energy_slots_measured';
COMMENT ON FUNCTION energy_slots_measured(bytea, integer, integer) IS 'How many of the slots from_slot to until_slot - 1, from 0, of a packed block are known and not estimated. Error: not a block';

CREATE FUNCTION measured_share(register_id bigint, from_time timestamptz, until_time timestamptz) RETURNS float8
LANGUAGE sql STABLE STRICT PARALLEL SAFE SET search_path = smarthg, pg_temp SET timezone = 'UTC' AS $$
	SELECT coalesce(sum(energy_slots_measured(e.block, (extract(epoch FROM span.first - e.day) / span.seconds)::integer,
			(extract(epoch FROM span.last - e.day) / span.seconds)::integer)), 0)::float8 * span.seconds / nullif(extract(epoch FROM span.last - span.first), 0)
	FROM (SELECT slot_start(from_time, s.base_slot) AS first, slot_start(until_time, s.base_slot) AS last, extract(epoch FROM s.base_slot)::float8 AS seconds FROM settings() AS s OFFSET 0) AS span
	LEFT JOIN energy_day e ON e.register_id = measured_share.register_id AND e.day BETWEEN from_time::date AND until_time::date
	GROUP BY span.first, span.last, span.seconds
$$;
COMMENT ON FUNCTION measured_share(bigint, timestamptz, timestamptz) IS 'The share of the base slots from the one that holds from_time up to the one that holds until_time, that one excluded, whose energy is known and not estimated; 0 to 1';

CREATE FUNCTION register_quality(register_id bigint, from_time timestamptz, until_time timestamptz,
	OUT readings integer, OUT usual_interval interval, OUT gaps integer, OUT missing bigint, OUT longest_gap interval, OUT longest_gap_from timestamptz,
	OUT outliers integer, OUT resets integer, OUT jumps integer)
LANGUAGE sql STABLE STRICT PARALLEL SAFE SET search_path = smarthg, pg_temp SET timezone = 'UTC' AS $$
	SELECT q.* FROM register r, settings() AS s,
		LATERAL (SELECT array_agg(d.block ORDER BY d.day) AS blocks FROM reading_day d WHERE d.register_id = r.register_id AND d.day BETWEEN from_time::date AND until_time::date) AS stored,
		-- Where a register has no scale (it measures power, say) any one shows its gaps.
		LATERAL (SELECT coalesce(array_agg(e.valid_from ORDER BY e.valid_from), '{-infinity}') AS epoch_from, coalesce(array_agg(e.multiplier::float8 / e.divisor ORDER BY e.valid_from), '{1}') AS scale,
			coalesce(array_agg(e.modulus ORDER BY e.valid_from), '{NULL}') AS modulus FROM register_epoch e WHERE e.register_id = r.register_id) AS e,
		reading_quality_series(stored.blocks, e.epoch_from, e.scale, e.modulus, from_time, until_time, s.plausible_kw, r.cumulative) AS q
	WHERE r.register_id = register_quality.register_id
$$;
COMMENT ON FUNCTION register_quality(bigint, timestamptz, timestamptz) IS 'reading_quality_series of a register''s settled readings in [from_time, until_time)';

CREATE VIEW reading_quality WITH (security_invoker = true) AS
SELECT m.home_id, m.meter_id, r.register_id, r.obis, r.last_reading_at,
	CASE WHEN r.cumulative AND r.unit = 'kWh' THEN measured_share(r.register_id, now() - interval '1 day', now()) END AS complete_day,
	CASE WHEN r.cumulative AND r.unit = 'kWh' THEN measured_share(r.register_id, now() - interval '30 days', now()) END AS complete_30_days,
	q.readings, q.usual_interval, q.gaps, q.missing, q.longest_gap, q.longest_gap_from,
	(SELECT count(*) FROM reading_correction c WHERE c.register_id = r.register_id AND c.measured_at >= now() - interval '30 days') AS corrections,
	coalesce(d.duplicates, 0) AS duplicates, d.last_at AS last_duplicate_at, q.outliers, q.resets, q.jumps
FROM meter m JOIN register r USING (meter_id) LEFT JOIN reading_duplicate d USING (register_id), register_quality(r.register_id, now() - interval '30 days', now()) AS q;
COMMENT ON VIEW reading_quality IS 'How well each register is read. Restrict it by home_id, meter_id or register_id: each register''s month is looked through';
COMMENT ON COLUMN reading_quality.home_id IS 'The home';
COMMENT ON COLUMN reading_quality.meter_id IS 'The meter';
COMMENT ON COLUMN reading_quality.register_id IS 'The register';
COMMENT ON COLUMN reading_quality.obis IS 'Its OBIS code';
COMMENT ON COLUMN reading_quality.last_reading_at IS 'Time of its newest settled reading; null: none';
COMMENT ON COLUMN reading_quality.complete_day IS 'Share of the base slots of the last 24 hours whose energy is known and not estimated, 0 to 1; null: no register of energy';
COMMENT ON COLUMN reading_quality.complete_30_days IS 'The same of the last 30 days, as is all that follows but duplicates';
COMMENT ON COLUMN reading_quality.readings IS 'Settled readings';
COMMENT ON COLUMN reading_quality.usual_interval IS 'Median time between neighbours; null: fewer than two readings';
COMMENT ON COLUMN reading_quality.gaps IS 'Neighbours further apart than one and a half of that';
COMMENT ON COLUMN reading_quality.missing IS 'Readings that would have been there';
COMMENT ON COLUMN reading_quality.longest_gap IS 'The longest of the gaps; null: none';
COMMENT ON COLUMN reading_quality.longest_gap_from IS 'The reading that it follows';
COMMENT ON COLUMN reading_quality.corrections IS 'Values that a different one replaced';
COMMENT ON COLUMN reading_quality.duplicates IS 'Readings that came again with the value that stood, since the register began';
COMMENT ON COLUMN reading_quality.last_duplicate_at IS 'When that was last settled; null: never';
COMMENT ON COLUMN reading_quality.outliers IS 'Single readings out of line with both neighbours, passed over; null: not cumulative, as in the next two';
COMMENT ON COLUMN reading_quality.resets IS 'The counter started anew';
COMMENT ON COLUMN reading_quality.jumps IS 'Rises of more than installation.plausible_kw, of which no energy is made';

CREATE VIEW meter_quality WITH (security_invoker = true) AS
SELECT home_id, meter_id, max(last_reading_at) AS last_reading_at, min(complete_day) AS complete_day, min(complete_30_days) AS complete_30_days, sum(readings) AS readings,
	sum(gaps) AS gaps, sum(missing) AS missing, max(longest_gap) AS longest_gap, sum(corrections) AS corrections, sum(duplicates) AS duplicates,
	sum(outliers) AS outliers, sum(resets) AS resets, sum(jumps) AS jumps
FROM reading_quality GROUP BY home_id, meter_id;
COMMENT ON VIEW meter_quality IS 'reading_quality by meter: sums over its registers, the worst completeness, the newest reading, the longest gap';
