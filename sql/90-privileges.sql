-- Who may do what. Functions are executable by PUBLIC unless taken away, so they are: pure
-- functions that read no table stay open.

GRANT USAGE ON SCHEMA smarthg TO smarthg_admin, smarthg_service, smarthg_market, smarthg_bridge, smarthg_analyst;

REVOKE EXECUTE ON ALL ROUTINES IN SCHEMA smarthg FROM PUBLIC;
GRANT EXECUTE ON FUNCTION
	slot_start(timestamptz, interval), register_direction(text), mbus_address(text, text, integer, integer), is_eui64(bytea), is_time_zone(text),
	interval_energy_series(timestamptz[], bigint[], integer[], float8[], bigint[], timestamptz, timestamptz, interval, interval, interval, float8),
	reading_pack_step(internal, timestamptz, bigint, timestamptz, bigint, bigint, tid), reading_pack_end(internal),
	reading_pack(timestamptz, bigint, timestamptz, bigint, bigint, tid), reading_merge(bytea, bytea), reading_unpack(bytea), reading_without(bytea, timestamptz, timestamptz),
	reading_later(bytea, timestamptz, timestamptz),
	interval_energy_days(bytea[], timestamptz[], float8[], bigint[], timestamptz, timestamptz, interval, interval, interval, float8, boolean, boolean),
	energy_pack(float8[], energy_quality[]), energy_unpack(bytea), energy_splice(bytea, bytea, integer), energy_roll_up(date[], date[], bytea[], date[], bytea[], date[], bytea[], date, bytea, interval, text),
	reading_quality_series(bytea[], timestamptz[], float8[], bigint[], timestamptz, timestamptz, float8, boolean), energy_slots_measured(bytea, integer, integer),
	slot_means(timestamptz[], float8[], float8[], timestamptz, integer, interval), local_phases(timestamptz, integer, interval, text), eumf_k_series(float8[], integer[], integer[], integer, boolean, text, float8[], float8[], float8[]),
	eumf_backtest_series(float8[], integer[], integer, integer, integer, integer, integer, boolean), price_days_series(float8[], integer[], integer, float8[], float8[], float8),
	ebr_solve(float8[], float8[], float8[], float8[], float8[], float8[], float8[], float8[], float8[], interval, float8, float8,
		float8, float8, float8, float8, float8, float8, float8, float8, float8, float8, float8, float8, float8, float8, text, text, interval, integer, boolean, boolean,
		float8[], float8[], float8[], float8[], integer, integer, integer, float8[], float8[], float8, float8[]),
	price_day_forecast(float8[], integer, integer),
	heat_pump_cop(text, float8), heat_pump_cop_series(float8[], float8[], float8[], text, float8, float8, float8),
	retrofit_estimate_series(float8[], float8[], float8[], text, float8, float8, float8, float8, float8, float8, float8),
	retrofit_option_series(float8[], float8[], float8[], text, float8, float8, float8, float8, float8, float8, float8, float8, text, float8, float8,
		float8[], float8[], interval, float8[], float8[], float8[], float8[], float8[], float8[]),
	retrofit_predict_series(float8[], float8[], float8[], text, float8, float8, float8, float8, float8, float8, float8, float8, text, float8, float8,
		float8[], float8[], interval),
	payback_years(float8, float8, float8), present_value_eur(float8, float8, float8, float8),
	ebr_solve_input(ebr_input, text, text, interval, boolean), ebr_slots(ebr_input, ebr_solution), ebr_explain(ebr_input, ebr_solution),
	ebr_dimension_of(ebr_dimension_input, float8, float8, float8, float8, float8, float8, float8, float8, float8, text, interval, integer, boolean),
	ebr_slot_cost(float8, float8, float8, float8, float8, float8, float8, float8, interval),
	ebr_dimension_series(float8[], float8[], float8[], float8[], float8[], float8[], float8[], float8[], float8[], interval, float8, float8, float8, float8, float8, float8, float8, float8, float8, text, interval, integer, boolean, boolean),
	ebr_rule_power(float8, float8, float8, float8, float8, float8, float8, float8, float8, float8, interval, float8[], float8),
	ebr_model_text_series(float8[], float8[], float8[], float8[], float8[], float8[], float8[], float8[], float8[], interval, float8, float8,
		float8, float8, float8, float8, float8, float8, float8, float8, float8, float8, float8, float8, float8, float8, text, text, float8),
	ebr_model_text(ebr_input, text, text), ebr_dimension_model_text_series(float8[], float8[], float8[], float8[], float8[], float8[], float8[], float8[], float8[], interval,
		float8, float8, float8, float8, float8, float8, float8, float8, float8, text, text),
	ebr_dimension_model_text(ebr_dimension_input, float8, float8, float8, float8, float8, float8, float8, float8, float8, text, text), milp_solve(text, text, interval, integer, boolean)
TO PUBLIC;

GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA smarthg TO smarthg_admin;
GRANT USAGE, SELECT, UPDATE ON SEQUENCE id_sequence TO smarthg_admin;
GRANT EXECUTE ON ALL ROUTINES IN SCHEMA smarthg TO smarthg_admin;

-- The bridge touches no table: only these functions, which run as their owner.
GRANT EXECUTE ON FUNCTION
	bridge_gateways(), bridge_journal(text[], bigint[], bigint[], boolean[], bigint[], text[]), bridge_security_event(bytea, text, text, text),
	bridge_ingest_batch(bytea), bridge_ingest(bigint[], bigint[], timestamptz[], timestamptz[], smallint[], bytea[], bytea[], text[], integer[], bytea[], smallint[], text[], text[], bigint[], bigint[], bigint[], timestamptz[], bytea[]),
	bridge_mbus_layouts(), bridge_mbus_layout(bigint, integer, bytea, boolean), bridge_meter_keys(), bridge_meter_counters(), bridge_keep_meter_counters(bytea[], smallint[], bigint[], bigint[], bigint[], bigint[]), bridge_quarantine(bigint, integer), bridge_decoded(bigint, text, bytea, jsonb),
	bridge_commands(integer, interval), bridge_command_state(bigint, text, text), refresh_interval_energy()
TO smarthg_bridge;

-- Private keys, though wrapped, and what makes a token good are for functions alone.
REVOKE ALL ON token_key, issued_token FROM smarthg_admin;
GRANT SELECT (kid, use, algorithm, public_jwk, state, valid_from, valid_until) ON token_key TO smarthg_admin;
GRANT SELECT ON issued_token TO smarthg_admin;
REVOKE EXECUTE ON FUNCTION token_seal(text, text, text, text, timestamptz, timestamptz, timestamptz), token_key_generate(text) FROM smarthg_admin;

-- Scopes are pure, and who asks for the identity asks for his own.
GRANT EXECUTE ON FUNCTION
	scope_check(text), scope_explain(text), scope_covers(text, text), scope_narrow(text, text), scope_to_green_button(text, interval), scope_from_green_button(text),
	jwk_check(jsonb), jwk_from_pem(text), jws_verify(text, jsonb), current_token(), token_allows(text, text, text), token_finest(text), token_top(text)
TO PUBLIC;
GRANT EXECUTE ON FUNCTION granularity_length(text), granularity_of(interval), meter_resource(meter_kind, meter_role), subject_of(text) TO PUBLIC;

-- What a service needs to be let in, and what policies and views call in its name.
GRANT EXECUTE ON FUNCTION
	authenticate(text, boolean), logout(), jwks(), settings(), token_homes(), token_homes(text, text), token_slot_length(text), token_history_from(), token_first_day(), token_first_local_day(), token_today(),
	token_registers(text), token_meters(), token_of_operator(text, text), token_services(), token_own_service(), token_feeder_energy(bigint, text, timestamptz, timestamptz)
TO smarthg_service;
GRANT EXECUTE ON FUNCTION feeder_energy(bigint, text, timestamptz, timestamptz) TO smarthg_analyst;

-- The market's front end: what people and services may do who have proved who they are.
GRANT EXECUTE ON FUNCTION
	sign_up(text, text, text, text, text, text), log_in(text, text), log_out(text), change_password(text, text, text),
	ask_password_reset(text), reset_password(text, text), my_account(text), set_address(text, text, text, text), my_homes(text),
	delete_account(text, text),
	register_service(text, text, text, text, text, jsonb, text[], text[], text, text), renew_client_secret(text, text), my_services(text),
	change_service(text, text, text, text, text, text, jsonb, text[], text[], text, text),
	list_services(text, text), subscribe(text, text, boolean), unsubscribe(text, text), take_notifications(integer), notification_delivered(bigint),
	request_access(text, text), open_requests(text), delegate(text, uuid, text, interval, bigint[], timestamptz), deny_access(text, uuid),
	my_consents(text), withdraw_consent(text, bigint), my_access_log(text, timestamptz, timestamptz),
	oauth_authorize(text, text, text, text, interval, bigint[], timestamptz), oauth_token(text, text), oauth_introspect(text, text),
	oauth_revoke(text, text), oauth_metadata(), oauth_jwks()
TO smarthg_market;
GRANT EXECUTE ON FUNCTION bridge_report(text, jsonb), bridge_stopped(text) TO smarthg_bridge;
GRANT EXECUTE ON FUNCTION bridge_sms_pending(integer), bridge_sms_state(bigint, text, integer, text), bridge_sms_report(integer, boolean),
	bridge_sms_received(text, text, timestamptz) TO smarthg_bridge;
GRANT EXECUTE ON FUNCTION bridge_mirror_requests(integer), bridge_mirror_state(bigint, text, text) TO smarthg_bridge;
GRANT EXECUTE ON FUNCTION bridge_tunnel_key(text, text), bridge_tunnel_ports(), bridge_tunnels_seen(integer[]) TO smarthg_bridge;
