-- What forecasts know beside a home's own past: holidays, the weather and standard load profiles.

CREATE TABLE holiday (
	price_area_id bigint NOT NULL REFERENCES price_area,
	day date NOT NULL CHECK (isfinite(day)),
	name text,
	PRIMARY KEY (price_area_id, day)
);
COMMENT ON TABLE holiday IS 'Public holidays of an area: local days on which homes and markets are forecast as on a Sunday';
COMMENT ON COLUMN holiday.price_area_id IS 'The area';
COMMENT ON COLUMN holiday.day IS 'The local day';
COMMENT ON COLUMN holiday.name IS 'What it is called; null: not stated';

CREATE TABLE weather (
	price_area_id bigint NOT NULL REFERENCES price_area,
	slot_start timestamptz NOT NULL CHECK (isfinite(slot_start)),
	slot_length interval NOT NULL DEFAULT '1 hour' CHECK (slot_length BETWEEN '1 min' AND '1 day'),
	temperature_c float8 NOT NULL CHECK (temperature_c BETWEEN -100 AND 100),
	published_at timestamptz NOT NULL DEFAULT now(),
	PRIMARY KEY (price_area_id, slot_start, published_at)
);
COMMENT ON TABLE weather IS 'Outdoor temperature of an area, as forecast and, later, as measured: every publication is a row, the latest one known at a moment counts';
COMMENT ON COLUMN weather.price_area_id IS 'The area';
COMMENT ON COLUMN weather.slot_start IS 'Start of the slot';
COMMENT ON COLUMN weather.slot_length IS 'Its length';
COMMENT ON COLUMN weather.temperature_c IS 'Mean temperature of the slot, degrees Celsius';
COMMENT ON COLUMN weather.published_at IS 'From when this value was known: forecasts made as of an earlier time do not see it';

CREATE TABLE standard_profile (
	household_type text NOT NULL CHECK (household_type <> ''),
	weekday integer NOT NULL CHECK (weekday BETWEEN 0 AND 6),
	hour integer NOT NULL CHECK (hour BETWEEN 0 AND 23),
	demand_kw float8 NOT NULL CHECK (demand_kw BETWEEN 0 AND 1e6),
	PRIMARY KEY (household_type, weekday, hour)
);
COMMENT ON TABLE standard_profile IS 'Standard load profile of a type of household: what a home without history is forecast by, less and less as its days come';
COMMENT ON COLUMN standard_profile.household_type IS 'Type, as in home.household_type';
COMMENT ON COLUMN standard_profile.weekday IS '0 Monday to 6 Sunday and holidays';
COMMENT ON COLUMN standard_profile.hour IS 'Hour of the local day';
COMMENT ON COLUMN standard_profile.demand_kw IS 'Mean demand of the hour, kW; a home''s own level replaces it as it becomes known';

CREATE FUNCTION standard_series(household_type text, slots_per_day integer) RETURNS float8[]
LANGUAGE sql STABLE STRICT PARALLEL SAFE SET search_path = smarthg, pg_temp AS $$
	SELECT CASE WHEN count(p.demand_kw) = 168 THEN
		(SELECT array_agg(s.kw ORDER BY s.weekday, s.slot)
		FROM (SELECT q.weekday, k.slot, q.demand_kw AS kw FROM standard_profile q, generate_series(0, standard_series.slots_per_day - 1) AS k(slot)
			WHERE q.household_type = standard_series.household_type AND q.hour = k.slot * 24 / standard_series.slots_per_day) AS s) END
	FROM standard_profile p WHERE p.household_type = standard_series.household_type
$$;
COMMENT ON FUNCTION standard_series(text, integer) IS 'The standard profile of a household type on the slots of a week from Monday 00:00, kW; null where the table does not have all its 168 hours';

CREATE FUNCTION temperature_series(price_area_id bigint, from_slot timestamptz, slots integer, slot_length interval, at timestamptz DEFAULT 'infinity')
RETURNS float8[]
LANGUAGE sql STABLE STRICT PARALLEL SAFE SET search_path = smarthg, pg_temp AS $$
	SELECT CASE WHEN count(*) > 0 THEN slot_means(array_agg(w.slot_start), array_agg(extract(epoch FROM w.slot_length)::float8),
		array_agg(w.temperature_c), temperature_series.from_slot, temperature_series.slots, temperature_series.slot_length) END
	FROM (
		SELECT DISTINCT ON (v.slot_start) v.slot_start, v.slot_length, v.temperature_c FROM weather v
		WHERE v.price_area_id = temperature_series.price_area_id AND v.published_at <= temperature_series.at
			AND v.slot_start > temperature_series.from_slot - interval '1 day'
			AND v.slot_start < temperature_series.from_slot + temperature_series.slots * temperature_series.slot_length
		ORDER BY v.slot_start, v.published_at DESC
	) AS w
$$;
COMMENT ON FUNCTION temperature_series(bigint, timestamptz, integer, interval, timestamptz) IS 'Outdoor temperature, degrees Celsius, of each of so many slots from from_slot on, as known at a moment; null elements where none was known, null where none at all';

CREATE FUNCTION calendar_phases(first_slot timestamptz, slots integer, slot_length interval, time_zone text, price_area_id bigint) RETURNS integer[]
LANGUAGE c STABLE STRICT PARALLEL SAFE SET search_path = smarthg, pg_temp AS 'MODULE_PATHNAME', 'smarthg_calendar_phases';
COMMENT ON FUNCTION calendar_phases(timestamptz, integer, interval, text, bigint) IS
'Numbers of so many slots from first_slot on in the local week, 0 being Monday 00:00, with the holidays of an area as Sundays';
