-- Who may do what. Functions are executable by PUBLIC unless taken away, so they are: pure
-- functions that read no table stay open.

GRANT USAGE ON SCHEMA smarthg TO smarthg_admin, smarthg_service, smarthg_bridge, smarthg_analyst;

REVOKE EXECUTE ON ALL ROUTINES IN SCHEMA smarthg FROM PUBLIC;
GRANT EXECUTE ON FUNCTION
	slot_start(timestamptz, interval), register_direction(text), is_eui64(bytea), is_time_zone(text),
	interval_energy_series(timestamptz[], bigint[], integer[], float8[], bigint[], timestamptz, timestamptz, interval, interval, interval, float8),
	reading_pack_step(internal, timestamptz, bigint, timestamptz, bigint, bigint, tid), reading_pack_end(internal),
	reading_pack(timestamptz, bigint, timestamptz, bigint, bigint, tid), reading_merge(bytea, bytea), reading_unpack(bytea), reading_without(bytea, timestamptz, timestamptz),
	reading_later(bytea, timestamptz, timestamptz),
	interval_energy_days(bytea[], timestamptz[], float8[], bigint[], timestamptz, timestamptz, interval, interval, interval, float8),
	slot_means(timestamptz[], float8[], float8[], timestamptz, integer, interval), local_phases(timestamptz, integer, interval, text), eumf_k_series(float8[], integer[], integer[], integer),
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
	bridge_gateways(), bridge_session_open(bigint, bigint, text, boolean, boolean), bridge_session_close(bigint, bigint, text),
	bridge_presence(bigint, boolean, timestamptz, text), bridge_security_event(bytea, text, text, text),
	bridge_ingest(bigint[], bigint[], timestamptz[], timestamptz[], smallint[], bytea[], bytea[], text[], integer[], bytea[], smallint[], text[], text[], bigint[], bigint[], bigint[], timestamptz[]),
	bridge_commands(integer, interval), bridge_command_state(bigint, text, text), refresh_interval_energy()
TO smarthg_bridge;
