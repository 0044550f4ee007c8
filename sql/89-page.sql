-- The pages of EUR-H and of the DSO: psql -XAtqc "SELECT smarthg.eurh_page(1, '2026-01-01', '2026-02-01')" > home.html

CREATE FUNCTION page_range(from_at timestamptz, until_at timestamptz) RETURNS void
LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE SET search_path = smarthg, pg_temp AS $$
BEGIN
	IF from_at IS NULL OR until_at IS NULL OR NOT isfinite(from_at) OR NOT isfinite(until_at) OR until_at <= from_at OR until_at > from_at + interval '10 years' THEN
		RAISE invalid_parameter_value USING MESSAGE = format('a page from %s to %s is not possible', from_at, until_at), HINT = 'Give two times, the later one second, at most ten years apart.';
	END IF;
END $$;
COMMENT ON FUNCTION page_range(timestamptz, timestamptz) IS 'Refuses a range that no page can show (22023)';

CREATE FUNCTION usage_chart(hours usage_hour[], time_zone text, from_at timestamptz, until_at timestamptz, period text) RETURNS text
LANGUAGE sql STABLE STRICT PARALLEL SAFE SET search_path = smarthg, pg_temp AS $$
	WITH shown AS (
		SELECT to_char(u.period_start AT TIME ZONE time_zone, CASE period WHEN 'hour' THEN 'DD Mon HH24:MI' WHEN 'month' THEN 'Mon YYYY' WHEN 'year' THEN 'YYYY' ELSE 'DD Mon' END) AS label, u.*
		FROM usage_against_past_of(hours, time_zone, from_at, until_at, period) AS u
	)
	SELECT svg_chart('use-' || period, 'Electricity by ' || period, 'kWh', array_agg(label ORDER BY period_start),
			ARRAY['used', CASE WHEN period IN ('hour', 'day') THEN 'a week before' WHEN period = 'week' THEN '52 weeks before' ELSE 'a year before' END], '{bar,line}',
			ARRAY[array_agg(use_kwh ORDER BY period_start), array_agg(past_use_kwh ORDER BY period_start)])
		|| CASE WHEN period = 'hour' THEN '' ELSE svg_chart('cost-' || period, 'Cost by ' || period, 'EUR', array_agg(label ORDER BY period_start), '{cost}', '{bar}', ARRAY[array_agg(cost_eur ORDER BY period_start)]) END
	FROM shown HAVING count(*) > 0
$$;
COMMENT ON FUNCTION usage_chart(usage_hour[], text, timestamptz, timestamptz, text) IS 'Use beside the home''s own past, and cost, by period, as charts of a page';

CREATE FUNCTION eurh_page(home_id bigint, from_at timestamptz, until_at timestamptz) RETURNS text
LANGUAGE plpgsql STABLE PARALLEL SAFE COST 1000000 SET search_path = smarthg, pg_temp AS $$
#variable_conflict use_column
DECLARE
	h record;
	s record;
	past record;
	other record;
	all_hours usage_hour[];
	hours usage_hour[];
	since timestamptz;
	days float8;
	covered_percent float8;
	body text;
	span text;
	one text;
BEGIN
	PERFORM page_range(from_at, until_at);
	SELECT * INTO h FROM home WHERE home.home_id = eurh_page.home_id;
	IF NOT FOUND THEN
		RAISE undefined_object USING MESSAGE = format('home %s does not exist', coalesce(eurh_page.home_id::text, 'null'));
	END IF;
	days := extract(epoch FROM until_at - from_at) / 86400;
	span := format('%s to %s, %s', to_char(from_at AT TIME ZONE h.time_zone, 'DD Mon YYYY HH24:MI'), to_char(until_at AT TIME ZONE h.time_zone, 'DD Mon YYYY HH24:MI'), h.time_zone);
	-- Read once, as far back as periods are compared with their past.
	since := date_trunc('hour', from_at, 'UTC');
	all_hours := usage_hours(eurh_page.home_id, least(from_at - (until_at - from_at), usage_past_start(from_at, h.time_zone, CASE WHEN days > 31 THEN 'year' ELSE 'week' END)), until_at);
	SELECT array_agg(u) INTO hours FROM unnest(all_hours) AS u WHERE u.slot_start >= since;
	SELECT * INTO s FROM usage_summary_of(coalesce(hours, '{}'), h.time_zone);
	covered_percent := 100 * s.covered_hours / (24 * days);
	SELECT sum(u.use_kwh) / nullif(sum(u.covered_hours), 0) AS kw, 100 * sum(u.covered_hours) / (24 * days) AS percent INTO past FROM unnest(all_hours) AS u WHERE u.slot_start >= since - (until_at - from_at) AND u.slot_start < since;
	SELECT * INTO other FROM usage_similar(eurh_page.home_id, from_at, until_at);
	IF s.covered_hours = 0 THEN
		RETURN html_page('Electricity of ' || h.name, span, '<p class="none">No readings of this home are known in this time.</p>');
	END IF;
	body := html_facts(
		ARRAY['Electricity used', 'Cost', 'CO₂ of what was drawn', 'Always on (base load)', 'Highest hour', 'Against the time before', 'Against similar homes', 'Drawn from the grid', 'Produced', 'Fed into the grid', 'Into the vehicle'],
		ARRAY[html_number(s.use_kwh) || ' kWh', html_number(s.cost_eur, 2) || ' EUR', html_number(s.co2_kg) || ' kg', html_number(1000 * s.base_load_kw, 0) || ' W', html_number(s.peak_kw, 2) || ' kW',
			CASE WHEN past.percent > 80 THEN html_number(100 * (s.use_kwh / s.covered_hours / nullif(past.kw, 0) - 1), 0) || ' %' END,
			CASE WHEN other.homes IS NOT NULL THEN html_number(100 * (other.own_kwh_per_day / nullif(other.similar_kwh_per_day, 0) - 1), 0) || ' %' END,
			html_number(s.import_kwh) || ' kWh', html_number(s.production_kwh) || ' kWh', html_number(s.export_kwh) || ' kWh', html_number(s.pev_kwh) || ' kWh'],
		ARRAY[html_number(24 * s.use_kwh / s.covered_hours) || ' kWh a day', html_number(s.mean_price_eur_per_kwh, 3) || ' EUR/kWh on average', NULL,
			html_number(s.standby_percent, 0) || ' % of all, ' || html_number(s.standby_eur, 2) || ' EUR', to_char(s.peak_at AT TIME ZONE h.time_zone, 'DD Mon HH24:MI') || ', ' || html_number(s.load_factor, 2) || ' of it on average',
			CASE WHEN past.percent > 80 THEN 'the ' || html_number(days, 0) || ' days before' ELSE 'not known' END,
			CASE WHEN other.homes IS NOT NULL THEN format('%s homes alike in %s; less than %s %% of them', other.homes, other.alike, other.uses_less_than_percent) ELSE 'fewer than 5 are known' END, NULL, NULL, NULL, NULL]);
	IF covered_percent < 99.5 THEN
		body := body || '<p><strong>' || html_number(covered_percent) || ' %</strong> of this time is known; sums are of what is known.</p>';
	END IF;
	body := body || '<section><h2>Over time</h2>';
	FOREACH one IN ARRAY ARRAY['year', 'month', 'week', 'day'] LOOP
		IF (days > CASE one WHEN 'year' THEN 366 WHEN 'month' THEN 31 WHEN 'week' THEN 14 ELSE 1 END AND days <= CASE one WHEN 'day' THEN 93 WHEN 'week' THEN 750 ELSE 3660 END) THEN
			body := body || coalesce(usage_chart(all_hours, h.time_zone, from_at, until_at, one), '');
		END IF;
	END LOOP;
	body := body || coalesce(usage_chart(all_hours, h.time_zone, greatest(from_at, until_at - interval '3 days'), until_at, 'hour'), '') || '</section>';
	SELECT body || '<section><h2>A mean day</h2>' || coalesce(svg_chart('profile', 'Power by hour of the day', 'kW', array_agg(lpad(p.local_hour::text, 2, '0') || ':00' ORDER BY p.local_hour), '{weekdays,weekends}', '{line,line}',
			ARRAY[array_agg(p.weekday_kw ORDER BY p.local_hour), array_agg(p.weekend_kw ORDER BY p.local_hour)]), '<p class="none">No hour is known entirely.</p>')
			|| CASE WHEN count(p.import_eur_per_kwh) > 0 THEN svg_chart('price', 'Mean price by hour of the day', 'EUR/kWh', array_agg(lpad(p.local_hour::text, 2, '0') || ':00' ORDER BY p.local_hour), '{price}', '{bar}',
				ARRAY[array_agg(p.import_eur_per_kwh ORDER BY p.local_hour)], 3) ELSE '' END || '</section>'
		INTO body FROM usage_profile_of(hours, h.time_zone) AS p;
	SELECT body || CASE WHEN count(*) > 1 THEN '<section><h2>Appliances</h2>' || html_table(ARRAY['', 'kWh', 'share, %', 'standby, W', 'standby, kWh'],
			array_agg(ARRAY[a.name, html_number(a.use_kwh), html_number(a.share_percent, 0), html_number(1000 * a.standby_kw, 0), html_number(a.standby_kwh)] ORDER BY a.name = 'everything else', a.use_kwh DESC))
			|| svg_chart('appliances', 'Shares of what was used', '%', array_agg(a.name ORDER BY a.name = 'everything else', a.use_kwh DESC), '{share}', '{bar}',
				ARRAY[array_agg(a.share_percent ORDER BY a.name = 'everything else', a.use_kwh DESC)], 0) || '</section>'
			ELSE '' END
		INTO body FROM usage_appliances(eurh_page.home_id, from_at, until_at, s.use_kwh) AS a;
	RETURN html_page('Electricity of ' || h.name, span, body);
END $$;
COMMENT ON FUNCTION eurh_page(bigint, timestamptz, timestamptz) IS
'EUR-H: a home''s usage over a time as one self-contained HTML page: facts, charts by period beside its past, a mean day, similar homes, appliances and standby. Write it with psql -XAtqc. Errors: unknown home (42704), a range that is none or longer than ten years (22023) (document section 2.3)';

CREATE FUNCTION feeder_page(feeder_id bigint, from_at timestamptz, until_at timestamptz, with_savings boolean DEFAULT true) RETURNS text
LANGUAGE plpgsql STABLE COST 1000000 SET search_path = smarthg, pg_temp AS $$
#variable_conflict use_column
DECLARE
	f record;
	q record;
	l record;
	homes bigint[];
	body text;
	part text;
	missing text[] := '{}';
BEGIN
	PERFORM page_range(from_at, until_at);
	SELECT f.name, f.limit_kw, s.name AS substation, s.limit_kw AS substation_limit_kw INTO f FROM feeder f JOIN substation s USING (substation_id) WHERE f.feeder_id = feeder_page.feeder_id;
	IF NOT FOUND THEN
		RAISE undefined_object USING MESSAGE = format('feeder %s does not exist', coalesce(feeder_page.feeder_id::text, 'null'));
	END IF;
	SELECT array_agg(h.home_id ORDER BY h.home_id) INTO homes FROM home h WHERE h.feeder_id = feeder_page.feeder_id
		AND (EXISTS (SELECT FROM ess e WHERE e.home_id = h.home_id) OR EXISTS (SELECT FROM pev p WHERE p.home_id = h.home_id));
	SELECT * INTO q FROM feeder_state(feeder_page.feeder_id, from_at, until_at);
	SELECT count(*) FILTER (WHERE o.homes > 0) AS hours, max(o.without_ess_kw) AS before, max(o.grid_kw) AS after, sum(o.above_without_ess_kwh) AS above_before, sum(o.above_kwh) AS above_after,
			count(*) FILTER (WHERE o.without_ess_kw > f.limit_kw) AS over_before, count(*) FILTER (WHERE o.grid_kw > f.limit_kw) AS over_after,
			count(*) FILTER (WHERE o.without_ess_kw > f.substation_limit_kw) AS substation_before, count(*) FILTER (WHERE o.grid_kw > f.substation_limit_kw) AS substation_after, count(o.profile_high_kw) AS with_profile
		INTO l FROM feeder_load(feeder_page.feeder_id, from_at, until_at) AS o;
	body := html_facts(
		ARRAY['Homes', 'Gateways online', 'Time known', 'Highest load, without batteries', 'Highest load, measured', 'Above the homes'' tubes', 'Hours above the feeder''s limit', 'Hours above the substation''s limit', 'Commands acknowledged'],
		ARRAY[q.homes::text, format('%s of %s', q.gateways_online, q.gateways), html_number(q.known_percent) || ' %', html_number(l.before) || ' kW', html_number(l.after) || ' kW',
			CASE WHEN l.with_profile > 0 THEN html_number(l.above_after) || ' kWh' END, CASE WHEN f.limit_kw IS NOT NULL THEN l.over_after::text END,
			CASE WHEN f.substation_limit_kw IS NOT NULL THEN l.substation_after::text END, format('%s of %s', q.commands_acknowledged, q.commands)],
		ARRAY[cardinality(homes) || ' with battery or vehicle', NULL, html_number(q.estimated_percent) || ' % of hours estimated, ' || q.quarantined || ' records in quarantine', NULL, NULL,
			CASE WHEN l.with_profile > 0 THEN html_number(abs(l.above_before - l.above_after)) || CASE WHEN l.above_before >= l.above_after THEN ' kWh avoided' ELSE ' kWh more than without' END ELSE 'no power profiles' END,
			CASE WHEN f.limit_kw IS NOT NULL THEN format('limit %s kW; %s avoided', html_number(f.limit_kw, 0), l.over_before - l.over_after) ELSE 'no limit stated' END,
			CASE WHEN f.substation_limit_kw IS NOT NULL THEN format('limit %s kW, this feeder alone; %s avoided', html_number(f.substation_limit_kw, 0), l.substation_before - l.substation_after) ELSE 'no limit stated' END,
			q.fallbacks || ' from fallback plans']);
	-- Up to two weeks by hour, longer by the day's highest hour.
	WITH o AS (
		SELECT o.*, CASE WHEN until_at - from_at <= interval '14 days' THEN o.slot_start ELSE date_trunc('day', o.slot_start, 'UTC') END AS label_at FROM feeder_load(feeder_page.feeder_id, from_at, until_at) AS o
	), g AS (
		SELECT o.label_at, max(o.without_ess_kw) AS before, max(o.grid_kw) AS after, max(o.planned_kw) AS planned, max(o.profile_high_kw) AS high FROM o GROUP BY 1
	)
	SELECT svg_chart('load', CASE WHEN until_at - from_at <= interval '14 days' THEN 'Load by hour (UTC)' ELSE 'Highest hour of each day (UTC)' END, 'kW',
			array_agg(to_char(g.label_at AT TIME ZONE 'UTC', CASE WHEN until_at - from_at <= interval '14 days' THEN 'DD Mon HH24:MI' ELSE 'DD Mon' END) ORDER BY g.label_at),
			'{measured,without batteries,planned by EBR,upper edge of the tube,limit of the feeder,limit of the substation}', '{line,line,line,line,line,line}',
			ARRAY[array_agg(g.after ORDER BY g.label_at), array_agg(g.before ORDER BY g.label_at), array_agg(g.planned ORDER BY g.label_at), array_agg(g.high ORDER BY g.label_at),
				array_agg(f.limit_kw ORDER BY g.label_at), array_agg(f.substation_limit_kw ORDER BY g.label_at)])
		INTO part FROM g HAVING count(*) > 0;
	body := body || '<section><h2>Load before and after EBR</h2>' || coalesce(part, '<p class="none">No load of this feeder is known in this time.</p>')
		|| '<p>“Without batteries” is what was measured less what batteries with a meter of their own took and gave; vehicles are in it as they charged.</p></section>';
	IF NOT with_savings OR homes IS NULL OR l.hours = 0 THEN
		missing := missing || ('savings: ' || CASE WHEN NOT with_savings THEN 'not asked for' WHEN homes IS NULL THEN 'no home has a battery or vehicle' ELSE 'no load is known' END);
	ELSE
		SELECT '<section><h2>Savings</h2>' || html_table(ARRAY['', 'energy, EUR', 'CO₂, EUR', 'distribution, EUR', 'missed by vehicles, EUR', 'left in batteries, EUR', 'cost, EUR', 'saving, EUR', '% of perfect foresight'],
				array_agg(ARRAY[r.way, html_number(r.energy_eur, 2), html_number(r.co2_eur, 2), html_number(r.distribution_eur, 2), html_number(r.missed_eur, 2), html_number(r.left_eur, 2), html_number(r.cost_eur, 2),
					html_number(r.saving_eur, 2), html_number(r.saving_percent, 0)] ORDER BY r.n) FILTER (WHERE r.error IS NULL AND r.home_id IS NULL))
				|| coalesce('<p>Left out: ' || html_text(string_agg(format('home %s (%s)', r.home_id, r.error), ', ') FILTER (WHERE r.error IS NOT NULL)) || '.</p>', '') || '</section>'
			INTO part FROM savings_report(date_trunc('hour', from_at, 'UTC'), date_trunc('hour', until_at, 'UTC'), homes) WITH ORDINALITY
				AS r(home_id, way, energy_eur, co2_eur, distribution_eur, missed_eur, left_eur, cost_eur, saving_eur, saving_percent, slots_billed, slots_skipped, error, n);
		body := body || coalesce(part, '');
	END IF;
	SELECT '<section><h2>Accuracy of forecasts</h2>' || html_table(ARRAY['hours ahead', 'slots', 'mean, kW', 'mean absolute error, kW', 'bias, kW', 'error of the week before, kW'],
			array_agg(ARRAY[format('%s to %s', a.lead_from, a.lead_until), a.slots::text, html_number(a.mean_kw, 3), html_number(a.mae_kw, 3), html_number(a.bias_kw, 3), html_number(a.week_before_mae_kw, 3)] ORDER BY a.lead_from))
			|| '<p>Demand of single homes by hour, as plans expected it.</p></section>'
		INTO part FROM feeder_forecast(feeder_page.feeder_id, from_at, until_at) AS a HAVING count(*) > 0;
	IF part IS NULL THEN
		missing := missing || 'accuracy of forecasts: no hourly plan was made whose slots are measured'::text;
	END IF;
	body := body || coalesce(part, '');
	IF missing <> '{}' THEN
		body := body || '<section><h2>Not shown</h2><ul>' || (SELECT string_agg('<li>' || html_text(m) || '</li>', '') FROM unnest(missing) AS m) || '</ul></section>';
	END IF;
	RETURN html_page(format('Feeder %s of %s', f.name, f.substation), format('%s to %s, UTC', to_char(from_at AT TIME ZONE 'UTC', 'DD Mon YYYY HH24:MI'), to_char(until_at AT TIME ZONE 'UTC', 'DD Mon YYYY HH24:MI')), body);
END $$;
COMMENT ON FUNCTION feeder_page(bigint, timestamptz, timestamptz, boolean) IS
'The DSO''s page of a feeder as one self-contained HTML page: load before and after EBR against tube and limits, violations avoided, savings in parts (savings_report; with_savings => false leaves them out: replaying takes longer than all else), gateways online, data quality, accuracy of forecasts; what has no data is named. Errors: unknown feeder (42704), a range that is none or longer than ten years (22023) (document section 2.3)';
