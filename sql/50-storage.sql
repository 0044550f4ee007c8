-- The home's stores: battery (ESS) and electric vehicle (PEV), their configuration, state and
-- plug-in sessions (document 3.2.1).

CREATE TABLE ess (
	home_id bigint PRIMARY KEY REFERENCES home,
	capacity_kwh float8 NOT NULL CHECK (capacity_kwh BETWEEN 0 AND 1e6),
	min_kw float8 NOT NULL CHECK (min_kw BETWEEN -1e6 AND 0),
	max_kw float8 NOT NULL CHECK (max_kw BETWEEN 0 AND 1e6),
	efficiency float8 NOT NULL DEFAULT 0.9 CHECK (efficiency BETWEEN 0.001 AND 1),
	device_eui64 bytea CHECK (is_eui64(device_eui64)),
	endpoint smallint NOT NULL DEFAULT 1 CHECK (endpoint BETWEEN 0 AND 255)
);
COMMENT ON TABLE ess IS 'Configuration of a home''s energy storage system (ESS)';
COMMENT ON COLUMN ess.home_id IS 'The home: one ESS each';
COMMENT ON COLUMN ess.capacity_kwh IS 'Usable capacity, kWh; 0: not controlled (scenarios PC, PD)';
COMMENT ON COLUMN ess.min_kw IS 'Minimum power rate, kW, at most 0: full discharge; 0: never discharged';
COMMENT ON COLUMN ess.max_kw IS 'Maximum power rate, kW, at least 0: full charge';
COMMENT ON COLUMN ess.efficiency IS 'Round-trip efficiency, from 0.001 to 1';
COMMENT ON COLUMN ess.device_eui64 IS 'EUI-64 of the device that reports its state of charge; null: set by SQL';
COMMENT ON COLUMN ess.endpoint IS 'ZigBee endpoint on that device';

CREATE TABLE ess_state (
	home_id bigint NOT NULL REFERENCES home,
	measured_at timestamptz NOT NULL CHECK (isfinite(measured_at)),
	soc_kwh float8 NOT NULL CHECK (soc_kwh BETWEEN -1e6 AND 1e6),
	PRIMARY KEY (home_id, measured_at)
);
COMMENT ON TABLE ess_state IS 'Measured state of charge of an ESS';
COMMENT ON COLUMN ess_state.home_id IS 'The home';
COMMENT ON COLUMN ess_state.measured_at IS 'When';
COMMENT ON COLUMN ess_state.soc_kwh IS 'State of charge, kWh, as read: it may lie slightly outside the capacity';

CREATE TABLE pev (
	home_id bigint PRIMARY KEY REFERENCES home,
	capacity_kwh float8 NOT NULL CHECK (capacity_kwh BETWEEN 0 AND 1e6),
	min_kw float8 NOT NULL CHECK (min_kw BETWEEN -1e6 AND 0),
	max_kw float8 NOT NULL CHECK (max_kw BETWEEN 0 AND 1e6),
	efficiency float8 NOT NULL DEFAULT 0.9 CHECK (efficiency BETWEEN 0.001 AND 1),
	device_eui64 bytea CHECK (is_eui64(device_eui64)),
	endpoint smallint NOT NULL DEFAULT 1 CHECK (endpoint BETWEEN 0 AND 255),
	min_step_kw float8 NOT NULL DEFAULT 0,
	CHECK (min_step_kw >= 0 AND (max_kw = 0 OR min_step_kw <= max_kw) AND (min_kw = 0 OR min_step_kw <= -min_kw))
);
COMMENT ON TABLE pev IS 'Configuration of a home''s plug-in electric vehicle (PEV)';
COMMENT ON COLUMN pev.home_id IS 'The home: one PEV each';
COMMENT ON COLUMN pev.capacity_kwh IS 'Usable capacity, kWh; 0: not controlled (scenario BU)';
COMMENT ON COLUMN pev.min_kw IS 'Minimum power rate, kW, at most 0; 0: it may only be charged (scenarios BC, PC)';
COMMENT ON COLUMN pev.max_kw IS 'Maximum power rate, kW, at least 0';
COMMENT ON COLUMN pev.efficiency IS 'Round-trip efficiency, from 0.001 to 1';
COMMENT ON COLUMN pev.device_eui64 IS 'EUI-64 of the device that reports its state of charge; null: set by SQL';
COMMENT ON COLUMN pev.endpoint IS 'ZigBee endpoint on that device';
COMMENT ON COLUMN pev.min_step_kw IS 'Least power, kW, charging or discharging, that it runs at if at all, such as 1.4; 0: any';

CREATE TABLE pev_state (
	home_id bigint NOT NULL REFERENCES home,
	measured_at timestamptz NOT NULL CHECK (isfinite(measured_at)),
	soc_kwh float8 NOT NULL CHECK (soc_kwh BETWEEN -1e6 AND 1e6),
	PRIMARY KEY (home_id, measured_at)
);
COMMENT ON TABLE pev_state IS 'Measured state of charge of a PEV while it is plugged in';
COMMENT ON COLUMN pev_state.home_id IS 'The home';
COMMENT ON COLUMN pev_state.measured_at IS 'When';
COMMENT ON COLUMN pev_state.soc_kwh IS 'State of charge, kWh, as read';

CREATE TABLE pev_session (
	home_id bigint NOT NULL REFERENCES home,
	plugged_at timestamptz NOT NULL CHECK (isfinite(plugged_at)),
	departs_at timestamptz NOT NULL,
	unplugged_at timestamptz,
	arrival_soc_kwh float8 CHECK (arrival_soc_kwh BETWEEN -1e6 AND 1e6),
	target_soc_kwh float8 CHECK (target_soc_kwh BETWEEN 0 AND 1e6),
	PRIMARY KEY (home_id, plugged_at),
	CHECK (departs_at >= plugged_at),
	CHECK (unplugged_at >= plugged_at)
);
COMMENT ON TABLE pev_session IS 'A stay of the PEV at its plug; the resident says how long it will last when plugging in (document 3.2.1)';
COMMENT ON COLUMN pev_session.home_id IS 'The home';
COMMENT ON COLUMN pev_session.plugged_at IS 'When it was plugged in';
COMMENT ON COLUMN pev_session.departs_at IS 'When the resident wants to leave; infinity: not said';
COMMENT ON COLUMN pev_session.unplugged_at IS 'When it really left; null: still there';
COMMENT ON COLUMN pev_session.arrival_soc_kwh IS 'State of charge on arrival, kWh';
COMMENT ON COLUMN pev_session.target_soc_kwh IS 'State of charge wanted at departure, kWh; null: full';
