/*
 * Promises of the decoders on telegrams of real meters: in every row of
 * $SMARTHG_DATA/telegrams (or ../shared/data/telegrams) that a decoder can know
 * by the standard alone the main value comes out, and no row crashes. Where the
 * folder is absent the comparison says that it was skipped.
 */
#include <stdlib.h>
#include <unistd.h>

#include "hex.h"
#include "tap.h"

#include "../../bridge/codec/crc16.h"
#include "../../bridge/codec/mbus_format.h"
#include "../../bridge/codec/reading.h"

enum { COLUMNS = 12, LINE_SIZE = 20000, NAMED_MAX = 20 };

enum wmbus_column { SOURCE, SECURITY = 6, KEY, TELEGRAM, STANDARD, MAIN_FIELD, MAIN_VALUE };

static struct reading readings[READING_LIMIT];
static size_t count;
static struct meter_key row_key;
static bool has_key;

/* A telegram of this data has the key in its own row; where it was decrypted before it was
 * recorded, it is to be believed in clear, as of a meter that has a key, whichever it was. */
static const struct meter_key *key_of_row(void *context, const uint8_t device[MBUS_DEVICE_SIZE])
{
	(void)context;
	(void)device;
	return has_key ? &row_key : NULL;
}

static struct decoder decoder = {.key = key_of_row};

static FILE *open_data(const char *name)
{
	const char *folder = getenv("SMARTHG_DATA");
	char path[4096];
	FILE *file;

	snprintf(path, sizeof(path), "%s/telegrams/%s", folder ? folder : "../shared/data", name);
	file = fopen(path, "r");
	if (!file)
		printf("# SKIP: no file %s\nok %d - # SKIP the real telegrams of %s are not here\n", path,
		       ++tap_count, name);
	return file;
}

/* Splits a line at its tabs; false: it has fewer columns. */
static bool split(char *line, char **column, int columns)
{
	line[strcspn(line, "\n")] = '\0';
	for (int i = 0; i < columns; i++) {
		column[i] = line;
		line = line ? strchr(line, '\t') : NULL;
		if (line)
			*line++ = '\0';
		else if (i < columns - 1)
			return false;
	}
	return true;
}

static enum reading_status decode(const char *hex)
{
	uint8_t *bytes = malloc(strlen(hex) / 2 + 1);
	struct raw_telegram telegram = {NULL, bytes, 0, from_hex(hex, bytes)};
	bool wired = strncmp(hex, "68", 2) == 0 && strlen(hex) > 8 && strncmp(hex + 6, "68", 2) == 0;
	enum reading_status status =
	    wired ? reading_decode_wired_mbus(&decoder, &telegram, readings, &count)
	          : reading_decode_wireless_mbus(&decoder, &telegram, readings, &count);

	free(bytes);
	return status;
}

static double value_of(const struct reading *reading)
{
	return (double)reading->raw * (double)reading->multiplier / (double)reading->divisor;
}

/* The reading's unit in the names of that data, which end with it. */
static bool unit_is(const char *field, const char *unit)
{
	static const char *const units[][2] = {
	    {"_m3", "m3"}, {"_kwh", "kWh"}, {"_hca", "HCA"}, {"_c", "degC"}, {"_kw", "kW"}};
	size_t length = strlen(field);

	for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
		size_t end = strlen(units[i][0]);

		if (length > end && strcmp(field + length - end, units[i][0]) == 0)
			return strcmp(unit, units[i][1]) == 0;
	}
	return false;
}

/* A total is the current value without tariff, 0 behind its last but one dot and 255 behind the
 * last, and the first of that unit. */
static bool is_total(const char *field)
{
	static const char *const names[] = {"total_m3",
	                                    "total_kwh",
	                                    "total_energy_kwh",
	                                    "total_energy_consumption_kwh",
	                                    "current_consumption_hca",
	                                    "current_hca",
	                                    "consumption_hca"};

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (strcmp(field, names[i]) == 0)
			return true;
	return false;
}

static bool is_close(const struct reading *reading, double wanted)
{
	return fabs(value_of(reading) - wanted) <= 1e-6 * fmax(1, fabs(wanted));
}

/* The value in some quantity, where nothing is read in the wanted unit: the data's README compares
 * values and not names, since a meter may mean another quantity than its records say. */
static bool is_elsewhere(const char *field, double wanted)
{
	bool found = false;

	for (size_t i = 0; i < count; i++) {
		if (unit_is(field, readings[i].unit))
			return false;
		found = found || is_close(&readings[i], wanted);
	}
	return found;
}

static bool is_found(const char *field, double wanted)
{
	for (size_t i = 0; i < count; i++) {
		const char *obis = readings[i].obis;

		if (!unit_is(field, readings[i].unit))
			continue;
		if (is_close(&readings[i], wanted))
			return true;
		if (is_total(field) && strcmp(obis + strlen(obis) - 6, ".0.255") == 0)
			return false;
	}
	return false;
}

static void describe(char *const *column, enum reading_status status)
{
	const char *text = reading_status_text(status);

	printf("# %s: %s = %s, but %s\n", column[SOURCE], column[MAIN_FIELD], column[MAIN_VALUE],
	       text ? text : "read");
	for (size_t i = 0; i < count; i++)
		printf("#   %s %.9g %s\n", readings[i].obis, value_of(&readings[i]), readings[i].unit);
}

/* What the standard alone decides must be right, row by row. */
static void check_decided(char *const *column, enum reading_status status, double wanted,
                          int *elsewhere)
{
	bool named = is_found(column[MAIN_FIELD], wanted);
	bool right = named || is_elsewhere(column[MAIN_FIELD], wanted);

	*elsewhere += right && !named;
	if (!named)
		describe(column, status);
	ok(right, "%s: %s is %s", column[SOURCE], column[MAIN_FIELD], column[MAIN_VALUE]);
}

/* A compact frame is read as it was meant or not at all: its layout was never seen, or the checksum
 * that it has of its full frame is that of another. */
static void check_compact(char *const *column, enum reading_status status, double wanted,
                          int *right)
{
	bool found = is_found(column[MAIN_FIELD], wanted);

	*right += found;
	if (!found)
		describe(column, status);
	ok(found || status == READING_UNKNOWN_FORMAT || status == READING_BAD_CHECKSUM,
	   "%s: %s is %s, or not read", column[SOURCE], column[MAIN_FIELD], column[MAIN_VALUE]);
}

static void test_wireless(void)
{
	static char line[LINE_SIZE];
	char *column[COLUMNS];
	int rows = 0, standard = 0, compact = 0, compact_right = 0, elsewhere = 0;
	FILE *file = open_data("wmbus.tsv");

	if (!file)
		return;
	if (!fgets(line, sizeof(line), file))
		line[0] = '\0';
	while (fgets(line, sizeof(line), file) && split(line, column, COLUMNS)) {
		char *second = strchr(column[TELEGRAM], ',');
		double wanted = strtod(column[MAIN_VALUE], NULL);

		if (second)
			*second = '\0';
		row_key.clear_accepted = strstr(column[SECURITY], "already plain") != NULL;
		has_key = row_key.clear_accepted;
		if (strlen(column[KEY]) == 2 * METER_KEY_SIZE) {
			from_hex(column[KEY], row_key.bytes);
			has_key = true;
		}
		enum reading_status status = decode(column[TELEGRAM]);
		rows++;
		if (strcmp(column[STANDARD], "yes") == 0) {
			standard++;
			check_decided(column, status, wanted, &elsewhere);
		} else if (strncmp(column[SECURITY], "ELL1", 4) == 0 && column[MAIN_VALUE][0]) {
			compact++;
			check_compact(column, status, wanted, &compact_right);
		}
	}
	fclose(file);
	printf("# wireless M-Bus: %d rows that the standard decides, %d of them in another quantity "
	       "than the meter means; of %d compact frames %d; %d rows in all\n",
	       standard, elsewhere, compact, compact_right, rows);
	ok(standard > 0, "there are wireless telegrams that the standard decides");
	ok(elsewhere * 100 <= standard, "one in a hundred at most is in another quantity");
	ok(compact_right * 5 >= compact * 4, "four in five compact frames are read");
}

/* The text between a tag and its end, from *at on, which is moved behind it; false: none. */
static bool element(const char **at, const char *tag, char *out, size_t size)
{
	const char *begin = strstr(*at, tag), *end = begin ? strstr(begin, "</") : NULL;

	if (!end)
		return false;
	begin += strlen(tag);
	snprintf(out, size, "%.*s", (int)(end - begin), begin);
	*at = end;
	return true;
}

/* The first energy or volume that libmbus reads of a frame, as its XML has it. */
static bool first_total(const char *xml, double *wanted, const char **unit)
{
	static const struct {
		const char *text, *unit;
		double scale;
	} units[] = {{"Energy (kWh)", "kWh", 1},         {"Energy (10 Wh)", "kWh", 1e-2},
	             {"Energy (0.1 MWh)", "kWh", 100},   {"Energy (Wh)", "kWh", 1e-3},
	             {"Energy (10 kWh)", "kWh", 10},     {"Energy (100 Wh)", "kWh", 0.1},
	             {"Energy (MJ)", "kWh", 1 / 3.6},    {"Volume (m m^3)", "m3", 1e-3},
	             {"Volume (1e-2  m^3)", "m3", 1e-2}, {"Volume (1e-1  m^3)", "m3", 0.1},
	             {"Volume (my m^3)", "m3", 1e-6},    {"Volume ( m^3)", "m3", 1},
	             {"Volume (1e-4  m^3)", "m3", 1e-4}};
	char name[80], value[80];

	while (element(&xml, "<Unit>", name, sizeof(name)) &&
	       element(&xml, "<Value>", value, sizeof(value)))
		for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++)
			if (strcmp(name, units[i].text) == 0) {
				*wanted = strtod(value, NULL) * units[i].scale;
				*unit = units[i].unit;
				return true;
			}
	return false;
}

static bool is_read(double wanted, const char *unit)
{
	for (size_t i = 0; i < count; i++)
		if (strcmp(readings[i].unit, unit) == 0 && is_close(&readings[i], wanted))
			return true;
	return false;
}

static void test_wired(void)
{
	static char line[LINE_SIZE];
	char *column[4];
	int rows = 0, totals = 0, right = 0;
	FILE *file = open_data("mbus_wired.tsv");

	if (!file)
		return;
	has_key = false;
	if (!fgets(line, sizeof(line), file))
		line[0] = '\0';
	while (fgets(line, sizeof(line), file) && split(line, column, 4)) {
		enum reading_status status = decode(column[2]);
		const char *unit = "";
		double wanted = 0;

		rows++;
		if (!first_total(column[3], &wanted, &unit))
			continue;
		totals++;
		right += is_read(wanted, unit);
		if (!is_read(wanted, unit))
			printf("# %s: %g %s, but %s\n", column[0], wanted, unit,
			       status ? reading_status_text(status) : "not read");
	}
	fclose(file);
	printf("# wired M-Bus: %d of %d frames with energy or volume are right; %d frames in all\n",
	       right, totals, rows);
	ok(totals > 0 && right == totals, "the first energy or volume of each of %d wired frames",
	   totals);
}

/* Security and checksums of published frames: source, mode, key, frame, plain text, note. */
static void test_crypto(void)
{
	static char line[LINE_SIZE];
	char *column[6];
	int rows = 0, right = 0;
	FILE *file = open_data("crypto.tsv");

	if (!file)
		return;
	if (!fgets(line, sizeof(line), file))
		line[0] = '\0';
	row_key.clear_accepted = false;
	while (fgets(line, sizeof(line), file) && split(line, column, 6)) {
		has_key = strlen(column[2]) == 2 * METER_KEY_SIZE;
		if (has_key)
			from_hex(column[2], row_key.bytes);
		enum reading_status status = decode(column[3]);
		/* Of those with checksums alone neither key nor layer is known. */
		bool as_told = strncmp(column[1], "dll-crc", 7) == 0
		                   ? status == READING_NO_KEY || status == READING_UNSUPPORTED_LAYER
		                   : status == READING_OK && count > 0;
		rows++;
		right += as_told;
		if (!as_told)
			printf("# %s: %s\n", column[0], status ? reading_status_text(status) : "no readings");
	}
	fclose(file);
	ok(rows > 0 && right == rows, "%d published frames are decrypted and checked", rows);
}

int main(void)
{
	decoder.cipher = meter_cipher_new();
	decoder.formats = mbus_formats_new();
	test_wireless();
	test_wired();
	test_crypto();
	meter_cipher_free(decoder.cipher);
	mbus_formats_free(decoder.formats);
	return tap_done();
}
