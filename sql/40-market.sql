-- Prices, CO2 cost and the DAPP power profiles (document 3.2.1).

CREATE TABLE market_price (
	price_area_id bigint NOT NULL REFERENCES price_area,
	slot_start timestamptz NOT NULL,
	slot_length interval NOT NULL DEFAULT '1 hour' CHECK (slot_length BETWEEN '1 min' AND '1 day'),
	energy_eur_per_kwh float8 NOT NULL CHECK (energy_eur_per_kwh BETWEEN -1e6 AND 1e6),
	published_at timestamptz NOT NULL DEFAULT now(),
	PRIMARY KEY (price_area_id, slot_start)
);
COMMENT ON TABLE market_price IS 'Day-ahead market price of an area';
COMMENT ON COLUMN market_price.price_area_id IS 'The area';
COMMENT ON COLUMN market_price.slot_start IS 'Start of the market slot';
COMMENT ON COLUMN market_price.slot_length IS 'Its length';
COMMENT ON COLUMN market_price.energy_eur_per_kwh IS 'Price, EUR/kWh; may be negative';
COMMENT ON COLUMN market_price.published_at IS 'From when it was known: plans made as of an earlier time do not see it';

CREATE TABLE co2_cost (
	price_area_id bigint NOT NULL REFERENCES price_area,
	slot_start timestamptz NOT NULL,
	slot_length interval NOT NULL DEFAULT '1 hour' CHECK (slot_length BETWEEN '1 min' AND '1 day'),
	carbon_g_per_kwh float8 CHECK (carbon_g_per_kwh BETWEEN 0 AND 1e6),
	co2_eur_per_kwh float8 NOT NULL CHECK (co2_eur_per_kwh BETWEEN -1e6 AND 1e6),
	published_at timestamptz NOT NULL DEFAULT now(),
	PRIMARY KEY (price_area_id, slot_start)
);
COMMENT ON TABLE co2_cost IS 'Cost of the CO2 emitted for a kWh drawn in an area';
COMMENT ON COLUMN co2_cost.price_area_id IS 'The area';
COMMENT ON COLUMN co2_cost.slot_start IS 'Start of the slot';
COMMENT ON COLUMN co2_cost.slot_length IS 'Its length';
COMMENT ON COLUMN co2_cost.carbon_g_per_kwh IS 'Carbon intensity, g CO2 per kWh; null: not stated';
COMMENT ON COLUMN co2_cost.co2_eur_per_kwh IS 'What it costs the retailer, EUR/kWh';
COMMENT ON COLUMN co2_cost.published_at IS 'From when it was known';

CREATE TABLE power_profile (
	home_id bigint NOT NULL REFERENCES home,
	slot_start timestamptz NOT NULL,
	slot_length interval NOT NULL DEFAULT '1 hour' CHECK (slot_length BETWEEN '1 min' AND '1 day'),
	low_kw float8 NOT NULL CHECK (low_kw BETWEEN -1e6 AND 1e6),
	high_kw float8 NOT NULL CHECK (high_kw BETWEEN -1e6 AND 1e6),
	penalty_low_eur_per_kwh float8 NOT NULL DEFAULT 0 CHECK (penalty_low_eur_per_kwh BETWEEN 0 AND 1e6),
	penalty_high_eur_per_kwh float8 NOT NULL DEFAULT 0 CHECK (penalty_high_eur_per_kwh BETWEEN 0 AND 1e6),
	PRIMARY KEY (home_id, slot_start),
	CHECK (low_kw <= high_kw)
);
COMMENT ON TABLE power_profile IS 'The power profile tube that Demand Aware Price Policies (DAPP) set for a home (document 3.2)';
COMMENT ON COLUMN power_profile.home_id IS 'The home';
COMMENT ON COLUMN power_profile.slot_start IS 'Start of the slot';
COMMENT ON COLUMN power_profile.slot_length IS 'Its length';
COMMENT ON COLUMN power_profile.low_kw IS 'Lower bound of grid power, kW';
COMMENT ON COLUMN power_profile.high_kw IS 'Upper bound of grid power, kW';
COMMENT ON COLUMN power_profile.penalty_low_eur_per_kwh IS 'Paid for energy below the tube, EUR/kWh';
COMMENT ON COLUMN power_profile.penalty_high_eur_per_kwh IS 'Paid for energy above the tube, EUR/kWh';

CREATE FUNCTION slot_means(step_start timestamptz[], step_seconds float8[], value float8[], from_slot timestamptz, slots integer, slot_length interval)
RETURNS float8[]
LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'smarthg_slot_means';
COMMENT ON FUNCTION slot_means(timestamptz[], float8[], float8[], timestamptz, integer, interval) IS
'A step function brought onto so many slots from from_slot on: the mean over as much of each slot as steps with a known value cover, null where none does. Errors: arrays of different length, steps without start or length';

CREATE FUNCTION price_series(price_area_id bigint, from_slot timestamptz, slots integer, slot_length interval, at timestamptz DEFAULT 'infinity')
RETURNS float8[]
LANGUAGE sql STABLE STRICT PARALLEL SAFE SET search_path = smarthg, pg_temp AS $$
	SELECT slot_means(coalesce(array_agg(m.slot_start), '{}'), coalesce(array_agg(extract(epoch FROM m.slot_length)::float8), '{}'),
		coalesce(array_agg(m.energy_eur_per_kwh), '{}'), price_series.from_slot, price_series.slots, price_series.slot_length)
	FROM market_price m
	WHERE m.price_area_id = price_series.price_area_id AND m.published_at <= price_series.at
		AND m.slot_start > price_series.from_slot - interval '1 day' AND m.slot_start < price_series.from_slot + price_series.slots * price_series.slot_length
$$;
COMMENT ON FUNCTION price_series(bigint, timestamptz, integer, interval, timestamptz) IS 'Market price, EUR/kWh, of each of so many slots from from_slot on, as known at a moment; null elements where none was known';

CREATE FUNCTION co2_series(price_area_id bigint, from_slot timestamptz, slots integer, slot_length interval, at timestamptz DEFAULT 'infinity')
RETURNS float8[]
LANGUAGE sql STABLE STRICT PARALLEL SAFE SET search_path = smarthg, pg_temp AS $$
	SELECT slot_means(coalesce(array_agg(c.slot_start), '{}'), coalesce(array_agg(extract(epoch FROM c.slot_length)::float8), '{}'),
		coalesce(array_agg(c.co2_eur_per_kwh), '{}'), co2_series.from_slot, co2_series.slots, co2_series.slot_length)
	FROM co2_cost c
	WHERE c.price_area_id = co2_series.price_area_id AND c.published_at <= co2_series.at
		AND c.slot_start > co2_series.from_slot - interval '1 day' AND c.slot_start < co2_series.from_slot + co2_series.slots * co2_series.slot_length
$$;
COMMENT ON FUNCTION co2_series(bigint, timestamptz, integer, interval, timestamptz) IS 'CO2 cost, EUR/kWh, of each of so many slots from from_slot on, as known at a moment; null elements where none was known';
