/*
 * Telegrams that each decoder reads a second on one core, from bytes to named
 * readings: a heat meter's eight records plain, with the checksums of frame
 * format A, and in each encryption; the same by wire; a smart meter's P1 text;
 * a ZCL report. Beside them the cost of one pass over the same bytes (memcpy),
 * the least that any decoder does.
 */
#include <stdlib.h>
#include <time.h>

#include "../unit/mbus_writer.h"

#include "../../bridge/codec/crc16.h"
#include "../../bridge/codec/mbus_format.h"

enum { HEAT = 4, ROUND = 1000 };

typedef enum reading_status (*decoding)(struct decoder *decoder,
                                        const struct raw_telegram *telegram, struct reading *out,
                                        size_t *count);

static const char records_hex[] = "0406a1b20100" /* energy, kWh */
                                  "0414c3d40200" /* volume, 0.01 m3 */
                                  "042b10270000" /* power, W */
                                  "043b88130000" /* flow, l/h */
                                  "025bea00"     /* flow and return temperature */
                                  "025f9600"
                                  "4406a0860100426cff2c" /* at the set date */
                                  "046d1e2a5c3b" /* its clock */;

static const struct meter_key key = {
    .bytes = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15}, .clear_accepted = true};

static const struct meter_key *find_key(void *context, const uint8_t device[MBUS_DEVICE_SIZE])
{
	(void)context;
	(void)device;
	return &key;
}

static struct decoder decoder = {.key = find_key};

static double now_s(void)
{
	struct timespec now;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
	return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

static void measure(const char *name, decoding decode, const struct raw_telegram *telegram)
{
	static struct reading readings[READING_LIMIT];
	uint8_t copy[4096];
	size_t count = 0;
	double began, copied_s, taken_s = 0;
	long telegrams = 0, copies = 0;

	if (decode(&decoder, telegram, readings, &count) != READING_OK || count == 0) {
		printf("%-34s is not read\n", name);
		exit(1);
	}
	for (began = now_s(); taken_s < 0.5; taken_s = now_s() - began, telegrams += ROUND)
		for (int i = 0; i < ROUND; i++)
			decode(&decoder, telegram, readings, &count);
	for (began = now_s(), copied_s = 0; copied_s < 0.1; copied_s = now_s() - began, copies += ROUND)
		for (int i = 0; i < ROUND; i++) {
			memcpy(copy, telegram->bytes, telegram->size);
			__asm__ volatile("" : : "r"(copy) : "memory"); /* not to be left out */
		}
	printf("%-34s %4zu bytes %3zu readings %10.0f telegrams/s %6.0f ns (copy %4.0f ns)\n", name,
	       telegram->size, count, (double)telegrams / taken_s, 1e9 * taken_s / (double)telegrams,
	       1e9 * copied_s / (double)copies);
}

static void measure_wireless(const char *name, const uint8_t *above, size_t size)
{
	uint8_t frame[256];
	struct raw_telegram telegram = {NULL, frame, 0, write_wireless(frame, HEAT, above, size)};

	measure(name, reading_decode_wireless_mbus, &telegram);
}

static void measure_mbus(void)
{
	uint8_t records[128], above[256], frame[256], checked[400];
	size_t size = from_hex(records_hex, records);
	struct writer plain = writer_over(above, sizeof(above));

	writer_bytes(&plain, "\x7a\x01\x00\x00\x00", 5);
	writer_bytes(&plain, records, size);
	measure_wireless("wireless M-Bus, plain", above, plain.at);
	size_t frame_size = write_wireless(frame, HEAT, above, plain.at);
	struct raw_telegram format_a = {NULL, checked, 0, write_format_a(checked, frame, frame_size)};
	measure("wireless M-Bus, plain, format A", reading_decode_wireless_mbus, &format_a);
	measure_wireless("wireless M-Bus, mode 5", above,
	                 write_mode_5(above, key.bytes, HEAT, 0x2a, records, size));
	measure_wireless("wireless M-Bus, mode 7", above,
	                 write_mode_7(above, key.bytes, records, size));
	uint8_t payload[200];
	payload[0] = 0x78;
	memcpy(payload + 1, records, size);
	measure_wireless("wireless M-Bus, ELL", above,
	                 write_session(above, key.bytes, HEAT, payload, size + 1));

	struct writer wired = writer_over(frame, sizeof(frame));
	size_t length = 3 + 12 + size;
	writer_u8(&wired, 0x68);
	writer_u8(&wired, (uint8_t)length);
	writer_u8(&wired, (uint8_t)length);
	writer_bytes(&wired, "\x68\x08\x01\x72\x78\x56\x34\x12\x43\x04\x01\x04\x01\x00\x00\x00", 16);
	writer_bytes(&wired, records, size);
	uint8_t sum = 0;
	for (size_t i = 4; i < wired.at; i++)
		sum = (uint8_t)(sum + frame[i]);
	writer_u8(&wired, sum);
	writer_u8(&wired, 0x16);
	struct raw_telegram long_frame = {NULL, frame, 0, wired.at};
	measure("wired M-Bus", reading_decode_wired_mbus, &long_frame);
}

static void measure_p1(void)
{
	static const char lines[] =
	    "/XYZ5\\METER\r\n\r\n1-3:0.2.8(50)\r\n0-0:1.0.0(240115120000W)\r\n"
	    "0-0:96.1.1(4530303031323334353637383930)\r\n"
	    "1-0:1.8.1(004567.123*kWh)\r\n1-0:1.8.2(001234.567*kWh)\r\n1-0:2.8.1(000012.345*kWh)\r\n"
	    "1-0:2.8.2(000023.456*kWh)\r\n0-0:96.14.0(0002)\r\n1-0:1.7.0(00.512*kW)\r\n"
	    "1-0:2.7.0(00.000*kW)\r\n0-0:96.7.21(00004)\r\n1-0:32.7.0(230.1*V)\r\n1-0:31.7.0(002*A)\r\n"
	    "1-0:21.7.0(00.512*kW)\r\n1-0:22.7.0(00.000*kW)\r\n0-1:24.1.0(003)\r\n"
	    "0-1:96.1.0(4730303031323334353637383930)\r\n"
	    "0-1:24.2.1(240115115500W)(01234.567*m3)\r\n!";
	char text[1024];
	int size = snprintf(text, sizeof(text), "%s%04X\r\n", lines, crc16_arc(lines, strlen(lines)));
	struct raw_telegram telegram = {NULL, (const uint8_t *)text, 0, (size_t)size};

	measure("P1, DSMR 5", reading_decode_p1, &telegram);
}

static void measure_zcl(void)
{
	uint8_t address[ZCL_ADDRESS_SIZE], report[64];
	struct writer writer = writer_over(address, sizeof(address));
	struct zcl_address source = {0x0015bc0000000042, 2, 0x0109, 0x0702};

	zcl_address_write(&writer, &source);
	struct raw_telegram telegram = {
	    address, report, sizeof(address),
	    from_hex("18430a000025e7640000000000042aee3600010322010000020322e80300", report)};
	measure("ZCL Metering", reading_decode_zcl, &telegram);
}

/* All telegrams of the real ones ($SMARTHG_DATA or ../shared/data) that are in clear, in turn. */
static void measure_real(void)
{
	static struct reading readings[READING_LIMIT];
	static uint8_t bytes[512][256];
	static size_t sizes[512];
	static char line[20000];
	const char *folder = getenv("SMARTHG_DATA");
	size_t rows = 0, count;
	double taken_s = 0;
	long telegrams = 0;

	snprintf(line, sizeof(line), "%s/telegrams/wmbus.tsv", folder ? folder : "../shared/data");
	FILE *file = fopen(line, "r");
	while (file && rows < 512 && fgets(line, sizeof(line), file)) {
		char *field = line;

		for (int i = 0; field && i < 8; i++)
			field = strchr(field, '\t') ? strchr(field, '\t') + 1 : NULL;
		if (!field)
			continue;
		field[strcspn(field, ",\t")] = '\0';
		if (strlen(field) > 2 * 256)
			continue;
		sizes[rows] = from_hex(field, bytes[rows]);
		struct raw_telegram telegram = {NULL, bytes[rows], 0, sizes[rows]};
		if (reading_decode_wireless_mbus(&decoder, &telegram, readings, &count) == READING_OK &&
		    count > 0)
			rows++;
	}
	if (file)
		fclose(file);
	if (rows == 0) {
		printf("real telegrams are not here: skipped\n");
		return;
	}
	for (double began = now_s(); taken_s < 0.5; taken_s = now_s() - began, telegrams += (long)rows)
		for (size_t i = 0; i < rows; i++) {
			struct raw_telegram telegram = {NULL, bytes[i], 0, sizes[i]};

			reading_decode_wireless_mbus(&decoder, &telegram, readings, &count);
		}
	printf("%-34s %4zu telegrams in turn     %10.0f telegrams/s %6.0f ns\n",
	       "wireless M-Bus, real, in clear", rows, (double)telegrams / taken_s,
	       1e9 * taken_s / (double)telegrams);
}

int main(void)
{
	decoder.cipher = meter_cipher_new();
	decoder.formats = mbus_formats_new();
	if (!decoder.cipher || !decoder.formats)
		return 1;
	measure_mbus();
	measure_p1();
	measure_zcl();
	measure_real();
	meter_cipher_free(decoder.cipher);
	mbus_formats_free(decoder.formats);
	return 0;
}
