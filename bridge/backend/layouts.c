/*
 * smarthg.bridge_mbus_layouts and bridge_mbus_layout, between the decoders'
 * formats and the control connection.
 */
#include "layouts.h"

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
	struct cursor known;
	uint16_t signature;

	for (int row = 0; row < rows; row++) {
		size_t size = 0;
		unsigned char *blocks =
		    PQunescapeBytea((const unsigned char *)PQgetvalue(result, row, 1), &size);

		signature = (uint16_t)strtoul(PQgetvalue(result, row, 0), NULL, 10);
		if (blocks && size > 0)
			mbus_formats_put(layouts->formats, signature, cursor_over(blocks, size));
		PQfreemem(blocks);
	}
	mbus_formats_take_new(layouts->formats, &signature, &known);
}

void layouts_load(struct layouts *layouts)
{
	control_push(layouts->control, "SELECT signature, blocks FROM smarthg.bridge_mbus_layouts()", 0,
	             NULL, on_rows, layouts);
}

void layouts_keep(struct layouts *layouts)
{
	static const char digits[] = "0123456789abcdef";
	char number[8], hex[2 + 2 * 256 + 1] = "\\x";
	const char *values[] = {number, hex};
	struct writer text = writer_over(hex, sizeof(hex) - 1);
	struct cursor blocks;
	uint16_t signature;

	if (!mbus_formats_take_new(layouts->formats, &signature, &blocks))
		return;
	writer_reserve(&text, 2);
	while (cursor_left(&blocks) > 0) {
		uint8_t byte = cursor_u8(&blocks);

		writer_u8(&text, (uint8_t)digits[byte >> 4]);
		writer_u8(&text, (uint8_t)digits[byte & 15]);
	}
	snprintf(number, sizeof(number), "%u", signature);
	control_push(layouts->control, "SELECT smarthg.bridge_mbus_layout($1, $2)", 2, values, NULL,
	             NULL);
}
