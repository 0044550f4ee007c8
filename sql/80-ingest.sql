-- The quick way of the bridge's batches into the landing table (DESIGN.md section 7).

-- What backends keep of registers, and so must hear of. New meters and registers are not: nothing is
-- kept of what is not there, so that a fleet that grows does not make them forget all the time. A row
-- each, so that statements that change nothing (scales said again) are not heard, and those that
-- replication applies are.
CREATE TRIGGER register_kept_changed AFTER DELETE OR UPDATE OF register_id, meter_id, obis, unit ON register
	FOR EACH ROW EXECUTE FUNCTION table_changed();
CREATE TRIGGER meter_kept_changed AFTER DELETE OR UPDATE OF meter_id, gateway_id, device_address, endpoint, commodity, default_unit, default_bcd ON meter
	FOR EACH ROW EXECUTE FUNCTION table_changed();
CREATE TRIGGER epoch_kept_changed AFTER DELETE OR UPDATE ON register_epoch
	FOR EACH ROW EXECUTE FUNCTION table_changed();
CREATE TRIGGER epoch_kept_begins AFTER INSERT ON register_epoch
	FOR EACH ROW WHEN (NEW.valid_from <> '-infinity') EXECUTE FUNCTION table_changed();
CREATE TRIGGER installation_kept_changed AFTER INSERT OR DELETE OR UPDATE ON installation
	FOR EACH ROW EXECUTE FUNCTION table_changed();
CREATE TRIGGER register_kept_emptied AFTER TRUNCATE ON register FOR EACH STATEMENT EXECUTE FUNCTION table_changed();
CREATE TRIGGER meter_kept_emptied AFTER TRUNCATE ON meter FOR EACH STATEMENT EXECUTE FUNCTION table_changed();
CREATE TRIGGER epoch_kept_emptied AFTER TRUNCATE ON register_epoch FOR EACH STATEMENT EXECUTE FUNCTION table_changed();
CREATE TRIGGER installation_kept_emptied AFTER TRUNCATE ON installation FOR EACH STATEMENT EXECUTE FUNCTION table_changed();
-- Also where session_replication_role keeps triggers quiet.
ALTER TABLE register ENABLE ALWAYS TRIGGER register_kept_changed, ENABLE ALWAYS TRIGGER register_kept_emptied;
ALTER TABLE meter ENABLE ALWAYS TRIGGER meter_kept_changed, ENABLE ALWAYS TRIGGER meter_kept_emptied;
ALTER TABLE register_epoch ENABLE ALWAYS TRIGGER epoch_kept_changed, ENABLE ALWAYS TRIGGER epoch_kept_begins, ENABLE ALWAYS TRIGGER epoch_kept_emptied;
ALTER TABLE installation ENABLE ALWAYS TRIGGER installation_kept_changed, ENABLE ALWAYS TRIGGER installation_kept_emptied;

CREATE FUNCTION bridge_ingest_batch(batch bytea) RETURNS TABLE (gateway_id bigint, committed_record_no bigint)
LANGUAGE c VOLATILE STRICT SECURITY DEFINER SET search_path = smarthg, pg_temp SET lock_timeout = '30s' AS 'MODULE_PATHNAME', 'smarthg_bridge_ingest_batch';
COMMENT ON FUNCTION bridge_ingest_batch(bytea) IS
'For the bridge: the same as bridge_ingest of records and readings in one string of bytes (extension/core/ingest/incoming_batch.h), several times as quick for readings of known registers in records that follow one another. Errors: 22023 where it is not a batch; 40001 where another session stores records of the same gateway or changes its meters, 55P03 as bridge_ingest, after which the bridge calls again';
