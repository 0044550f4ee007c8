/*
 * Promises of the SMS dispatcher's codec and of a SIM card's PIN: texts pass to a modem and back
 * unharmed, a message's alphabet and length are those of GSM 03.38, and each
 * line of a modem is told for what it is, however its bytes arrive.
 */
#include "tap.h"

#include <string.h>

#include "../../bridge/core/sim_pin.h"

static bool passes(const char *text)
{
	char digits[1000], back[1000];

	return sms_hex_write(text, digits, sizeof(digits)) &&
	       sms_hex_read(cursor_over(digits, strlen(digits)), back, sizeof(back)) &&
	       strcmp(text, back) == 0;
}

static bool reads(const char *digits, const char *wanted)
{
	char text[100];

	return sms_hex_read(cursor_over(digits, strlen(digits)), text, sizeof(text)) &&
	       strcmp(text, wanted) == 0;
}

static void test_digits(void)
{
	char out[16];

	ok(passes("") && passes("a\nb") && passes("æøå €") && passes("температура") &&
	       passes("\U0001F321 end"),
	   "texts pass to digits and back");
	ok(sms_hex_write("é\U0001F321", out, sizeof(out)) && strcmp(out, "00E9D83CDF21") == 0,
	   "a character beyond 16 bits is a surrogate pair");
	ok(reads("D83C0041", "\uFFFDA") && reads("DF21", "\uFFFD") && reads("0000", "\uFFFD"),
	   "lone surrogates and NUL become U+FFFD");
	ok(sms_hex_write("\xff\xc3", out, sizeof(out)) && strcmp(out, "FFFDFFFD") == 0,
	   "bytes that are no UTF-8 become U+FFFD");
	ok(!sms_hex_read(cursor_over("00E", 3), out, sizeof(out)) &&
	       !sms_hex_read(cursor_over("00G1", 4), out, sizeof(out)),
	   "what is not whole digits is refused");
	ok(!sms_hex_write("abcd", out, sizeof(out)) &&
	       !sms_hex_read(cursor_over("0041004100410041", 16), out, 4),
	   "too little room is told");
}

static enum sms_alphabet repeated(const char *character, int times, const char *more)
{
	char text[2000] = "";

	for (int i = 0; i < times; i++)
		strcat(text, character);
	strcat(text, more);
	return sms_alphabet_of(text);
}

static void test_alphabet(void)
{
	ok(repeated("a", 160, "") == SMS_DEFAULT_ALPHABET && repeated("a", 161, "") == SMS_TOO_LONG,
	   "160 characters of the default alphabet fit, 161 do not");
	ok(repeated("€", 80, "") == SMS_DEFAULT_ALPHABET && repeated("~", 81, "") == SMS_TOO_LONG &&
	       repeated("{", 79, "ab") == SMS_DEFAULT_ALPHABET,
	   "its extension counts twice");
	ok(repeated("ж", 70, "") == SMS_UCS2 && repeated("ж", 71, "") == SMS_TOO_LONG &&
	       repeated("\U0001F321", 35, "") == SMS_UCS2 &&
	       repeated("\U0001F321", 35, "a") == SMS_TOO_LONG,
	   "70 code units of other letters fit");
	ok(sms_alphabet_of("ÆØÅæøå£¥èéùìòÇΔΦΓΛΩΠΨΣΘΞßÉ¤¡ÄÖÑÜ§¿äöñüà") == SMS_DEFAULT_ALPHABET &&
	       sms_alphabet_of("`") == SMS_UCS2 && sms_alphabet_of("ç") == SMS_UCS2,
	   "the default alphabet has its letters and no others");
	ok(sms_phone_valid("+4512345678") && !sms_phone_valid("4512345678") &&
	       !sms_phone_valid("+45123456x") && !sms_phone_valid("+1234567890123456") &&
	       !sms_phone_valid("+123") && !sms_phone_valid(""),
	   "a phone number is + and 4 to 15 digits");
}

static struct at_line line_of(const char *text)
{
	struct at_line line;

	at_line_read(cursor_over(text, strlen(text)), &line);
	return line;
}

static void test_lines(void)
{
	struct at_line line;

	ok(line_of("OK").kind == AT_OK && line_of("OKAY").kind == AT_OTHER &&
	       line_of("").kind == AT_NOTHING && line_of(">").kind == AT_PROMPT &&
	       line_of("RING").kind == AT_OTHER,
	   "plain answers");
	ok(line_of("ERROR").number == -1 && line_of("+CMS ERROR: 500").number == 500 &&
	       line_of("+CME ERROR: SIM failure").number == -1 &&
	       line_of("+CME ERROR: 10").kind == AT_ERROR,
	   "errors with and without a number");
	ok(line_of("+CMTI: \"SM\",3").number == 3 && line_of("+CMTI: \"SM\"").number == -1 &&
	       line_of("+CMGL: 12,\"REC UNREAD\",\"+45\"").number == 12 &&
	       line_of("+CMGS: 255").number == 255,
	   "slots and references");
	line = line_of("+CMGR: \"REC UNREAD\",\"+4512345678\",,\"25/11/20,10:00:09+04\"");
	ok(line.kind == AT_MESSAGE && strcmp(line.phone, "+4512345678") == 0 &&
	       line.sent_ms == INT64_C(1763629209000),
	   "a message with its number and its time, in quarters of an hour from UTC");
	line = line_of("+CMGR: \"REC READ\",\"002B00340035\",\"a, \"\"b\",\"25/11/20,10:00:09-04\"");
	ok(strcmp(line.phone, "+45") == 0 && line.sent_ms == INT64_C(1763636409000),
	   "a number in digits of UCS2, and a comma in quotes");
	line = line_of("+CMGR: \"REC READ\",\"MyBank\",,\"yesterday\"");
	ok(strcmp(line.phone, "MyBank") == 0 && line.sent_ms == 0, "a name, and no time");
	line = line_of("+CDS: 6,42,\"+45\",145,\"25/11/20,10:00:00+04\",\"25/11/20,10:00:05+04\",0");
	ok(line.kind == AT_REPORT && line.number == 42 && line.delivered && !line.failed,
	   "a report of a delivery");
	line = line_of("+CDS: 6,42,,,\"25/11/20,10:00:00+04\",\"25/11/20,10:00:05+04\",70");
	ok(line.failed && !line.delivered && !line_of("+CDS: 6,42,,,,,48").failed,
	   "a report of a failure, and of one more try");
}

static void test_sim_lines(void)
{
	struct at_line line = line_of("+CPIN: READY");

	ok(line.kind == AT_SIM && line.sim == AT_SIM_READY &&
	       line_of("+CPIN: SIM PIN").sim == AT_SIM_PIN,
	   "a SIM card is ready, or asks for its PIN");
	ok(line_of("+CPIN: SIM PUK").sim == AT_SIM_LOCKED && line_of("+CPIN:").sim == AT_SIM_LOCKED &&
	       line_of("+CPIN: SIM PIN2").sim == AT_SIM_LOCKED &&
	       line_of("+CPIN: READ").sim == AT_SIM_LOCKED,
	   "all else that it may ask for is none of ours");
	line = line_of("+CPINR: SIM PIN,2,3");
	ok(line.kind == AT_SIM_TRIES && line.number == 2 && line.of == 3,
	   "tries that are left, and of how many");
	line = line_of("+CPINR: \"SIM PIN\",1");
	ok(line.kind == AT_SIM_TRIES && line.number == 1 && line.of == -1,
	   "of how many may be missing");
	ok(line_of("+CPINR: SIM PUK,10,10").kind == AT_OTHER,
	   "tries of the PUK are not those of the PIN");
}

static void test_pin(void)
{
	const char *why = NULL;
	struct sim_pin pin, none = {.spent = false};

	ok(sim_pin_read(" 0042\r\n", &pin) && strcmp(pin.digits, "0042") == 0 &&
	       sim_pin_read("12345678", &pin),
	   "a PIN is four to eight digits");
	ok(!sim_pin_read("123", &pin) && !sim_pin_read("123456789", &pin) && !sim_pin_read("", &pin) &&
	       !sim_pin_read("12a4", &pin) && !sim_pin_read("1234\";+CPIN=\"1", &pin) &&
	       !sim_pin_read("1234 5678", &pin),
	   "and nothing else");
	sim_pin_read("1234", &pin);
	ok(sim_pin_asked(&pin, AT_SIM_READY, &why) == SIM_GO_ON &&
	       sim_pin_asked(&pin, AT_SIM_LOCKED, &why) == SIM_STOP &&
	       sim_pin_asked(&none, AT_SIM_PIN, &why) == SIM_STOP &&
	       sim_pin_asked(&none, AT_SIM_READY, &why) == SIM_GO_ON,
	   "it is given only where it is asked for and known");
	ok(sim_pin_asked(&pin, AT_SIM_PIN, &why) == SIM_ASK_TRIES &&
	       sim_pin_tries(&pin, 3, 3, &why) == SIM_GIVE_PIN &&
	       sim_pin_tries(&pin, -1, -1, &why) == SIM_GIVE_PIN,
	   "with all tries left, or where the modem does not tell");
	why = NULL;
	ok(sim_pin_tries(&pin, 2, 3, &why) == SIM_STOP && why &&
	       sim_pin_tries(&pin, 0, 3, &why) == SIM_STOP &&
	       sim_pin_tries(&pin, 2, -1, &why) == SIM_STOP &&
	       sim_pin_tries(&pin, 3, -1, &why) == SIM_GIVE_PIN,
	   "not where one was wasted before: the usual three where it is not told of how many");
	sim_pin_given(&pin);
	ok(sim_pin_asked(&pin, AT_SIM_PIN, &why) == SIM_STOP &&
	       sim_pin_tries(&pin, 3, 3, &why) == SIM_STOP &&
	       sim_pin_asked(&pin, AT_SIM_READY, &why) == SIM_GO_ON,
	   "once given it is not given again, whatever is told");
	sim_pin_taken(&pin);
	ok(sim_pin_asked(&pin, AT_SIM_PIN, &why) == SIM_ASK_TRIES, "unless the card took it");
}

static void test_reader(void)
{
	static const char input[] = "AT\r\r\nOK\r\n\r\n> ok> \r\n";
	static struct at_reader reader;
	char seen[100] = "", longest[2 * AT_LINE_SIZE];
	struct cursor line, bytes;

	for (size_t i = 0; i + 1 < sizeof(input); i++) {
		bytes = cursor_over(input + i, 1);
		while (at_reader_next(&reader, &bytes, &line))
			sprintf(seen + strlen(seen), "[%.*s]", (int)line.size, (const char *)line.bytes);
	}
	ok(strcmp(seen, "[AT][][][OK][][][][>][ok> ][]") == 0,
	   "lines and prompts are told however the bytes arrive (%s)", seen);
	memset(longest, 'A', sizeof(longest));
	bytes = cursor_over(longest, sizeof(longest));
	ok(!at_reader_next(&reader, &bytes, &line), "an endless line is no line yet");
	bytes = cursor_over("\rOK\r", 4);
	ok(at_reader_next(&reader, &bytes, &line) && line.size == 0 &&
	       at_reader_next(&reader, &bytes, &line) && line.size == 2,
	   "and is dropped as a whole");
}

int main(void)
{
	test_digits();
	test_alphabet();
	test_lines();
	test_sim_lines();
	test_pin();
	test_reader();
	return tap_done();
}
