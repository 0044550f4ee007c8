/*
 * smarthg.bridge_mbus_layouts and bridge_mbus_layout, between the decoders'
 * formats and the control connection.
 */
#include "layouts.h"

#include <inttypes.h>
#include <stdlib.h>

struct layouts {
	struct control *control;
	struct mbus_formats *formats;
};

struct layouts *layouts_new(struct control *control, struct mbus_formats *formats)
{
	struct layouts *layouts = calloc(1, sizeof(*layouts));

	if (layouts)
		*layouts = (struct layouts){control, formats};
	return layouts;
}

void layouts_free(struct layouts *layouts)
{
	free(layouts);
}

static void on_rows(void *context, const PGresult *result)
{
	struct layouts *layouts = context;
	int rows = database_succeeded(result) ? PQntuples(result) : 0;
	struct mbus_layout known;

	for (int row = 0; row < rows; row++) {
		size_t size = 0;
		unsigned char *blocks =
		    PQunescapeBytea((const unsigned char *)PQgetvalue(result, row, 2), &size);

		if (blocks && size > 0)
			mbus_formats_put(layouts->formats,
			                 (uint32_t)strtoul(PQgetvalue(result, row, 0), NULL, 10),
			                 (uint16_t)strtoul(PQgetvalue(result, row, 1), NULL, 10),
			                 cursor_over(blocks, size), PQgetvalue(result, row, 3)[0] == 't');
		PQfreemem(blocks);
	}
	mbus_formats_take_new(layouts->formats, &known);
}

void layouts_load(struct layouts *layouts)
{
	control_push(
	    layouts->control,
	    "SELECT meter_kind, signature, blocks, protected FROM smarthg.bridge_mbus_layouts()", 0,
	    NULL, on_rows, layouts);
}

void layouts_keep(struct layouts *layouts)
{
	static const char digits[] = "0123456789abcdef";
	char kind[12], signature[8], hex[2 + 2 * 256 + 1] = "\\x";
	const char *values[] = {kind, signature, hex, NULL};
	struct writer text = writer_over(hex, sizeof(hex) - 1);
	struct mbus_layout layout;

	if (!mbus_formats_take_new(layouts->formats, &layout))
		return;
	writer_reserve(&text, 2);
	while (cursor_left(&layout.blocks) > 0) {
		uint8_t byte = cursor_u8(&layout.blocks);

		writer_u8(&text, (uint8_t)digits[byte >> 4]);
		writer_u8(&text, (uint8_t)digits[byte & 15]);
	}
	snprintf(kind, sizeof(kind), "%" PRIu32, layout.kind);
	snprintf(signature, sizeof(signature), "%u", layout.signature);
	values[3] = layout.protected ? "t" : "f";
	control_push(layouts->control, "SELECT smarthg.bridge_mbus_layout($1, $2, $3, $4)", 4, values,
	             NULL, NULL);
}
