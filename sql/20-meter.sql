-- Meters and their registers (DESIGN.md sections 2, 6, 7).

CREATE TYPE meter_kind AS ENUM ('main', 'sub', 'appliance');
COMMENT ON TYPE meter_kind IS 'main: the home''s supply meter; sub: a part of the home; appliance: one device';
CREATE TYPE commodity AS ENUM ('electricity', 'gas', 'water', 'heat');
COMMENT ON TYPE commodity IS 'What a meter measures';
CREATE TYPE meter_role AS ENUM ('consumption', 'production', 'ess', 'pev');
COMMENT ON TYPE meter_role IS 'Whose energy a meter measures: the home''s use, its production, its battery (ESS) or its electric vehicle (PEV)';

CREATE TABLE meter (
	meter_id bigint PRIMARY KEY DEFAULT new_id(),
	home_id bigint NOT NULL REFERENCES home,
	gateway_id bigint REFERENCES gateway,
	device_address bytea CHECK (octet_length(device_address) BETWEEN 1 AND 48),
	endpoint smallint NOT NULL DEFAULT 1 CHECK (endpoint BETWEEN 0 AND 255),
	kind meter_kind NOT NULL DEFAULT 'main',
	role meter_role NOT NULL DEFAULT 'consumption',
	commodity commodity NOT NULL DEFAULT 'electricity',
	name text NOT NULL CHECK (name <> ''),
	default_multiplier bigint NOT NULL DEFAULT 1 CHECK (default_multiplier > 0),
	default_divisor bigint NOT NULL DEFAULT 1 CHECK (default_divisor > 0),
	default_unit text CHECK (default_unit <> ''),
	default_bcd boolean NOT NULL DEFAULT false,
	UNIQUE (home_id, name),
	UNIQUE (gateway_id, device_address, endpoint),
	CHECK ((gateway_id IS NULL) = (device_address IS NULL)),
	CHECK (kind <> 'main' OR role = 'consumption')
);
CREATE UNIQUE INDEX meter_main ON meter (home_id, commodity) WHERE kind = 'main';
COMMENT ON TABLE meter IS 'A meter of a home: main meter, sub-meter or appliance; mirrored meters are told apart by device and endpoint';
COMMENT ON COLUMN meter.meter_id IS 'Identifier';
COMMENT ON COLUMN meter.home_id IS 'The home it measures';
COMMENT ON COLUMN meter.gateway_id IS 'The gateway that reports it; null: readings are loaded otherwise';
COMMENT ON COLUMN meter.device_address IS 'Address of the meter on its gateway. ZigBee: EUI-64 of the reporting device, 8 bytes. Z-Wave: its node id, 2 bytes (node 5 is ''\x0005''). M-Bus, wired and wireless: its secondary address, 8 bytes (mbus_address). P1: its equipment identifier as characters, for example ''E0026000024153615''::bytea';
COMMENT ON COLUMN meter.endpoint IS 'ZigBee endpoint on the device; Z-Wave endpoint, 0 for the device as a whole; 1 for other meters, but 1 + n for sub-meter n of a P1 meter that has no identifier of its own';
COMMENT ON COLUMN meter.kind IS 'main, sub or appliance; one main meter a home and commodity';
COMMENT ON COLUMN meter.role IS 'consumption, production, ess or pev. Registers count from the grid''s side as everywhere: 1.8.0 is energy into the home, battery or vehicle, 2.8.0 energy out of it (what a production meter produces)';
COMMENT ON COLUMN meter.commodity IS 'electricity, gas, water or heat';
COMMENT ON COLUMN meter.name IS 'Name, unique in its home';
COMMENT ON COLUMN meter.default_multiplier IS 'A count of a register is multiplier / divisor units until the meter itself says otherwise';
COMMENT ON COLUMN meter.default_divisor IS 'See default_multiplier';
COMMENT ON COLUMN meter.default_unit IS 'Unit of what it counts (kWh, m3, ft3 ...) where its telegrams do not say, as it said once (ZCL UnitofMeasure); null: that of the register, at first kWh for electricity and heat and m3 for gas and water';
COMMENT ON COLUMN meter.default_bcd IS 'Whether its counts are decimal digits (ZCL UnitofMeasure in BCD) where its telegrams do not say';

CREATE FUNCTION mbus_address(identification text, manufacturer text, version integer, device_type integer) RETURNS bytea
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
RETURN CASE WHEN identification ~ '^[0-9A-Fa-f]{8}$' AND manufacturer ~ '^[A-Z]{3}$' AND version BETWEEN 0 AND 255 AND device_type BETWEEN 0 AND 255 THEN
	decode(identification || lpad(to_hex((ascii(manufacturer) - 64) * 1024 + (ascii(substr(manufacturer, 2)) - 64) * 32 + ascii(substr(manufacturer, 3)) - 64), 4, '0')
		|| lpad(to_hex(version), 2, '0') || lpad(to_hex(device_type), 2, '0'), 'hex') END;
COMMENT ON FUNCTION mbus_address(text, text, integer, integer) IS
'The secondary address of an M-Bus meter as the bridge writes it, 8 bytes: identification number as on the nameplate (8 digits), manufacturer (FLAG letters, 2 bytes), version, device type (EN 13757-3: 2 electricity, 3 gas, 4 heat, 6 warm water, 7 water ...). Null where it is none';

CREATE TABLE meter_key (
	device_address bytea PRIMARY KEY CHECK (octet_length(device_address) = 8),
	key bytea NOT NULL CHECK (octet_length(key) = 16),
	clear_accepted boolean NOT NULL DEFAULT false,
	authentication_key bytea CHECK (octet_length(authentication_key) = 16)
);
COMMENT ON TABLE meter_key IS 'Keys with which M-Bus and DLMS meters encrypt; the bridge hears of changes at once, and decodes again what waited for them';
COMMENT ON COLUMN meter_key.device_address IS 'The meter (mbus_address; of a DLMS meter its system title), whether it is in table meter yet or not';
COMMENT ON COLUMN meter_key.key IS 'AES-128 key, 16 bytes; of security mode 7 the one from which the others are derived; of DLMS the global unicast encryption key';
COMMENT ON COLUMN meter_key.authentication_key IS 'Of DLMS the global authentication key, 16 bytes: with one, only messages that it proves are believed; null: the meter''s messages have no authentication, or it is no DLMS meter';
COMMENT ON COLUMN meter_key.clear_accepted IS 'Whether telegrams of the meter are believed that are not encrypted; otherwise they go to quarantine. A meter that never encrypts and sends compact frames needs a row, with any key: layouts are learned from meters in this table alone';

CREATE TABLE register (
	register_id bigint PRIMARY KEY DEFAULT new_id(),
	meter_id bigint NOT NULL REFERENCES meter,
	obis text NOT NULL CHECK (obis ~ '^\d{1,3}-\d{1,3}:\d{1,3}\.\d{1,3}\.\d{1,3}\.\d{1,3}$'),
	unit text NOT NULL CHECK (unit <> ''),
	cumulative boolean NOT NULL,
	last_reading_at timestamptz,
	last_raw_value bigint,
	UNIQUE (meter_id, obis)
);
COMMENT ON TABLE register IS 'One measured quantity of a meter, named by its OBIS code (IEC 62056-61)';
COMMENT ON COLUMN register.register_id IS 'Identifier';
COMMENT ON COLUMN register.meter_id IS 'The meter';
COMMENT ON COLUMN register.obis IS 'OBIS code A-B:C.D.E.F, for example 1-0:1.8.0.255 (active energy drawn, total)';
COMMENT ON COLUMN register.unit IS 'Unit of value = raw value * multiplier / divisor: kWh, kW, m3 ...';
COMMENT ON COLUMN register.cumulative IS 'Whether it only counts up (energy, volume), so that differences have a meaning';
COMMENT ON COLUMN register.last_reading_at IS 'Time of its newest reading';
COMMENT ON COLUMN register.last_raw_value IS 'Its newest reading, in counts';

CREATE TABLE register_epoch (
	register_id bigint NOT NULL REFERENCES register,
	valid_from timestamptz NOT NULL,
	multiplier bigint NOT NULL CHECK (multiplier > 0),
	divisor bigint NOT NULL CHECK (divisor > 0),
	modulus bigint CHECK (modulus > 0),
	reason text NOT NULL,
	PRIMARY KEY (register_id, valid_from)
);
COMMENT ON TABLE register_epoch IS 'From when a register counts with a given scale on a given piece of hardware; no difference is taken across epochs (meter exchange, new scale)';
COMMENT ON COLUMN register_epoch.register_id IS 'The register';
COMMENT ON COLUMN register_epoch.valid_from IS 'First moment of the epoch; it ends where the next one begins';
COMMENT ON COLUMN register_epoch.multiplier IS 'A count is multiplier / divisor units';
COMMENT ON COLUMN register_epoch.divisor IS 'See multiplier';
COMMENT ON COLUMN register_epoch.modulus IS 'The counter rolls over to 0 at this count; null: not known, then a falling counter is a reset';
COMMENT ON COLUMN register_epoch.reason IS 'first reading, scale reported by the meter, meter exchange ...';
