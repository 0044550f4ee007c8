/* JOSE against the examples of its own standards: RFC 7515, 7516, 7517, 7518, 7520, 7638. */
#include "../../extension/core/token/aes_gcm.h"
#include "../../extension/core/token/base64url.h"
#include "../../extension/core/token/jwe.h"
#include "../../extension/core/token/jws.h"
#include "tap.h"

#include <stdlib.h>

/* RFC 7515 appendix A.2, A.3: keys and the payload that both sign. */
static const char rsa_a2[] =
    "{\"kty\":\"RSA\",\"n\":\"ofgWCuLjybRlzo0tZWJjNiuSfb4p4fAkd_wWJcyQoTbji9k0l8W26mPddx"
    "HmfHQp-Vaw-4qPCJrcS2mJPMEzP1Pt0Bm4d4QlL-yRT-SFd2lZS-pCgNMs"
    "D1W_YpRPEwOWvG6b32690r2jZ47soMZo9wGzjb_7OMg0LOL-bSf63kpaSH"
    "SXndS5z5rexMdbBYUsLA9e-KXBdQOS-UTo7WTBEMa2R2CapHg665xsmtdV"
    "MTBQY4uDZlxvb3qCo5ZwKh9kG4LT6_I5IhlJH7aGhyxXFvUK-DWNmoudF8"
    "NAco9_h9iaGNj8q2ethFkMLs91kzk2PAcDTW9gb54h4FRWyuXpoQ\",\"e\":\"AQAB\"}";
static const char ec_a3[] =
    "{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU\","
    "\"y\":\"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0\"}";
#define PAYLOAD_A                                                                                  \
	"eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0"     \
	"cnVlfQ"
static const char jws_a2[] = "eyJhbGciOiJSUzI1NiJ9." PAYLOAD_A
                             ".cC4hiUPoj9Eetdgtv3hF80EGrhuB__dzERat0XF9g2VtQgr9PJbu3XOiZj5RZ"
                             "mh7AAuHIm4Bh-0Qc_lF5YKt_O8W2Fp5jujGbds9uJdbF9CUAr7t1dnZcAcQjb"
                             "KBYNX4BAynRFdiuB--f_nZLgrnbyTyWzO75vRK5h6xBArLIARNPvkSjtQBMHl"
                             "b1L07Qe7K0GarZRmB_eSN9383LcOLn6_dO--xi12jzDwusC-eOkHWEsqtFZES"
                             "c6BfI7noOPqvhJ1phCnvWh6IeYI2w9QOYEUipUTI8np6LbgGY9Fs98rqVt5AX"
                             "LIhWkWywlVmtVrBp0igcN_IoypGlUPQGe77Rw";
static const char jws_a3[] = "eyJhbGciOiJFUzI1NiJ9." PAYLOAD_A
                             ".DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8IS"
                             "lSApmWQxfKTUJqPP3-Kg6NU1Q";

/* RFC 7520 section 4.1: RS256 with a kid. */
static const char rsa_7520[] =
    "{\"kty\":\"RSA\",\"kid\":\"bilbo.baggins@hobbiton.example\",\"use\":\"sig\",\"n\":\""
    "n4EPtAOCc9AlkeQHPzHStgAbgs7bTZLwUBZdR8_KuKPEHLd4rHVTeT"
    "-O-XV2jRojdNhxJWTDvNd7nqQ0VEiZQHz_AJmSCpMaJMRBSFKrKb2wqV"
    "wGU_NsYOYL-QtiWN2lbzcEe6XC0dApr5ydQLrHqkHHig3RBordaZ6Aj-"
    "oBHqFEHYpPe7Tpe-OfVfHd1E6cS6M1FZcD1NNLYD5lFHpPI9bTwJlsde"
    "3uhGqC0ZCuEHg8lhzwOHrtIQbS0FVbb9k3-tVTU4fg_3L_vniUFAKwuC"
    "LqKnS2BYwdq_mzSnbLY7h_qixoR7jig3__kRhuaxwUkRz5iaiQkqgc5g"
    "HdrNP5zw\",\"e\":\"AQAB\"}";
#define PAYLOAD_7520                                                                               \
	"SXTigJlzIGEgZGFuZ2Vyb3VzIGJ1c2luZXNzLCBGcm9kbywgZ29pbmcgb3V0IH"                               \
	"lvdXIgZG9vci4gWW91IHN0ZXAgb250byB0aGUgcm9hZCwgYW5kIGlmIHlvdSBk"                               \
	"b24ndCBrZWVwIHlvdXIgZmVldCwgdGhlcmXigJlzIG5vIGtub3dpbmcgd2hlcm"                               \
	"UgeW91IG1pZ2h0IGJlIHN3ZXB0IG9mZiB0by4"
static const char jws_7520[] =
    "eyJhbGciOiJSUzI1NiIsImtpZCI6ImJpbGJvLmJhZ2dpbnNAaG9iYml0b24uZXhhbXBsZSJ9." PAYLOAD_7520
    ".MRjdkly7_-oTPTS3AXP41iQIGKa80A0ZmTuV5MEaHoxnW2e5CZ5NlKtainoFmK"
    "ZopdHM1O2U4mwzJdQx996ivp83xuglII7PNDi84wnB-BDkoBwA78185hX-Es4J"
    "IwmDLJK3lfWRa-XtL0RnltuYv746iYTh_qHRD68BNt1uSNCrUCTJDt5aAE6x8w"
    "W1Kt9eRo4QPocSadnHXFxnt8Is9UzpERV0ePPQdLuW3IS_de3xyIrDaLGdjluP"
    "xUAhb6L2aXic1U12podGU0KLUQSE_oI-ZnmKJ3F4uOZDnd6QZWJushZ41Axf_f"
    "cIe8u9ipH84ogoree7vjbU5y18kDquDg";

/* RFC 7517 appendix A.1, and its RSA key with the thumbprint of RFC 7638 section 3.1. */
static const char ec_7517[] =
    "{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4\","
    "\"y\":\"4Etl6SRW2YiLUrN5vfvVHuhp7x8PxltmWWlbbM4IFyM\",\"use\":\"enc\",\"kid\":\"1\"}";
static const char rsa_7638[] =
    "{\"kty\":\"RSA\",\"n\":\"0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbf"
    "AAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJECPebWKRXjBZCiFV4n3oknj"
    "hMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65"
    "YGjQR0_FDW2QvzqY368QQMicAtaSqzs8KJZgnYb9c7d0zgdAZHzu6qMQ"
    "vRL5hajrn1n91CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lF"
    "d2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-kEgU8awapJzK"
    "nqDKgw\",\"e\":\"AQAB\",\"alg\":\"RS256\",\"kid\":\"2011-04-29\"}";

static bool verifies(const char *token, const char *jwk)
{
	uint8_t payload[TOKEN_MOST];
	size_t count;
	token_key key;
	const char *kid;
	bool good;
	outcome out;
	jws opened;

	if (key_from_jwk(jwk, strlen(jwk), &key, &out) != OUTCOME_OK)
		return false;
	good = jws_open(token, strlen(token), &opened, &kid, &out) == OUTCOME_OK &&
	       jws_verify(&opened, &key, NULL, payload, sizeof(payload), &count, &out) == OUTCOME_OK;
	jws_close(&opened);
	key_free(&key);
	return good;
}

static void check_examples_of_jws(void)
{
	ok(verifies(jws_a2, rsa_a2), "RFC 7515 A.2: RS256");
	ok(verifies(jws_a3, ec_a3), "RFC 7515 A.3: ES256");
	ok(verifies(jws_7520, rsa_7520), "RFC 7520 4.1: RS256 with a kid");
	ok(!verifies(jws_a2, ec_a3) && !verifies(jws_a3, rsa_a2), "... and none by the other's key");
	ok(!verifies(jws_7520, rsa_a2), "... nor by a key of another name");
}

static void check_base64url(void)
{
	/* RFC 4648 section 10, without padding. */
	static const char *const pairs[][2] = {
	    {"", ""},           {"f", "Zg"},          {"fo", "Zm8"},         {"foo", "Zm9v"},
	    {"foob", "Zm9vYg"}, {"fooba", "Zm9vYmE"}, {"foobar", "Zm9vYmFy"}};
	static const char *const refused[] = {"Zg==", "Zh",    "Zm9", "Z",
	                                      "Zm 8", "Zm8\n", "+/8", "Zm9v="};
	char text[16];
	uint8_t bytes[16];
	size_t count;
	int wrong = 0;

	for (size_t i = 0; i < sizeof(pairs) / sizeof(*pairs); i++) {
		base64url_encode((const uint8_t *)pairs[i][0], strlen(pairs[i][0]), text);
		wrong += strcmp(text, pairs[i][1]) != 0 ||
		         !base64url_decode(text, strlen(text), bytes, sizeof(bytes), &count) ||
		         count != strlen(pairs[i][0]) || memcmp(bytes, pairs[i][0], count) != 0;
	}
	ok(wrong == 0, "RFC 4648 section 10 both ways");
	for (size_t i = 0; i < sizeof(refused) / sizeof(*refused); i++)
		ok(!base64url_decode(refused[i], strlen(refused[i]), bytes, sizeof(bytes), &count),
		   "base64url is exact: example %zu is refused", i + 1);
	ok(!base64url_decode("Zm9vYmFy", 8, bytes, 5, &count), "no more bytes than there is room for");
}

static void check_derivation(void)
{
	static const uint8_t shared[] = {158, 86,  217, 29,  129, 113, 53,  211, 114, 131, 66,
	                                 131, 191, 132, 38,  156, 251, 49,  110, 163, 218, 128,
	                                 106, 72,  246, 218, 167, 121, 140, 254, 144, 196};
	const jwe_info info = {.algorithm = "A128GCM",
	                       .apu = (const uint8_t *)"Alice",
	                       .apu_count = 5,
	                       .apv = (const uint8_t *)"Bob",
	                       .apv_count = 3};
	uint8_t key[32];
	char text[32] = "";

	if (jwe_derive(shared, &info, 128, key))
		base64url_encode(key, 16, text);
	ok(strcmp(text, "VqqN6vgjbSBcIijNcacQGg") == 0, "RFC 7518 appendix C: the derived key");
}

static void check_content_encryption(void)
{
	/* RFC 7516 appendix A.1. */
	static const uint8_t key[] = {177, 161, 244, 128, 84,  143, 225, 115, 63, 180, 3,
	                              255, 107, 154, 212, 246, 138, 7,   110, 91, 112, 46,
	                              34,  105, 47,  130, 203, 46,  122, 234, 64, 252};
	static const char aad[] = "eyJhbGciOiJSU0EtT0FFUCIsImVuYyI6IkEyNTZHQ00ifQ";
	static const char ciphertext[] =
	    "5eym8TW_c8SuK0ltJ3rpYIzOeDQz7TALvtu6UG9oMo4vpzs9tX_EFShS8iB7j6jiSdiwkIr3ajwQzaBtQD_A";
	static const char plain[] = "The true sign of intelligence is not knowledge but imagination.";
	uint8_t iv[AES_GCM_IV], tag[AES_GCM_TAG], sealed[100], opened[100];
	size_t count, ignored;

	base64url_decode("48V1_ALb6US04U3b", 16, iv, sizeof(iv), &ignored);
	base64url_decode("XFBoMYUZodetZdvTiFvSkQ", 22, tag, sizeof(tag), &ignored);
	base64url_decode(ciphertext, strlen(ciphertext), sealed, sizeof(sealed), &count);
	ok(aes_gcm_open(key, iv, aad, strlen(aad), sealed, count, tag, opened) &&
	       count == strlen(plain) && memcmp(opened, plain, count) == 0,
	   "RFC 7516 A.1: the content");
	tag[0] ^= 1;
	ok(!aes_gcm_open(key, iv, aad, strlen(aad), sealed, count, tag, opened) && opened[0] == 0,
	   "... and nothing of it with another tag");
}

static void check_keys(void)
{
	char kid[KID_ROOM];
	char jwk[JWK_ROOM];
	token_key key, again;
	outcome out;

	ok(key_from_jwk(rsa_7638, strlen(rsa_7638), &key, &out) == OUTCOME_OK &&
	       strcmp(key.kid, "2011-04-29") == 0 && key_thumbprint(&key, kid, &out) == OUTCOME_OK &&
	       strcmp(kid, "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs") == 0,
	   "RFC 7638 3.1: the thumbprint");
	key_free(&key);
	ok(key_from_jwk(ec_7517, strlen(ec_7517), &key, &out) == OUTCOME_OK &&
	       key.algorithm == KEY_ECDH_ES_A256KW,
	   "RFC 7517 A.1: a key of use enc is one to encrypt to");
	ok(key_public_jwk(&key, jwk, &out) == OUTCOME_OK &&
	       key_from_jwk(jwk, strlen(jwk), &again, &out) == OUTCOME_OK &&
	       EVP_PKEY_eq(key.pkey, again.pkey) == 1,
	   "... and the same once written and read");
	key_free(&key);
	key_free(&again);
}

static void check_refused_keys(void)
{
	static const char *const keys[][2] = {
	    {"{\"kty\":\"oct\",\"k\":\"AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T\"}", "symmetric"},
	    {"{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU\","
	     "\"y\":\"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0\","
	     "\"d\":\"jpsQnnGQmL-YBIffH1136cspYG6-0iY7X1fCE9-E9LI\"}",
	     "private"},
	    {"{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU\","
	     "\"y\":\"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a4\"}",
	     "off the curve"},
	    {"{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\","
	     "\"y\":\"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\"}",
	     "at (0, 0)"},
	    {"{\"kty\":\"EC\",\"crv\":\"P-384\",\"x\":\"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU\","
	     "\"y\":\"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0\"}",
	     "of another curve"},
	    {"{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU\","
	     "\"y\":\"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0\",\"alg\":\"RS256\"}",
	     "of a contradicting alg"},
	    {"{\"kty\":\"EC\",\"kty\":\"EC\",\"crv\":\"P-256\","
	     "\"x\":\"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU\","
	     "\"y\":\"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0\"}",
	     "with a member twice"},
	    {"{\"kty\":\"RSA\",\"n\":\"0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbU\",\"e\":\"AQAB\"}",
	     "RSA of 256 bits"},
	    {"[]", "no object"}};

	for (size_t i = 0; i < sizeof(keys) / sizeof(*keys); i++) {
		token_key key;
		outcome out;

		ok(key_from_jwk(keys[i][0], strlen(keys[i][0]), &key, &out) == OUTCOME_BAD_INPUT &&
		       out.detail[0] && key.pkey == NULL,
		   "a key is refused that is %s", keys[i][1]);
	}
}

static void check_wrapping(void)
{
	uint8_t wrapped[KEY_WRAPPED_MOST], by[INSTALLATION_KEY_BYTES] = {7};
	int wrong = 0;

	for (int i = 0; i < KEY_ALGORITHMS; i++) {
		token_key key, back;
		size_t count = 0;
		outcome out;

		wrong +=
		    key_generate((key_algorithm)i, &key, &out) != OUTCOME_OK ||
		    key_wrap(&key, by, wrapped, &count, &out) != OUTCOME_OK ||
		    key_unwrap(wrapped, count, by, key.kid, key.algorithm, &back, &out) != OUTCOME_OK ||
		    EVP_PKEY_eq(key.pkey, back.pkey) != 1;
		key_free(&back);
		wrong += key_unwrap(wrapped, count, by, "other", key.algorithm, &back, &out) == OUTCOME_OK;
		by[0] ^= 1;
		wrong += key_unwrap(wrapped, count, by, key.kid, key.algorithm, &back, &out) == OUTCOME_OK;
		by[0] ^= 1;
		wrapped[count / 2] ^= 1;
		wrong += key_unwrap(wrapped, count, by, key.kid, key.algorithm, &back, &out) == OUTCOME_OK;
		key_free(&key);
	}
	ok(wrong == 0, "private keys come back by the key that wrapped them, under their name, whole");
}

int main(void)
{
	check_base64url();
	check_examples_of_jws();
	check_derivation();
	check_content_encryption();
	check_keys();
	check_refused_keys();
	check_wrapping();
	return tap_done();
}
