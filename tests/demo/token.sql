-- The demonstration's service: what it sees of a home without a token, and with the resident's.
\set ON_ERROR_STOP 1
SET search_path = smarthg, public;
SET timezone = 'Europe/Berlin';
\pset footer off
SELECT make_token_key('sign'), make_token_key('decrypt') \g /dev/null
SELECT sign_up('resident@example.org', 'a long password') AS account \gset
SELECT verify_account(:account), move_in(1, :account, '2000-01-01') \g /dev/null
SELECT issue_token((SELECT sub::text FROM account WHERE account_id = :account), 'heating advice', 'read_mainmeter_hourly', '1 hour') AS token \gset
SELECT scope_explain('read_mainmeter_hourly') AS "what the resident agrees to";
BEGIN;
SET LOCAL ROLE smarthg_service;
SELECT count(*) AS "homes that the service sees without a token" FROM home;
SELECT authenticate(:'token') ->> 'scope' AS "with it";
SELECT h.name AS home, e.slot_start, round(e.energy_kwh::numeric, 3) AS energy_kwh FROM demo.moment, home h JOIN meter USING (home_id) JOIN register USING (meter_id) JOIN energy_hourly e USING (register_id)
	WHERE e.slot_start < now ORDER BY e.slot_start DESC LIMIT 3;
SELECT count(*) AS "quarters of an hour that it sees", (SELECT count(*) FROM home) AS homes FROM interval_energy;
COMMIT;
