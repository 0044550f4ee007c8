/*
 * Reading of telegram and key files for the gateway simulator.
 */
#include "telegram_file.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

enum { LINE_SIZE = 200000, FIELDS = 5 };

static bool ensure(void **array, size_t *capacity, size_t count, size_t element_size)
{
	size_t wanted = *capacity ? *capacity * 2 : 16;
	void *larger;

	if (count <= *capacity)
		return true;
	larger = realloc(*array, wanted * element_size);
	if (!larger)
		return false;
	*array = larger;
	*capacity = wanted;
	return true;
}

static int digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Hex text to at most capacity bytes; their number, or -1. */
static long parse_hex(const char *text, uint8_t *out, size_t capacity)
{
	size_t length = strcmp(text, "-") == 0 ? 0 : strlen(text);

	if (length % 2 || length / 2 > capacity)
		return -1;
	for (size_t i = 0; i < length / 2; i++) {
		int high = digit(text[2 * i]), low = digit(text[2 * i + 1]);

		if (high < 0 || low < 0)
			return -1;
		out[i] = (uint8_t)(high << 4 | low);
	}
	return (long)(length / 2);
}

static bool parse_eui64(const char *text, uint64_t *out)
{
	uint8_t bytes[8];
	struct cursor cursor = cursor_over(bytes, sizeof(bytes));

	if (parse_hex(text, bytes, sizeof(bytes)) != 8)
		return false;
	*out = cursor_u64(&cursor);
	return true;
}

/* Splits a line at white space; the number of fields, 0 for a comment or an empty line. */
static int split(char *line, char *fields[FIELDS + 1])
{
	char *comment = strchr(line, '#'), *state = NULL;
	int count = 0;

	if (comment)
		*comment = '\0';
	for (char *field = strtok_r(line, " \t\r\n", &state); field && count <= FIELDS;
	     field = strtok_r(NULL, " \t\r\n", &state))
		fields[count++] = field;
	return count;
}

/* The gateway's source; lines of one gateway mostly follow each other. */
static struct telegram_source *source_of(struct telegram_file *file, uint64_t eui64)
{
	for (size_t i = file->count; i > 0; i--)
		if (file->sources[i - 1].eui64 == eui64)
			return &file->sources[i - 1];
	if (!ensure((void **)&file->sources, &file->capacity, file->count + 1, sizeof(*file->sources)))
		return NULL;
	file->sources[file->count] = (struct telegram_source){.eui64 = eui64};
	return &file->sources[file->count++];
}

static bool add_telegram(struct telegram_file *file, char **fields, uint8_t *bytes)
{
	struct telegram telegram;
	uint64_t eui64;
	char *end;
	long address, size;

	telegram.time_ms = strtoull(fields[1], &end, 10);
	unsigned long kind = *end ? 256 : strtoul(fields[2], &end, 10);
	address = parse_hex(fields[3], bytes, 255);
	size = address < 0 ? -1 : parse_hex(fields[4], bytes + address, UINT16_MAX);
	if (!parse_eui64(fields[0], &eui64) || *end || kind > 255 || size < 0)
		return false;
	struct telegram_source *source = source_of(file, eui64);
	if (!source || !ensure((void **)&source->telegrams, &source->capacity, source->count + 1,
	                       sizeof(*source->telegrams)))
		return false;
	telegram.kind = (uint8_t)kind;
	telegram.address_size = (uint8_t)address;
	telegram.telegram_size = (uint16_t)size;
	telegram.bytes = malloc((size_t)(address + size) + 1);
	if (!telegram.bytes)
		return false;
	memcpy(telegram.bytes, bytes, (size_t)(address + size));
	source->telegrams[source->count++] = telegram;
	return true;
}

static bool add_key(struct key_file *file, char **fields)
{
	struct named_key named = {0};
	long size = parse_hex(fields[1], named.key.bytes, LINK_KEY_MAX);

	if (!parse_eui64(fields[0], &named.eui64) || size < LINK_KEY_MIN ||
	    !ensure((void **)&file->keys, &file->capacity, file->count + 1, sizeof(*file->keys)))
		return false;
	named.key.size = (size_t)size;
	file->keys[file->count++] = named;
	return true;
}

/* Reads a file line by line into telegrams or keys, whichever is not NULL. */
static bool read_lines(const char *path, struct telegram_file *telegrams, struct key_file *keys,
                       char *message, size_t size)
{
	FILE *file = fopen(path, "r");
	char *line = malloc(LINE_SIZE), *fields[FIELDS + 1];
	uint8_t *bytes = malloc(LINE_SIZE);
	int wanted = telegrams ? FIELDS : 2;
	bool good = file && line && bytes;

	if (!file)
		snprintf(message, size, "cannot read \"%s\": %s", path, strerror(errno));
	for (int number = 1; good && fgets(line, LINE_SIZE, file); number++) {
		int count = split(line, fields);

		if (count == 0)
			continue;
		good = count == wanted &&
		       (telegrams ? add_telegram(telegrams, fields, bytes) : add_key(keys, fields));
		if (!good)
			snprintf(message, size, "%s line %d is not \"%s\"", path, number,
			         telegrams ? "eui64 time-ms kind address telegram" : "eui64 key");
	}
	free(line);
	free(bytes);
	if (file)
		fclose(file);
	return good;
}

bool telegram_file_read(struct telegram_file *file, const char *path, char *message, size_t size)
{
	*file = (struct telegram_file){0};
	return read_lines(path, file, NULL, message, size);
}

void telegram_file_free(struct telegram_file *file)
{
	for (size_t i = 0; i < file->count; i++) {
		for (size_t n = 0; n < file->sources[i].count; n++)
			free(file->sources[i].telegrams[n].bytes);
		free(file->sources[i].telegrams);
	}
	free(file->sources);
}

static int compare_keys(const void *a, const void *b)
{
	uint64_t left = ((const struct named_key *)a)->eui64;
	uint64_t right = ((const struct named_key *)b)->eui64;

	return (left > right) - (left < right);
}

bool key_file_read(struct key_file *file, const char *path, char *message, size_t size)
{
	*file = (struct key_file){0};
	bool good = read_lines(path, NULL, file, message, size);
	if (file->count > 0)
		qsort(file->keys, file->count, sizeof(*file->keys), compare_keys);
	return good;
}

void key_file_free(struct key_file *file)
{
	free(file->keys);
}

const struct link_key *key_file_find(const struct key_file *file, uint64_t eui64)
{
	struct named_key wanted = {.eui64 = eui64};
	const struct named_key *found =
	    file->count ? bsearch(&wanted, file->keys, file->count, sizeof(*file->keys), compare_keys)
	                : NULL;

	return found ? &found->key : NULL;
}
