-- Freshness of wireless M-Bus: the highest counter of each meter, kept across starts of the bridge,
-- which remembers and judges (bridge/core/freshness).

CREATE TABLE meter_counter (
	gateway_id bigint NOT NULL REFERENCES gateway ON DELETE CASCADE,
	device_address bytea NOT NULL REFERENCES meter_key ON UPDATE CASCADE ON DELETE CASCADE,
	kind smallint NOT NULL CHECK (kind IN (1, 2)),
	key_check bigint NOT NULL CHECK (key_check BETWEEN 0 AND 4294967295),
	counter bigint NOT NULL CHECK (counter BETWEEN 0 AND 4294967295),
	heard_at timestamptz NOT NULL,
	PRIMARY KEY (device_address, kind, gateway_id)
);
COMMENT ON TABLE meter_counter IS 'The highest counter of telegrams that each gateway heard each M-Bus meter with, proved by its key: what it heard later without a higher one is a replay. Gateways count apart, so that none mutes a meter of another. Written by the bridge once a minute and when it stops. A meter that counts from the beginning again under its old key is believed once its row is deleted; with a new key it is at once';
CREATE INDEX meter_counter_gateway ON meter_counter (gateway_id);
COMMENT ON COLUMN meter_counter.gateway_id IS 'The gateway that heard it';
COMMENT ON COLUMN meter_counter.device_address IS 'The meter (mbus_address)';
COMMENT ON COLUMN meter_counter.kind IS '1 message counter of the authentication layer (EN 13757-7), 2 time and number of the session in the extended link layer (EN 13757-4)';
COMMENT ON COLUMN meter_counter.key_check IS 'Names the key that it was counted under without telling it: the first four bytes of the AES-CMAC of a block of zeros';
COMMENT ON COLUMN meter_counter.counter IS 'The highest counter';
COMMENT ON COLUMN meter_counter.heard_at IS 'When it was heard, by the gateway''s clock, not after it was received';
CREATE TRIGGER meter_counter_deleted AFTER DELETE ON meter_counter FOR EACH STATEMENT EXECUTE FUNCTION notify_meter_key();

CREATE FUNCTION bridge_meter_counters() RETURNS TABLE (device_address bytea, kind smallint, key_check bigint, counter bigint, heard_at timestamptz, gateway_id bigint)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = smarthg, pg_temp AS $$
	SELECT c.device_address, c.kind, c.key_check, c.counter, c.heard_at, c.gateway_id FROM meter_counter c
$$;
COMMENT ON FUNCTION bridge_meter_counters() IS 'For the bridge: the highest counters of M-Bus meters; notified on channel smarthg_meter_key when some are deleted';

CREATE FUNCTION bridge_keep_meter_counters(device_addresses bytea[], kinds smallint[], key_checks bigint[], counters bigint[], heard_seconds bigint[], gateways bigint[]) RETURNS void
LANGUAGE sql VOLATILE SECURITY DEFINER SET search_path = smarthg, pg_temp AS $$
	INSERT INTO meter_counter AS c (device_address, kind, key_check, counter, heard_at, gateway_id)
	SELECT k.device_address, u.kind, u.key_check, u.counter, to_timestamp(u.heard_second), g.gateway_id
	FROM unnest(device_addresses, kinds, key_checks, counters, heard_seconds, gateways) AS u(device_address, kind, key_check, counter, heard_second, gateway_id)
	JOIN meter_key k ON k.device_address = u.device_address JOIN gateway g ON g.gateway_id = u.gateway_id ORDER BY 1, 2, 6
	ON CONFLICT ON CONSTRAINT meter_counter_pkey DO UPDATE
		SET key_check = EXCLUDED.key_check, counter = EXCLUDED.counter, heard_at = EXCLUDED.heard_at
		WHERE c.key_check <> EXCLUDED.key_check OR c.counter < EXCLUDED.counter
$$;
COMMENT ON FUNCTION bridge_keep_meter_counters(bytea[], smallint[], bigint[], bigint[], bigint[], bigint[]) IS
'For the bridge: keeps the highest counters of meters, heard by gateways so many seconds after 1970, where they are above what is kept or of another key; those of meters without a key, or of unknown gateways, are passed over';
