-- The grid as the DSO knows it: areas, substations, feeders, homes and their gateways.

CREATE TABLE price_area (
	price_area_id bigint PRIMARY KEY DEFAULT new_id(),
	name text NOT NULL UNIQUE CHECK (name <> ''),
	time_zone text NOT NULL DEFAULT 'Europe/Copenhagen' CHECK (is_time_zone(time_zone))
);
COMMENT ON TABLE price_area IS 'A bidding zone: the area of one market price and one carbon intensity';
COMMENT ON COLUMN price_area.price_area_id IS 'Identifier';
COMMENT ON COLUMN price_area.name IS 'The market''s name of the area, for example DK2';
COMMENT ON COLUMN price_area.time_zone IS 'Time zone of the market''s trading day';

CREATE TABLE substation (
	substation_id bigint PRIMARY KEY DEFAULT new_id(),
	name text NOT NULL UNIQUE CHECK (name <> ''),
	limit_kw float8 CHECK (limit_kw > 0)
);
COMMENT ON TABLE substation IS 'A substation of the electric distribution network';
COMMENT ON COLUMN substation.substation_id IS 'Identifier';
COMMENT ON COLUMN substation.name IS 'The DSO''s name';
COMMENT ON COLUMN substation.limit_kw IS 'Largest power that it should carry, kW; null: not stated';

CREATE TABLE feeder (
	feeder_id bigint PRIMARY KEY DEFAULT new_id(),
	substation_id bigint NOT NULL REFERENCES substation,
	name text NOT NULL CHECK (name <> ''),
	limit_kw float8 CHECK (limit_kw > 0),
	UNIQUE (substation_id, name)
);
COMMENT ON TABLE feeder IS 'A line that leaves a substation and supplies homes';
COMMENT ON COLUMN feeder.feeder_id IS 'Identifier';
COMMENT ON COLUMN feeder.substation_id IS 'The substation that it leaves';
COMMENT ON COLUMN feeder.name IS 'The DSO''s name, unique in its substation';
COMMENT ON COLUMN feeder.limit_kw IS 'Largest power that it should carry, kW; null: not stated';

CREATE TABLE tariff (
	tariff_id bigint PRIMARY KEY DEFAULT new_id(),
	name text NOT NULL UNIQUE CHECK (name <> ''),
	import_markup_eur_per_kwh float8 NOT NULL DEFAULT 0 CHECK (import_markup_eur_per_kwh BETWEEN -1e6 AND 1e6),
	export_markup_eur_per_kwh float8 NOT NULL DEFAULT 0 CHECK (export_markup_eur_per_kwh BETWEEN -1e6 AND 1e6)
);
COMMENT ON TABLE tariff IS 'What is added to the market price (DESIGN.md section 3: import and export prices are two series)';
COMMENT ON COLUMN tariff.tariff_id IS 'Identifier';
COMMENT ON COLUMN tariff.name IS 'Name';
COMMENT ON COLUMN tariff.import_markup_eur_per_kwh IS 'Added to the market price for energy drawn from the grid, EUR/kWh';
COMMENT ON COLUMN tariff.export_markup_eur_per_kwh IS 'Added to the market price for energy fed into the grid, EUR/kWh; negative is a fee';

CREATE TABLE home (
	home_id bigint PRIMARY KEY DEFAULT new_id(),
	feeder_id bigint NOT NULL REFERENCES feeder,
	price_area_id bigint NOT NULL REFERENCES price_area,
	tariff_id bigint REFERENCES tariff,
	name text NOT NULL UNIQUE CHECK (name <> ''),
	time_zone text NOT NULL DEFAULT 'Europe/Copenhagen' CHECK (is_time_zone(time_zone)),
	contract_min_kw float8 NOT NULL DEFAULT '-infinity' CHECK (contract_min_kw BETWEEN -1e9 AND 0 OR contract_min_kw = '-infinity'),
	contract_max_kw float8 NOT NULL DEFAULT 'infinity' CHECK (contract_max_kw BETWEEN 0 AND 1e9 OR contract_max_kw = 'infinity'),
	household_type text CHECK (household_type <> '')
);
CREATE INDEX home_feeder ON home (feeder_id);
COMMENT ON TABLE home IS 'A residential home: the unit of planning, of consent and of sharding';
COMMENT ON COLUMN home.home_id IS 'Identifier';
COMMENT ON COLUMN home.feeder_id IS 'The feeder that supplies it';
COMMENT ON COLUMN home.price_area_id IS 'The area whose prices and carbon intensity apply';
COMMENT ON COLUMN home.tariff_id IS 'Markups on the market price; null: none';
COMMENT ON COLUMN home.name IS 'The DSO''s pseudonymous name; no personal data';
COMMENT ON COLUMN home.time_zone IS 'Time zone of its residents: local days are 23, 24 or 25 hours long';
COMMENT ON COLUMN home.contract_min_kw IS 'Lowest contractual grid power, kW; negative: largest allowed export';
COMMENT ON COLUMN home.contract_max_kw IS 'Highest contractual grid power, kW';
COMMENT ON COLUMN home.household_type IS 'Which standard_profile stands in for its demand while its history is short; null or one without a profile: 3,500 kWh a year';

CREATE TABLE gateway (
	gateway_id bigint PRIMARY KEY DEFAULT new_id(),
	home_id bigint NOT NULL REFERENCES home,
	eui64 bytea NOT NULL UNIQUE CHECK (is_eui64(eui64)),
	link_key bytea CHECK (octet_length(link_key) BETWEEN 16 AND 64),
	key_id integer NOT NULL DEFAULT 1 CHECK (key_id > 0),
	security_required boolean NOT NULL DEFAULT true,
	enabled boolean NOT NULL DEFAULT true,
	committed_record_no bigint NOT NULL DEFAULT 0 CHECK (committed_record_no >= 0),
	online boolean NOT NULL DEFAULT false,
	online_changed_at timestamptz,
	last_ingest_at timestamptz
) WITH (fillfactor = 40); -- a mark moves with every batch: room for its versions in the same page
CREATE INDEX gateway_home ON gateway (home_id);
COMMENT ON TABLE gateway IS 'A home energy controlling hub (HECH) that speaks SmartAMM with the bridge (document 4.1)';
COMMENT ON COLUMN gateway.gateway_id IS 'Identifier';
COMMENT ON COLUMN gateway.home_id IS 'The home it stands in';
COMMENT ON COLUMN gateway.eui64 IS 'Its EUI-64, 8 bytes';
COMMENT ON COLUMN gateway.link_key IS 'Secret provisioned into the gateway, 16 to 64 bytes; null: it has none';
COMMENT ON COLUMN gateway.key_id IS 'Number of the provisioned key, so that keys can be replaced';
COMMENT ON COLUMN gateway.security_required IS 'Whether only an encrypted session is accepted';
COMMENT ON COLUMN gateway.enabled IS 'Whether the bridge talks to it at all';
COMMENT ON COLUMN gateway.committed_record_no IS 'All records up to this number are committed or known to be lost; what the bridge acknowledges';
COMMENT ON COLUMN gateway.online IS 'Whether keep-alives arrive';
COMMENT ON COLUMN gateway.online_changed_at IS 'When online last changed';
COMMENT ON COLUMN gateway.last_ingest_at IS 'When its last record was committed';

CREATE FUNCTION gateway_changed() RETURNS trigger
LANGUAGE plpgsql SET search_path = smarthg, pg_temp AS $$
BEGIN
	PERFORM pg_catalog.pg_notify('smarthg_gateway', '');
	RETURN NULL;
END $$;
COMMENT ON FUNCTION gateway_changed() IS 'Tells the bridge to read its gateways again';
CREATE TRIGGER gateway_changed AFTER INSERT OR DELETE OR UPDATE OF eui64, link_key, key_id, security_required, enabled
	ON gateway FOR EACH STATEMENT EXECUTE FUNCTION gateway_changed();
