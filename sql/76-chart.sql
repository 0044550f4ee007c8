-- Self-contained HTML pages with charts in inline SVG: no network, no script, readable by screen
-- readers (every chart has its numbers as a table), on a phone, in the dark and on paper.

CREATE FUNCTION html_text(value text) RETURNS text
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
RETURN replace(replace(replace(replace(replace(value, '&', '&amp;'), '<', '&lt;'), '>', '&gt;'), '"', '&quot;'), '''', '&#39;');
COMMENT ON FUNCTION html_text(text) IS 'A text as it may stand in HTML, in an attribute, too';

CREATE FUNCTION html_number(value float8, digits integer DEFAULT 1) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN CASE WHEN value IS NULL OR value = 'NaN' OR abs(value) > 1e15 THEN '–' ELSE replace(round(value::numeric, digits)::text, '-', '−') END;
COMMENT ON FUNCTION html_number(float8, integer) IS 'A number with so many digits after the point; a dash where it is not known';

CREATE FUNCTION html_table(headings text[], cells text[]) RETURNS text
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE SET search_path = smarthg, pg_temp AS $$
	SELECT '<div class="scroll" tabindex="0" role="group" aria-label="table"><table><thead><tr>' || (SELECT string_agg('<th scope="col">' || html_text(h) || '</th>', '' ORDER BY n) FROM unnest(headings) WITH ORDINALITY AS u(h, n))
		|| '</tr></thead><tbody>' || coalesce((SELECT string_agg('<tr><th scope="row">' || html_text(coalesce(cells[r][1], '')) || '</th>'
			|| coalesce((SELECT string_agg('<td>' || html_text(coalesce(cells[r][c], '')) || '</td>', '' ORDER BY c) FROM generate_series(2, array_length(cells, 2)) AS c), '') || '</tr>', '' ORDER BY r)
			FROM generate_series(1, array_length(cells, 1)) AS r), '') || '</tbody></table></div>'
$$;
COMMENT ON FUNCTION html_table(text[], text[]) IS 'A table of a row of headings and rows of cells (two-dimensional), the first of each being the row''s heading';

CREATE FUNCTION html_facts(names text[], facts text[], notes text[]) RETURNS text
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE SET search_path = smarthg, pg_temp AS $$
	SELECT '<dl class="facts">' || string_agg('<div><dt>' || html_text(name) || '</dt><dd>' || html_text(coalesce(fact, '–')) || coalesce(' <small>' || html_text(note) || '</small>', '') || '</dd></div>', '' ORDER BY n) || '</dl>'
	FROM unnest(names, facts, notes) WITH ORDINALITY AS u(name, fact, note, n)
$$;
COMMENT ON FUNCTION html_facts(text[], text[], text[]) IS 'Named facts, each with a note or none, as tiles';

CREATE FUNCTION svg_chart(chart_id text, title text, unit text, labels text[], names text[], kinds text[], series float8[], digits integer DEFAULT 2) RETURNS text
LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE SET search_path = smarthg, pg_temp AS $$
DECLARE
	wide CONSTANT float8 := 720;
	high CONSTANT float8 := 300;
	left_edge CONSTANT float8 := 78;
	top CONSTANT float8 := 14;
	bottom CONSTANT float8 := 262;
	slots integer := cardinality(labels);
	band float8 := (wide - left_edge - 8) / greatest(cardinality(labels), 1);
	bars integer := (SELECT count(*) FROM unnest(kinds) AS k WHERE k = 'bar');
	-- As many labels as there is room for.
	every integer := greatest(ceil(cardinality(labels) * (20 + 8 * (SELECT max(length(l)) FROM unnest(labels) AS l)) / (wide - left_edge))::integer, 1);
	shown integer[] := (SELECT array_agg(n ORDER BY n) FROM generate_series(1, array_length(series, 1)) AS n WHERE EXISTS (SELECT FROM generate_series(1, array_length(series, 2)) AS t WHERE abs(series[n][t]) < 1e15));
	lowest float8;
	highest float8;
	step float8;
	svg text := '';
	bar_no integer := 0;
	s integer;
	id text := html_text(chart_id);
BEGIN
	SELECT least(min(v), 0), greatest(max(v), 0) INTO lowest, highest FROM unnest(series) AS v WHERE abs(v) < 1e15;
	IF shown IS NULL OR slots = 0 THEN
		RETURN '<figure><figcaption><h3>' || html_text(title) || '</h3></figcaption><p class="none">Nothing is known here.</p></figure>';
	END IF;
	step := 10 ^ floor(log(greatest(highest - lowest, 1e-6) / 4));
	step := step * (SELECT min(m) FROM unnest('{1,2,5,10}'::float8[]) AS m WHERE m * step * 4.5 >= greatest(highest - lowest, 1e-6));
	lowest := floor(lowest / step) * step;
	highest := greatest(ceil(highest / step), lowest / step + 1) * step;
	-- Lines of the scale, then bars and lines, then the labels of slots.
	SELECT svg || string_agg(format('<path class="grid%s" d="M%s,%s H%s"/><text x="%s" y="%s" text-anchor="end">%s</text>', CASE WHEN abs(k * step) < step / 2 THEN ' zero' ELSE '' END,
			left_edge, y.y, wide - 8, left_edge - 6, y.y + 4, trim_scale(round((k * step)::numeric, 6))), '') INTO svg
		FROM generate_series(round(lowest / step)::integer, round(highest / step)::integer) AS k, LATERAL (SELECT round((bottom - (k * step - lowest) / (highest - lowest) * (bottom - top))::numeric, 1) AS y) AS y;
	FOREACH s IN ARRAY shown LOOP
		IF kinds[s] = 'bar' THEN
			SELECT svg || coalesce(string_agg(format('<rect class="s%s" x="%s" y="%s" width="%s" height="%s"><title>%s: %s %s</title></rect>', s,
					round((left_edge + (t - 1) * band + band * (0.1 + 0.8 * bar_no / bars))::numeric, 1), round(least(p.y, p.zero)::numeric, 1), round(greatest(band * 0.8 / bars - 0.5, 0.4)::numeric, 1),
					round(abs(p.y - p.zero)::numeric, 1), html_text(coalesce(labels[t], '')), html_number(series[s][t], digits), html_text(unit)), '' ORDER BY t), '') INTO svg
				FROM generate_series(1, slots) AS t, LATERAL (SELECT bottom - (series[s][t] - lowest) / (highest - lowest) * (bottom - top) AS y, bottom - (0 - lowest) / (highest - lowest) * (bottom - top) AS zero) AS p
				WHERE abs(series[s][t]) < 1e15;
			bar_no := bar_no + 1;
		ELSE
			-- A gap lifts the pen; a value between two gaps is a dot.
			SELECT svg || coalesce(format('<path class="line s%s" d="%s"/>', s, string_agg(format('%s%s,%s%s', CASE WHEN abs(series[s][t - 1]) < 1e15 THEN 'L' ELSE 'M' END,
					round((left_edge + (t - 0.5) * band)::numeric, 1), round((bottom - (series[s][t] - lowest) / (highest - lowest) * (bottom - top))::numeric, 1),
					CASE WHEN abs(series[s][t - 1]) < 1e15 THEN '' ELSE 'h.1' END), ' ' ORDER BY t)), '') INTO svg
				FROM generate_series(1, slots) AS t WHERE abs(series[s][t]) < 1e15;
		END IF;
	END LOOP;
	SELECT svg || string_agg(format('<text x="%s" y="%s" text-anchor="middle"%s>%s</text>', round((left_edge + (t - 0.5) * band)::numeric, 1), bottom + 24,
			CASE WHEN (t - 1) / every % 2 = 1 THEN ' class="odd"' ELSE '' END, html_text(coalesce(labels[t], ''))), '' ORDER BY t) INTO svg
		FROM generate_series(1, slots, every) AS t;
	RETURN format('<figure><figcaption><h3 id="%s">%s <span class="unit">(%s)</span></h3></figcaption><svg viewBox="0 0 %s %s" role="img" aria-labelledby="%s">%s</svg>', id, html_text(title), html_text(unit), wide, high, id, svg)
		|| '<ul class="legend">' || (SELECT string_agg(format('<li><svg viewBox="0 0 24 12" aria-hidden="true">%s</svg>%s</li>',
			CASE kinds[n] WHEN 'bar' THEN format('<rect class="s%s" x="2" width="20" height="12"/>', n) ELSE format('<path class="line s%s" d="M0,6 H24"/>', n) END, html_text(name)), '' ORDER BY n)
			FROM unnest(names) WITH ORDINALITY AS u(name, n) WHERE n = ANY (shown)) || '</ul>'
		|| '<details><summary>The numbers of “' || html_text(title) || '”</summary>'
		|| html_table('{""}' || (SELECT array_agg(names[n] ORDER BY n) FROM unnest(shown) AS n), (SELECT array_agg(labels[t] || (SELECT array_agg(html_number(series[n][t], digits) ORDER BY n) FROM unnest(shown) AS n) ORDER BY t) FROM generate_series(1, slots) AS t))
		|| '</details></figure>';
END $$;
COMMENT ON FUNCTION svg_chart(text, text, text, text[], text[], text[], float8[], integer) IS
'A chart as HTML: inline SVG, legend and a table of its numbers. labels name the slots; names and kinds (bar or line) the series, up to 6, of which those without any value are left out; series is two-dimensional, a row a series, null where not known. chart_id is unique on the page';

CREATE FUNCTION html_page(title text, lead text, body text) RETURNS text
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE SET search_path = smarthg, pg_temp AS $$
	SELECT '<!DOCTYPE html><html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">'
		|| '<meta http-equiv="Content-Security-Policy" content="default-src ''none''; style-src ''unsafe-inline''; img-src data:"><meta name="color-scheme" content="light dark">'
		|| '<link rel="icon" href="data:,"><title>' || html_text(title) || '</title><style>'
		|| ':root{--ink:#1b1f24;--soft:#4d5661;--paper:#fff;--tile:#f2f5f8;--rule:#c9d1d9;--s1:#0b5cad;--s2:#b3460b;--s3:#2b7030;--s4:#7b3fa0;--s5:#5f6872;--s6:#a1183f}'
		|| '@media(prefers-color-scheme:dark){:root{--ink:#e8edf2;--soft:#a9b4c0;--paper:#14181d;--tile:#1f252c;--rule:#414b56;--s1:#6fb1ff;--s2:#ffa657;--s3:#7ee787;--s4:#d2a8ff;--s5:#b6bfc9;--s6:#ff8fab}}'
		|| 'body{font:16px/1.5 system-ui,sans-serif;color:var(--ink);background:var(--paper);max-width:54rem;margin:0 auto;padding:1rem}'
		|| 'h1{line-height:1.2;margin:.5rem 0;overflow-wrap:anywhere}h2{margin:2rem 0 .5rem;border-bottom:2px solid var(--rule)}h3{margin:1rem 0 .25rem;font-size:1rem}.unit,small,.none{color:var(--soft);font-weight:normal}'
		|| 'figure{margin:0 0 1.5rem;break-inside:avoid}figure>svg{width:100%;height:auto;display:block}svg text{font:13px system-ui,sans-serif;fill:var(--soft)}'
		|| '.grid{stroke:var(--rule);stroke-width:1}.zero{stroke:var(--soft)}.s1{fill:var(--s1);stroke:var(--s1)}.s2{fill:var(--s2);stroke:var(--s2)}.s3{fill:var(--s3);stroke:var(--s3)}.s4{fill:var(--s4);stroke:var(--s4)}.s5{fill:var(--s5);stroke:var(--s5)}.s6{fill:var(--s6);stroke:var(--s6)}'
		|| 'rect{stroke-width:0}.line{fill:none;stroke-width:2.5;stroke-linecap:round}.line.s2{stroke-dasharray:7 4}.line.s3{stroke-dasharray:2 3}.line.s4{stroke-dasharray:10 3 2 3}.line.s5,.line.s6{stroke-width:1.5}.line.s6{stroke-dasharray:14 4}'
		|| '.legend{list-style:none;display:flex;flex-wrap:wrap;gap:.25rem 1.25rem;padding:0;margin:.25rem 0;font-size:.9rem}.legend svg{width:24px;height:12px;margin-right:.4rem}'
		|| '.facts{display:grid;grid-template-columns:repeat(auto-fill,minmax(11rem,1fr));gap:.75rem;margin:0}.facts div{background:var(--tile);padding:.6rem .8rem;border-radius:.4rem;break-inside:avoid}.facts dt{color:var(--soft);font-size:.85rem}.facts dd{margin:0;font-size:1.3rem;font-weight:600}.facts small{display:block;font-size:.8rem}'
		|| '.scroll{overflow-x:auto}table{border-collapse:collapse;font-variant-numeric:tabular-nums;font-size:.9rem}th,td{padding:.25rem .7rem;text-align:right;border-bottom:1px solid var(--rule)}th:first-child{text-align:left}summary{cursor:pointer;color:var(--s1);padding:.3rem 0}'
		|| '@media(max-width:600px){svg text{font-size:22px}.odd{display:none}}'
		|| '@media print{:root{--ink:#000;--soft:#333;--paper:#fff;--tile:#fff;--rule:#999;--s1:#0b5cad;--s2:#b3460b;--s3:#2b7030;--s4:#7b3fa0;--s5:#5f6872;--s6:#a1183f}body{max-width:none;font-size:11pt}details{display:none}.facts div{border:1px solid #999}*{print-color-adjust:exact}}'
		|| '</style></head><body><main><h1>' || html_text(title) || '</h1><p>' || html_text(lead) || '</p>' || body || '</main></body></html>'
$$;
COMMENT ON FUNCTION html_page(text, text, text) IS 'A whole HTML document from title and lead (texts) and body (HTML); its content security policy forbids scripts and every request';
