/* Secrets, passwords and forms of the service market: the vectors of RFC 7914, 7636 and 6749, what
 * is refused, and that one text alone stands for a value (DESIGN.md section 8). */
#include "tap.h"
#include "../../extension/core/market/form.h"
#include "../../extension/core/market/password.h"
#include "../../extension/core/market/secret.h"

#include <stdlib.h>

static outcome out;

static void test_password(void)
{
	/* RFC 7914 section 12: N = 1024, r = 8, p = 16, and N = 16384, r = 8, p = 1. */
	const char *const vectors[][2] = {
	    {"password",
	     "$scrypt$ln=10,r=8,p=16$TmFDbA$/bq+HJ00cgB4VucZDQHp/nxq18vII3gw53N2Y0s3MWIurzDZ"
	     "LiKjiG/xCSedmDDaxyevuUqD7m2DYMvfoswGQA"},
	    {"pleaseletmein", "$scrypt$ln=14,r=8,p=1$U29kaXVtQ2hsb3JpZGU$cCO9yzr9c0hGHAbNgf046/"
	                      "2o+7qQT44+qbVD9lRdofLVQylVYT8"
	                      "Pz2LUlwUkKpr55h6F3A1lHkDfzwF7RVdYhw"}};
	const char *const nonsense[] = {"",
	                                "secret",
	                                "$scrypt$ln=10,r=8,p=16$TmFDbA",
	                                "$scrypt$ln=10,r=8,p=16$TmFDbA$AAAA",
	                                "$scrypt$ln=99,r=8,p=1$TmFDbA$AAAAAAAAAAAAAAAAAAAAAA",
	                                "$scrypt$ln=20,r=32,p=1$TmFDbA$AAAAAAAAAAAAAAAAAAAAAA",
	                                "$scrypt$ln=10,r=-8,p=1$TmFDbA$AAAAAAAAAAAAAAAAAAAAAA",
	                                "$argon2id$v=19$m=65536,t=3,p=4$c2FsdA$AAAAAAAAAAAAAAAAAAAAAA"};
	const password_cost cheap = {.log2_n = 4, .r = 8, .p = 1}, huge = {20, 32, 1};
	char first[PASSWORD_TEXT_SIZE], second[PASSWORD_TEXT_SIZE];
	char long_password[PASSWORD_MOST + 1];
	bool matches;

	for (int i = 0; i < 2; i++) {
		const char *password = vectors[i][0], *hash = vectors[i][1];

		ok(password_matches(password, strlen(password), hash, &matches, &out) == OUTCOME_OK &&
		       matches,
		   "the RFC's hash %d of a password is known again", i + 1);
		ok(password_matches(password, strlen(password) - 1, hash, &matches, &out) == OUTCOME_OK &&
		       !matches,
		   "... and one character less is another password");
	}
	for (size_t i = 0; i < sizeof(nonsense) / sizeof(*nonsense); i++)
		ok(password_matches("x", 1, nonsense[i], &matches, &out) == OUTCOME_BAD_INPUT,
		   "stored nonsense %zu is an error", i + 1);
	ok(password_hash("tea", 3, &cheap, first, &out) == OUTCOME_OK &&
	       password_hash("tea", 3, &cheap, second, &out) == OUTCOME_OK &&
	       strcmp(first, second) != 0,
	   "the same password has another hash each time");
	ok(password_matches("tea", 3, first, &matches, &out) == OUTCOME_OK && matches &&
	       strncmp(first, "$scrypt$ln=4,r=8,p=1$", 21) == 0,
	   "... that carries its cost and is known again");
	ok(password_hash("tea", 3, &huge, first, &out) == OUTCOME_BAD_INPUT,
	   "a cost of 4 GB is refused");
	memset(long_password, 'a', sizeof(long_password));
	ok(password_hash(long_password, sizeof(long_password), &cheap, first, &out) ==
	       OUTCOME_BAD_INPUT,
	   "a password beyond %d bytes is refused", PASSWORD_MOST);
}

static bool challenge(const char *verifier, const char *of)
{
	bool matches = true;

	if (pkce_matches(verifier, strlen(verifier), of, strlen(of), &matches, &out) != OUTCOME_OK)
		return false;
	return matches;
}

static void test_secret(void)
{
	/* RFC 7636 appendix B. */
	const char *verifier = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
	const char *of = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";
	char text[SECRET_TEXT_SIZE], other[SECRET_TEXT_SIZE];
	uint8_t bytes[SECRET_BYTES + 1], digest[SECRET_DIGEST_BYTES];
	size_t length;
	bool matches;

	ok(challenge(verifier, of), "the RFC's verifier has the RFC's challenge");
	ok(!challenge("dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXj", of), "... another has not");
	ok(!challenge(verifier, "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cN"),
	   "... nor another challenge with bits that are no part of it");
	ok(!challenge(verifier, verifier),
	   "... nor does a verifier match itself, as method plain would");
	ok(!challenge("dBjftJeZ4CVP", "n4bQgYhMfWWaL-qgxVrQFaO_TxsrC4Is0V1sFbDwCgg"),
	   "a verifier of less than 43 characters matches nothing");
	ok(secret_make(text, &out) == OUTCOME_OK && secret_make(other, &out) == OUTCOME_OK &&
	       strcmp(text, other) != 0,
	   "secrets differ");
	ok(strlen(text) == SECRET_TEXT_SIZE - 1 &&
	       base64_read(text, strlen(text), BASE64_URL, bytes, sizeof(bytes), &length) &&
	       length == SECRET_BYTES,
	   "... and are 256 bits in base64url");
	ok(secret_digest(text, strlen(text), digest, &out) == OUTCOME_OK &&
	       secret_matches(text, strlen(text), digest, sizeof(digest), &matches, &out) ==
	           OUTCOME_OK &&
	       matches,
	   "a secret is known by its digest");
	ok(secret_matches(other, strlen(other), digest, sizeof(digest), &matches, &out) == OUTCOME_OK &&
	       !matches,
	   "... another is not");
	ok(secret_matches(text, strlen(text), digest, 4, &matches, &out) == OUTCOME_OK && !matches,
	   "... nor by the beginning of a digest");
	ok(!base64_read("AB", 2, BASE64_URL, bytes, sizeof(bytes), &length) &&
	       !base64_read("A", 1, BASE64_URL, bytes, sizeof(bytes), &length) &&
	       !base64_read("AA==", 4, BASE64_URL, bytes, sizeof(bytes), &length) &&
	       !base64_read("A A", 3, BASE64_URL, bytes, sizeof(bytes), &length) &&
	       !base64_read("+/AA", 4, BASE64_URL, bytes, sizeof(bytes), &length),
	   "base64url with loose bits, padding, blanks or another alphabet is none");
}

static bool reads(const char *text, form *read)
{
	static char bytes[FORM_MOST_BYTES + 2];

	memcpy(bytes, text, strlen(text));
	return form_read(bytes, strlen(text), read, &out) == OUTCOME_OK;
}

static bool is_text(form_text got, const char *want)
{
	return got.length == strlen(want) && memcmp(got.bytes, want, got.length) == 0;
}

static void test_form(void)
{
	const char *const refused[] = {"a=1&a=2", "a=%", "a=%4", "a=%zz", "a=%00", "=1", "a=1&%61=2"};
	char long_text[FORM_MOST_BYTES + 2];
	form read;

	/* RFC 6749 appendix B. */
	ok(reads("+%25%26%2B%C2%A3%E2%82%AC=x", &read) && read.count == 1 &&
	       is_text(read.fields[0].name, " %&+\xc2\xa3\xe2\x82\xac") &&
	       is_text(read.fields[0].value, "x"),
	   "the RFC's characters are decoded");
	ok(reads("a=1&b&c=&d==", &read) && read.count == 4 && is_text(read.fields[1].name, "b") &&
	       is_text(read.fields[1].value, "") && is_text(read.fields[2].value, "") &&
	       is_text(read.fields[3].value, "="),
	   "fields without value are read");
	ok(reads("", &read) && read.count == 0, "no fields are a form too");
	for (size_t i = 0; i < sizeof(refused) / sizeof(*refused); i++)
		ok(!reads(refused[i], &read), "%s is refused", refused[i]);
	memset(long_text, 'a', FORM_MOST_BYTES + 1);
	long_text[FORM_MOST_BYTES + 1] = '\0';
	ok(!reads(long_text, &read), "a form beyond %d bytes is refused", FORM_MOST_BYTES);
}

int main(void)
{
	test_password();
	test_secret();
	test_form();
	return tap_done();
}
