-- Remote access to gateways (HECH) behind private networks: reverse SSH tunnels to a server of the
-- DSO (document 4.1.4). OpenSSH does the work; here stand the keys, the ports and what is up.

CREATE TABLE remote_tunnel (
	gateway_id bigint PRIMARY KEY REFERENCES gateway ON DELETE CASCADE,
	public_key text NOT NULL UNIQUE CHECK (public_key ~ '^(ssh-ed25519|ecdsa-sha2-nistp(256|384|521)|ssh-rsa|sk-ssh-ed25519@openssh\.com) [A-Za-z0-9+/]+={0,2}$' AND length(public_key) BETWEEN 60 AND 8000),
	port integer NOT NULL UNIQUE CHECK (port BETWEEN 20000 AND 65535),
	enabled boolean NOT NULL DEFAULT true,
	last_login_at timestamptz,
	last_seen_at timestamptz
);
COMMENT ON TABLE remote_tunnel IS 'Reverse SSH tunnels of gateways, one each: who connects to 127.0.0.1:port on the SSH server reaches the gateway''s own SSH port';
COMMENT ON COLUMN remote_tunnel.gateway_id IS 'The gateway';
COMMENT ON COLUMN remote_tunnel.public_key IS 'Its public key: type and base64, without comment';
COMMENT ON COLUMN remote_tunnel.port IS 'The only port on the server''s loopback that it may listen on, 20000 to 65535: below are those of the server''s own services';
COMMENT ON COLUMN remote_tunnel.enabled IS 'Whether it may log in';
COMMENT ON COLUMN remote_tunnel.last_login_at IS 'When the server last asked for its key, which is at each login; null: never, or the server reads a file of keys';
COMMENT ON COLUMN remote_tunnel.last_seen_at IS 'When the tunnel was last seen up by smarthg-tunnels; null: never';

CREATE FUNCTION remote_port(first integer DEFAULT 20000, last integer DEFAULT 65535) RETURNS integer
LANGUAGE sql STABLE SET search_path = smarthg, pg_temp AS $$
	SELECT p FROM generate_series(remote_port.first, remote_port.last) AS p WHERE NOT EXISTS (SELECT FROM remote_tunnel t WHERE t.port = p) ORDER BY p LIMIT 1
$$;
COMMENT ON FUNCTION remote_port(integer, integer) IS 'The first port of a range that no tunnel has; null: all are taken';

CREATE FUNCTION remote_key_line(public_key text, port integer, gateway_id bigint) RETURNS text
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE SET search_path = smarthg, pg_temp AS $$
	-- restrict forbids everything, then one thing is allowed; permitopen keeps -L closed, which
	-- port-forwarding alone would open.
	SELECT format('restrict,port-forwarding,permitlisten="127.0.0.1:%s",permitopen="127.0.0.1:1",command="/bin/false" %s gateway-%s', port, public_key, gateway_id)
$$;
COMMENT ON FUNCTION remote_key_line(text, integer, bigint) IS 'A line of authorized_keys (sshd(8)) under which a key can do nothing but listen on its one port of the server''s loopback: no shell, no command, no terminal, no other forwarding';

CREATE FUNCTION remote_authorized_keys() RETURNS SETOF text
LANGUAGE sql STABLE SET search_path = smarthg, pg_temp AS $$
	SELECT remote_key_line(t.public_key, t.port, t.gateway_id) FROM remote_tunnel t WHERE t.enabled ORDER BY t.gateway_id
$$;
COMMENT ON FUNCTION remote_authorized_keys() IS 'All lines of the SSH server''s authorized_keys, for a server that reads a file';

CREATE FUNCTION bridge_tunnel_key(key_type text, key text) RETURNS SETOF text
LANGUAGE sql VOLATILE SECURITY DEFINER SET search_path = smarthg, pg_temp AS $$
	UPDATE remote_tunnel t SET last_login_at = clock_timestamp()
	WHERE t.public_key = bridge_tunnel_key.key_type || ' ' || bridge_tunnel_key.key AND t.enabled
	RETURNING remote_key_line(t.public_key, t.port, t.gateway_id)
$$;
COMMENT ON FUNCTION bridge_tunnel_key(text, text) IS 'For the SSH server''s AuthorizedKeysCommand (smarthg-authorized-key %t %k): the line of this key, or none; a gateway that is disabled is refused at once';

CREATE FUNCTION bridge_tunnel_ports() RETURNS SETOF integer
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = smarthg, pg_temp AS $$
	SELECT t.port FROM remote_tunnel t ORDER BY t.port
$$;
COMMENT ON FUNCTION bridge_tunnel_ports() IS 'For smarthg-tunnels on the SSH server: the ports to look at';

CREATE FUNCTION bridge_tunnels_seen(ports integer[]) RETURNS integer
LANGUAGE sql VOLATILE SECURITY DEFINER SET search_path = smarthg, pg_temp AS $$
	WITH seen AS (
		UPDATE remote_tunnel t SET last_seen_at = clock_timestamp() WHERE t.port = ANY (bridge_tunnels_seen.ports) RETURNING 1
	)
	SELECT count(*)::integer FROM seen
$$;
COMMENT ON FUNCTION bridge_tunnels_seen(integer[]) IS 'For smarthg-tunnels on the SSH server: these ports are being listened on; returns how many are tunnels';

CREATE VIEW remote_tunnel_status AS
SELECT t.gateway_id, h.name AS home, t.port, t.enabled, coalesce(t.last_seen_at > clock_timestamp() - interval '2 minutes', false) AS up, t.last_login_at, t.last_seen_at
FROM remote_tunnel t JOIN gateway g USING (gateway_id) JOIN home h USING (home_id);
COMMENT ON VIEW remote_tunnel_status IS 'Which tunnels are up';
COMMENT ON COLUMN remote_tunnel_status.gateway_id IS 'The gateway';
COMMENT ON COLUMN remote_tunnel_status.home IS 'Name of its home';
COMMENT ON COLUMN remote_tunnel_status.port IS 'On the SSH server: ssh -p PORT 127.0.0.1 reaches the gateway';
COMMENT ON COLUMN remote_tunnel_status.enabled IS 'Whether it may log in';
COMMENT ON COLUMN remote_tunnel_status.up IS 'Whether it was seen up within two minutes';
COMMENT ON COLUMN remote_tunnel_status.last_login_at IS 'When it last logged in';
COMMENT ON COLUMN remote_tunnel_status.last_seen_at IS 'When it was last seen up';

CREATE FUNCTION remote_unit(gateway_id bigint, server text, server_port integer DEFAULT 22, server_user text DEFAULT 'smarthg-tunnel', gateway_port integer DEFAULT 22,
	key_file text DEFAULT '/etc/smarthg/tunnel_key', known_hosts text DEFAULT '/etc/smarthg/tunnel_known_hosts') RETURNS text
LANGUAGE plpgsql STABLE STRICT SET search_path = smarthg, pg_temp AS $$
#variable_conflict use_column
DECLARE
	own_port integer := (SELECT t.port FROM remote_tunnel t WHERE t.gateway_id = remote_unit.gateway_id);
BEGIN
	IF own_port IS NULL THEN
		RAISE no_data_found USING MESSAGE = format('gateway %s has no tunnel', remote_unit.gateway_id), HINT = 'Insert its public key and port into remote_tunnel.';
	END IF;
	IF remote_unit.server_port NOT BETWEEN 1 AND 65535 OR remote_unit.gateway_port NOT BETWEEN 1 AND 65535 THEN
		RAISE invalid_parameter_value USING MESSAGE = 'ports must be from 1 to 65535';
	END IF;
	-- They stand on a command line of systemd: no quotes, spaces or percent signs.
	IF remote_unit.server !~ '^[A-Za-z0-9:.][A-Za-z0-9:.-]*$' OR remote_unit.server_user !~ '^[a-z_][a-z0-9_-]*$'
		OR remote_unit.key_file !~ '^/[A-Za-z0-9/._-]+$' OR remote_unit.known_hosts !~ '^/[A-Za-z0-9/._-]+$' THEN
		RAISE invalid_parameter_value USING MESSAGE = 'server, user and files must be plain names', DETAIL = 'They become words of a command line.';
	END IF;
	RETURN format($unit$[Unit]
Description=Reverse SSH tunnel for remote access
After=network-online.target
Wants=network-online.target
StartLimitIntervalSec=0

[Service]
ExecStart=/usr/bin/ssh -N -T -R 127.0.0.1:%1$s:127.0.0.1:%2$s -p %3$s -l %4$s -i %5$s -o IdentitiesOnly=yes -o BatchMode=yes -o ExitOnForwardFailure=yes -o ServerAliveInterval=30 -o ServerAliveCountMax=3 -o ConnectTimeout=20 -o StrictHostKeyChecking=yes -o UserKnownHostsFile=%6$s %7$s
Restart=always
RestartSec=30
User=smarthg-tunnel
NoNewPrivileges=yes
ProtectSystem=strict
ProtectHome=yes
PrivateTmp=yes
PrivateDevices=yes
RestrictAddressFamilies=AF_UNIX AF_INET AF_INET6
MemoryDenyWriteExecute=yes

[Install]
WantedBy=multi-user.target
$unit$, own_port, remote_unit.gateway_port, remote_unit.server_port, remote_unit.server_user, remote_unit.key_file, remote_unit.known_hosts, remote_unit.server);
END $$;
COMMENT ON FUNCTION remote_unit(bigint, text, integer, text, integer, text, text) IS 'The systemd unit of a gateway''s tunnel: ssh that keeps a reverse tunnel to the server, gives up when the port is not to be had or the server is silent for 90 seconds, and is started again. key_file and known_hosts are on the gateway; SQLSTATE P0002 where it has no tunnel, 22023 where a word is none for a command line or a port is none; null where an argument is';
