/*
 * The text of a P1 telegram (DSMR companion standard, after IEC 62056-21 mode
 * D): lines `A-B:C.D.E(value)(value)`, their values, numbers and times.
 */
#ifndef SMARTHG_BRIDGE_P1_TEXT_H
#define SMARTHG_BRIDGE_P1_TEXT_H

#include "obis.h"

/* The bytes up to a character, which is passed too; where it does not come, all that are left. */
struct cursor p1_until(struct cursor *text, char end);

/* The next line without its end; false: there is none. */
bool p1_line(struct cursor *text, struct cursor *line);

/* Takes the code at a line's beginning; F is 255 unless it is said. false: none stands there. */
bool p1_code(struct cursor *line, obis_code *code);

/* The next value in parentheses; false: there is none. */
bool p1_value(struct cursor *line, struct cursor *value);

/* A decimal number up to the value's end, as an integer over a power of ten. */
bool p1_number(struct cursor text, int64_t *number, int64_t *divisor);

/* YYMMDDhhmmss and S or W, summer or winter time of Central Europe, as ms since 1970. */
bool p1_time(struct cursor text, int64_t *ms);

bool p1_equals(struct cursor text, const char *other);

/* The characters of a text; how many, or 0 where they are more than DEVICE_SIZE. */
uint8_t p1_characters(struct cursor text, uint8_t out[DEVICE_SIZE]);

/* The same of characters written as pairs of hexadecimal digits; other text as it stands. */
uint8_t p1_identifier(struct cursor text, uint8_t out[DEVICE_SIZE]);

/* The value of a hexadecimal digit, or -1. */
int p1_hex_digit(uint8_t character);

#endif
