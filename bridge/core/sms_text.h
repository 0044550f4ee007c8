/*
 * Texts of short messages between UTF-8 (RFC 3629) and what a modem takes in its
 * character set UCS2: UTF-16 code units as hexadecimal digits (3GPP TS 27.007).
 * One short message holds 160 septets of the default alphabet (GSM 03.38, 3GPP
 * TS 23.038), in which ^ { } \ [ ~ ] | and the euro sign take two, or else 70
 * code units.
 */
#ifndef SMARTHG_BRIDGE_SMS_TEXT_H
#define SMARTHG_BRIDGE_SMS_TEXT_H

#include "../codec/cursor.h"

enum {
	SMS_SEPTETS = 160,
	SMS_UNITS = 70,
	SMS_TEXT_SIZE = 4 * SMS_SEPTETS + 1, /* room for any message in UTF-8 */
	SMS_HEX_SIZE = 4 * SMS_SEPTETS + 1,
	SMS_PHONE_SIZE = 32,
};

enum sms_alphabet { SMS_DEFAULT_ALPHABET, SMS_UCS2, SMS_TOO_LONG };

/* How a text can be sent in one message. */
enum sms_alphabet sms_alphabet_of(const char *text);

/* UTF-8 to digits, NUL-terminated; what is no UTF-8 becomes U+FFFD. false: they are more than
 * size bytes. */
bool sms_hex_write(const char *text, char *out, size_t size);

/* Digits to UTF-8, NUL-terminated; lone surrogates and U+0000 become U+FFFD. false: not digits of
 * whole code units, or more than size bytes. */
bool sms_hex_read(struct cursor digits, char *out, size_t size);

/* Whether a phone number is international: + and 4 to 15 digits (ITU-T E.164). */
bool sms_phone_valid(const char *phone);

#endif
