/*
 * The simulator's input: a text file of telegrams, `eui64-hex time-ms kind
 * address-hex telegram-hex` on a line ("-" for no bytes), '#' begins a comment;
 * and a file of link keys, `eui64-hex key-hex`. A gateway's telegrams are its
 * records, numbered from 1 in the file's order.
 */
#ifndef SMARTHG_SIM_TELEGRAM_FILE_H
#define SMARTHG_SIM_TELEGRAM_FILE_H

#include "../../bridge/core/security.h"

struct telegram {
	uint64_t time_ms;
	uint8_t kind;
	uint8_t address_size;
	uint16_t telegram_size;
	uint8_t *bytes; /* address, then telegram */
};

struct telegram_source {
	uint64_t eui64;
	struct telegram *telegrams;
	size_t count, capacity;
};

struct telegram_file {
	struct telegram_source *sources; /* one for each gateway, in the order of their first line */
	size_t count, capacity;
};

struct key_file {
	struct named_key {
		uint64_t eui64;
		struct link_key key;
	} * keys; /* ascending by EUI-64 */
	size_t count, capacity;
};

/* false and a message where the file cannot be read or a line is wrong. */
bool telegram_file_read(struct telegram_file *file, const char *path, char *message, size_t size);
void telegram_file_free(struct telegram_file *file);

bool key_file_read(struct key_file *file, const char *path, char *message, size_t size);
void key_file_free(struct key_file *file);
/* NULL: the file has none. */
const struct link_key *key_file_find(const struct key_file *file, uint64_t eui64);

#endif
