-- Scopes of access tokens: what a service may do (DESIGN.md section 8, grammar in the README).

CREATE FUNCTION scope_check(scope text) RETURNS text
LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'smarthg_scope_check';
COMMENT ON FUNCTION scope_check(text) IS 'The normal form of a scope: each grant once, the finest granularity of it, in a fixed order. Errors: a scope-token without sense, 22023, with the reason';

CREATE FUNCTION scope_explain(scope text) RETURNS text
LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'smarthg_scope_explain';
COMMENT ON FUNCTION scope_explain(text) IS 'What a scope means in a resident''s words: a sentence for each grant, one a line. Errors: as of scope_check';

CREATE FUNCTION scope_covers(granted text, asked text) RETURNS boolean
LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'smarthg_scope_covers';
COMMENT ON FUNCTION scope_covers(text, text) IS 'Whether the granted scope includes all of what is asked; a finer granularity includes the coarser ones, all meters include the largest. Errors: as of scope_check';

CREATE FUNCTION scope_narrow(asked text, allowed text) RETURNS text
LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'smarthg_scope_narrow';
COMMENT ON FUNCTION scope_narrow(text, text) IS 'What is asked as far as it is allowed, in normal form: coarser, of fewer meters, or left out where that is what is allowed; null where nothing is left. Errors: as of scope_check';

CREATE FUNCTION scope_to_green_button(scope text, history interval DEFAULT NULL) RETURNS text
LANGUAGE c IMMUTABLE PARALLEL SAFE AS 'MODULE_PATHNAME', 'smarthg_scope_to_green_button';
COMMENT ON FUNCTION scope_to_green_button(text, interval) IS 'The scope as Green Button (NAESB ESPI) writes it, such as FB=4_5;IntervalDuration=3600;HistoryLength=94608000: lengths in seconds, history the time that it reaches back, null for no limit. Errors: a grant that Green Button cannot say, 22023';

CREATE FUNCTION scope_from_green_button(green_button text, OUT scope text, OUT history interval) RETURNS record
LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'smarthg_scope_from_green_button';
COMMENT ON FUNCTION scope_from_green_button(text) IS 'The scope, in normal form, and the history that a Green Button scope string means: function blocks 4 and 5 the main meter, 8 production, 15 the main meter by months, 18 sub-meters; blocks about the exchange itself grant nothing. Errors: malformed, or a block without a counterpart, 22023';
