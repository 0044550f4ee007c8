/*
 * One layer after the other, each taking its header off the cursor. What is
 * encrypted is copied before it is decrypted, since telegrams are kept as they
 * came. A meter with a key is not believed in clear.
 */
#include "mbus_layers.h"

#include "crc16.h"
#include "mbus_format.h"
#include "mbus_obis.h"

enum {
	PLAIN_SIZE = 256,
	KAMSTRUP = 0x2c2d, /* manufacturers whose meters send compact frames */
	KAMSTRUP_WATER = 0x2c37,
	FILLER = 0x2f,
	FIRST_RESERVED_MODE = 16,
	MAC_MAX_SIZE = 16,
	SESSION_MASK = 0x1fffffff, /* minutes and number of the session, below how it is encrypted */
};

enum ci_field {
	CI_FORMAT = 0x69, /* without, with short, with long header, as the following */
	CI_FORMAT_SHORT = 0x6a,
	CI_FORMAT_LONG = 0x6b,
	CI_LONG = 0x72,
	CI_COMPACT_LONG = 0x73,
	CI_NO_HEADER = 0x78,
	CI_COMPACT = 0x79,
	CI_SHORT = 0x7a,
	CI_COMPACT_SHORT = 0x7b,
	CI_ELL_5 = 0x86,
	CI_ELL_1 = 0x8c,
	CI_ELL_2 = 0x8d,
	CI_ELL_3 = 0x8e,
	CI_ELL_4 = 0x8f,
	CI_AFL = 0x90,
};

enum ell_part {
	ELL_RECEIVER = 0x01, /* M2 and A2 */
	ELL_SESSION = 0x02,
	ELL_DELAY = 0x08,
	ELL_LEVEL = 0x10,
	ELL_CHECKSUM = 0x80,
	ELL_UNKNOWN = 0x64, /* parts whose size is not known */
};

enum afl_part {
	AFL_MORE_FRAGMENTS = 0x4000,
	AFL_CONTROL = 0x2000,
	AFL_LENGTH = 0x1000,
	AFL_COUNTER = 0x0800,
	AFL_MAC = 0x0400,
	AFL_KEY = 0x0200,
	AFL_FRAGMENT = 0x00ff,
};

/* A telegram on its way up. */
struct layers {
	struct decoder *decoder;
	uint8_t *device; /* the decoder's */
	struct cursor at;
	bool protected; /* something of it was encrypted or authenticated, and found right */
	struct {
		uint8_t control, counter[4], length[2], mac[MAC_MAX_SIZE];
		bool has_counter, has_length;
		uint8_t mac_size;
	} afl;
	uint8_t ell_plain[PLAIN_SIZE], tpl_plain[PLAIN_SIZE];
};

static void turn(struct cursor *cursor, uint8_t *out, size_t size)
{
	const uint8_t *bytes = cursor_take(cursor, size);

	for (size_t i = 0; i < size; i++)
		out[i] = bytes ? bytes[size - 1 - i] : 0;
}

void device_of_link(struct cursor *cursor, uint8_t device[MBUS_DEVICE_SIZE])
{
	turn(cursor, device + 4, 2);
	turn(cursor, device, 4);
	cursor_copy(cursor, device + 6, 2);
}

void device_of_transport(struct cursor *cursor, uint8_t device[MBUS_DEVICE_SIZE])
{
	turn(cursor, device, 4);
	turn(cursor, device + 4, 2);
	cursor_copy(cursor, device + 6, 2);
}

/* The address in the order of the link header, as initial vectors begin. */
static void link_order(const uint8_t device[MBUS_DEVICE_SIZE], uint8_t out[8])
{
	struct cursor cursor = cursor_over(device, MBUS_DEVICE_SIZE);

	turn(&cursor, out + 2, 4);
	turn(&cursor, out, 2);
	cursor_copy(&cursor, out + 6, 2);
}

static const struct meter_key *key_of(const struct layers *layers)
{
	return layers->decoder->key(layers->decoder->context, layers->device);
}

/* The counter of a telegram that the key has proved. */
static void count_telegram(struct layers *layers, const struct meter_key *key,
                           enum meter_counter_kind kind, const uint8_t bytes[4])
{
	struct meter_counter *counter = &layers->decoder->counter;
	struct cursor cursor = cursor_over(bytes, 4);

	counter->kind = kind;
	memcpy(counter->device, layers->device, MBUS_DEVICE_SIZE);
	counter->key_check = key->check;
	counter->value = (uint32_t)cursor_le(&cursor, 4);
	if (kind == COUNTER_SESSION)
		counter->value &= SESSION_MASK;
}

/* Goes on with a copy of what is left; the first n bytes of it are to be decrypted in place.
 * NULL: longer than any telegram is. */
static uint8_t *copy_left(struct layers *layers, uint8_t plain[PLAIN_SIZE])
{
	size_t left = cursor_left(&layers->at);

	if (left > PLAIN_SIZE)
		return NULL;
	cursor_copy(&layers->at, plain, left);
	layers->at = cursor_over(plain, left);
	return plain;
}

/* Whether the payload's checksum, its first two bytes, is that of the rest. */
static bool payload_intact(struct cursor payload)
{
	uint16_t checksum = (uint16_t)cursor_le(&payload, 2);
	size_t left = cursor_left(&payload);

	return !payload.broken && crc16_en13757(cursor_take(&payload, left), left) == checksum;
}

/* The payload of an extended link layer with a session number: encrypted in counter mode, or
 * marked so and decrypted on its way already. */
static enum reading_status read_session(struct layers *layers, uint8_t communication,
                                        const uint8_t session[4], bool checked)
{
	const struct meter_key *key = key_of(layers);
	uint8_t first[CIPHER_BLOCK_SIZE] = {0};
	unsigned encryption = session[3] >> 5;

	if (encryption > 1 || !checked)
		return READING_UNSUPPORTED_SECURITY;
	if (encryption == 1 && !(payload_intact(layers->at) && (!key || key->clear_accepted))) {
		if (!key)
			return READING_NO_KEY;
		link_order(layers->device, first);
		first[8] = communication;
		memcpy(first + 9, session, 4);
		size_t left = cursor_left(&layers->at);
		uint8_t *plain = copy_left(layers, layers->ell_plain);
		if (!plain || !meter_cipher_ctr(layers->decoder->cipher, key->bytes, first, plain, left))
			return READING_MALFORMED;
		if (!payload_intact(layers->at))
			return READING_WRONG_KEY;
		layers->protected = true;
		count_telegram(layers, key, COUNTER_SESSION, session);
	} else if (!payload_intact(layers->at)) {
		return READING_BAD_CHECKSUM;
	}
	cursor_take(&layers->at, 2);
	return READING_OK;
}

static enum reading_status read_ell(struct layers *layers, uint8_t ci)
{
	static const uint8_t fixed_parts[] = {
	    [CI_ELL_1 - CI_ELL_1] = 0,
	    [CI_ELL_2 - CI_ELL_1] = ELL_SESSION | ELL_CHECKSUM,
	    [CI_ELL_3 - CI_ELL_1] = ELL_RECEIVER,
	    [CI_ELL_4 - CI_ELL_1] = ELL_RECEIVER | ELL_SESSION | ELL_CHECKSUM,
	};
	uint8_t communication = cursor_u8(&layers->at), session[4];

	cursor_u8(&layers->at); /* access number */
	uint8_t parts = ci == CI_ELL_5 ? cursor_u8(&layers->at) : fixed_parts[ci - CI_ELL_1];
	if (parts & ELL_RECEIVER)
		cursor_take(&layers->at, 8);
	if (parts & ELL_SESSION)
		cursor_copy(&layers->at, session, sizeof(session));
	if (parts & ELL_DELAY)
		cursor_take(&layers->at, 2);
	if (parts & ELL_LEVEL)
		cursor_u8(&layers->at);
	if (layers->at.broken)
		return READING_MALFORMED;
	if (parts & ELL_UNKNOWN)
		return READING_UNSUPPORTED_LAYER;
	if (parts & ELL_SESSION)
		return read_session(layers, communication, session, parts & ELL_CHECKSUM);
	if (parts & ELL_CHECKSUM) {
		if (!payload_intact(layers->at))
			return READING_BAD_CHECKSUM;
		cursor_take(&layers->at, 2);
	}
	return READING_OK;
}

static enum reading_status read_afl(struct layers *layers)
{
	static const uint8_t mac_sizes[16] = {[3] = 2, [4] = 4, [5] = 8, [6] = 12, [7] = 16};
	uint8_t length = cursor_u8(&layers->at);
	const uint8_t *bytes = cursor_take(&layers->at, length);
	struct cursor fields = cursor_over(bytes, bytes ? length : 0);
	uint16_t parts = (uint16_t)cursor_le(&fields, 2);

	if (parts & AFL_MORE_FRAGMENTS || (parts & AFL_FRAGMENT) > 1)
		return READING_FRAGMENT;
	if (parts & AFL_CONTROL)
		layers->afl.control = cursor_u8(&fields);
	if (parts & AFL_KEY)
		cursor_take(&fields, 2);
	if (parts & AFL_COUNTER) {
		cursor_copy(&fields, layers->afl.counter, 4);
		layers->afl.has_counter = true;
	}
	if (parts & AFL_MAC) {
		layers->afl.mac_size = mac_sizes[layers->afl.control & 15];
		if (layers->afl.mac_size == 0)
			return READING_UNSUPPORTED_SECURITY;
		cursor_copy(&fields, layers->afl.mac, layers->afl.mac_size);
	}
	if (parts & AFL_LENGTH) {
		cursor_copy(&fields, layers->afl.length, 2);
		layers->afl.has_length = true;
	}
	return fields.broken || layers->at.broken ? READING_MALFORMED : READING_OK;
}

/* The message authentication code over the message from the transport layer's CI field on. */
static enum reading_status check_mac(struct layers *layers, const struct meter_key *key,
                                     struct cursor message)
{
	uint8_t input[7 + PLAIN_SIZE], mac[CIPHER_BLOCK_SIZE], derived[METER_KEY_SIZE], address[8];
	struct writer writer = writer_over(input, sizeof(input));
	size_t size = cursor_left(&message);
	uint8_t difference = 0;

	if (layers->afl.mac_size == 0)
		return READING_OK;
	if (!layers->afl.has_counter)
		return READING_UNSUPPORTED_SECURITY;
	writer_u8(&writer, layers->afl.control);
	writer_bytes(&writer, layers->afl.counter, sizeof(layers->afl.counter));
	if (layers->afl.has_length)
		writer_bytes(&writer, layers->afl.length, sizeof(layers->afl.length));
	writer_bytes(&writer, cursor_take(&message, size), size);
	link_order(layers->device, address);
	if (writer.broken ||
	    !meter_cipher_derive(layers->decoder->cipher, key->bytes, KEY_MAC_FROM_METER,
	                         layers->afl.counter, address + 2, derived) ||
	    !meter_cipher_cmac(layers->decoder->cipher, derived, input, writer.at, mac))
		return READING_MALFORMED;
	for (int i = 0; i < layers->afl.mac_size; i++)
		difference |= mac[i] ^ layers->afl.mac[i];
	layers->protected = difference == 0;
	if (difference != 0)
		return READING_FORGED;
	count_telegram(layers, key, COUNTER_MESSAGE, layers->afl.counter);
	return READING_OK;
}

static bool begins_plain(struct cursor bytes)
{
	return cursor_u8(&bytes) == FILLER && cursor_u8(&bytes) == FILLER;
}

/* Security modes 5 and 7: whole blocks of AES-CBC, then perhaps more in clear, which counts only
 * where something else protects it or the meter is believed in clear. */
static enum reading_status decrypt_blocks(struct layers *layers, unsigned mode, size_t size,
                                          uint8_t access, struct cursor message)
{
	const struct meter_key *key = key_of(layers);
	uint8_t iv[CIPHER_BLOCK_SIZE] = {0}, derived[METER_KEY_SIZE], address[8];
	const uint8_t *bytes = key ? key->bytes : NULL;
	enum reading_status status;

	if (size > cursor_left(&layers->at))
		return READING_MALFORMED;
	if (begins_plain(layers->at) && (!key || key->clear_accepted))
		return READING_OK;
	if (!key)
		return READING_NO_KEY;
	status = check_mac(layers, key, message);
	if (status != READING_OK)
		return status;
	bool believes_rest = layers->protected || key->clear_accepted;
	link_order(layers->device, address);
	if (mode == 5) {
		memcpy(iv, address, 8);
		memset(iv + 8, access, 8);
	} else {
		if (!layers->afl.has_counter)
			return READING_UNSUPPORTED_SECURITY;
		if (!meter_cipher_derive(layers->decoder->cipher, key->bytes, KEY_ENCRYPTION_FROM_METER,
		                         layers->afl.counter, address + 2, derived))
			return READING_MALFORMED;
		bytes = derived;
	}
	uint8_t *plain = copy_left(layers, layers->tpl_plain);
	if (!plain || !meter_cipher_cbc(layers->decoder->cipher, bytes, iv, plain, size))
		return READING_MALFORMED;
	layers->protected = true;
	if (!believes_rest)
		layers->at = cursor_over(plain, size);
	if (!begins_plain(layers->at))
		return READING_WRONG_KEY;
	if (mode == 7)
		count_telegram(layers, key, COUNTER_MESSAGE, layers->afl.counter);
	return READING_OK;
}

/* The rest of the transport header after the address: access number, status, configuration. */
static enum reading_status read_security(struct layers *layers, struct cursor message)
{
	const struct meter_key *key = key_of(layers);
	uint8_t access = cursor_u8(&layers->at);
	uint16_t configuration;
	unsigned mode;

	cursor_u8(&layers->at); /* status */
	configuration = (uint16_t)cursor_le(&layers->at, 2);
	mode = configuration >> 8 & 31;
	size_t encrypted = (configuration >> 4 & 15u) * CIPHER_BLOCK_SIZE;
	if (mode == 7)
		cursor_u8(&layers->at); /* configuration field extension: which derivation, which key */
	if (layers->at.broken)
		return READING_MALFORMED;
	/* Modes that no standard gives a cipher are the manufacturer's own use of the field. */
	if (mode == 0 || mode >= FIRST_RESERVED_MODE)
		return key ? check_mac(layers, key, message) : READING_OK;
	if (mode != 5 && mode != 7)
		return READING_UNSUPPORTED_SECURITY;
	return encrypted == 0 ? READING_OK : decrypt_blocks(layers, mode, encrypted, access, message);
}

/* Whose layouts these are: manufacturer, version and type share them. */
static uint32_t kind_of(const struct layers *layers)
{
	const uint8_t *device = layers->device;

	return (uint32_t)device[4] << 24 | (uint32_t)device[5] << 16 | (uint32_t)device[6] << 8 |
	       device[7];
}

/* Anybody can send in clear: layouts come from meters that have a key, and have used it or need
 * not. */
static bool may_teach(const struct layers *layers)
{
	return layers->protected || key_of(layers);
}

/* Length, signature, information blocks; the length is met with and without the signature. */
static enum reading_status read_format_frame(struct layers *layers)
{
	size_t length = cursor_u8(&layers->at);
	uint16_t signature = (uint16_t)cursor_le(&layers->at, 2);

	for (size_t more = 0; more <= 2 && more < length; more += 2) {
		struct cursor blocks = layers->at;
		const uint8_t *bytes = cursor_take(&blocks, length - more);

		if (!bytes || crc16_en13757(bytes, length - more) != signature)
			continue;
		if (may_teach(layers))
			mbus_formats_put(layers->decoder->formats, kind_of(layers), signature,
			                 cursor_over(bytes, length - more), layers->protected);
		return READING_OK;
	}
	return READING_MALFORMED;
}

static enum reading_status read_compact_frame(struct layers *layers, struct reading *out,
                                              size_t *count)
{
	uint16_t signature = (uint16_t)cursor_le(&layers->at, 2);
	uint16_t checksum = (uint16_t)cursor_le(&layers->at, 2);
	struct cursor blocks;

	if (layers->at.broken)
		return READING_MALFORMED;
	if (!mbus_formats_find(layers->decoder->formats, kind_of(layers), signature, &blocks))
		return READING_UNKNOWN_FORMAT;
	if (!mbus_format_fits(blocks, layers->at, checksum))
		return READING_BAD_CHECKSUM;
	return mbus_read_records(&blocks, &layers->at, layers->decoder, out, count);
}

static enum reading_status read_full_frame(struct layers *layers, struct reading *out,
                                           size_t *count)
{
	unsigned manufacturer = (unsigned)layers->device[4] << 8 | layers->device[5];

	if ((manufacturer == KAMSTRUP || manufacturer == KAMSTRUP_WATER) && may_teach(layers))
		mbus_formats_learn(layers->decoder->formats, kind_of(layers), layers->at,
		                   layers->protected);
	return mbus_read_records(&layers->at, &layers->at, layers->decoder, out, count);
}

/* What one meter's key protected below is no word of another meter's. */
static void take_transport_device(struct layers *layers)
{
	uint8_t link_device[MBUS_DEVICE_SIZE];

	memcpy(link_device, layers->device, MBUS_DEVICE_SIZE);
	device_of_transport(&layers->at, layers->device);
	if (memcmp(link_device, layers->device, MBUS_DEVICE_SIZE) != 0)
		layers->protected = false;
}

static enum reading_status read_header(struct layers *layers, uint8_t ci, struct cursor message)
{
	switch (ci) {
	case CI_LONG:
	case CI_COMPACT_LONG:
	case CI_FORMAT_LONG:
		take_transport_device(layers);
		return read_security(layers, message);
	case CI_SHORT:
	case CI_COMPACT_SHORT:
	case CI_FORMAT_SHORT:
		return read_security(layers, message);
	case CI_NO_HEADER:
	case CI_COMPACT:
	case CI_FORMAT:
		return READING_OK;
	default:
		return READING_UNSUPPORTED_LAYER;
	}
}

static enum reading_status read_application(struct layers *layers, uint8_t ci, struct reading *out,
                                            size_t *count)
{
	const struct meter_key *key = layers->protected ? NULL : key_of(layers);

	if (key && !key->clear_accepted)
		return READING_NOT_ENCRYPTED;
	switch (ci) {
	case CI_FORMAT:
	case CI_FORMAT_SHORT:
	case CI_FORMAT_LONG:
		return read_format_frame(layers);
	case CI_COMPACT:
	case CI_COMPACT_SHORT:
	case CI_COMPACT_LONG:
		return read_compact_frame(layers, out, count);
	default:
		return read_full_frame(layers, out, count);
	}
}

enum reading_status mbus_read_layers(struct decoder *decoder,
                                     const uint8_t link_device[MBUS_DEVICE_SIZE],
                                     struct cursor bytes, struct reading *out, size_t *count)
{
	struct layers layers;
	enum reading_status status = READING_OK;
	struct cursor message = bytes;

	layers.decoder = decoder;
	layers.at = bytes;
	layers.protected = false;
	layers.afl.has_counter = layers.afl.has_length = false;
	layers.afl.mac_size = layers.afl.control = 0;
	layers.device = decoder->device;
	memcpy(layers.device, link_device, MBUS_DEVICE_SIZE);
	*count = 0;
	if (cursor_left(&bytes) == 0)
		return READING_OK;
	uint8_t ci = cursor_u8(&layers.at);
	if (ci == CI_ELL_5 || (ci >= CI_ELL_1 && ci <= CI_ELL_4)) {
		status = read_ell(&layers, ci);
		message = layers.at;
		ci = cursor_u8(&layers.at);
	}
	if (status == READING_OK && ci == CI_AFL) {
		status = read_afl(&layers);
		message = layers.at;
		ci = cursor_u8(&layers.at);
	}
	if (status == READING_OK)
		status = layers.at.broken ? READING_MALFORMED : read_header(&layers, ci, message);
	if (status == READING_OK)
		status = read_application(&layers, ci, out, count);
	return status;
}
