/*
 * TLS contexts on OpenSSL. Sessions are not resumed by tickets: the SmartAMM
 * session above is what survives a lost connection.
 */
#include "tls.h"

#include <openssl/err.h>
#include <openssl/x509v3.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum { DIGITS = 16 }; /* of an EUI-64 */

#define KEY_LABEL "SA/1 TLS"

/* With forward secrecy first; plain PSK is for the smallest gateways. */
#define CIPHERS_TLS_1_2                                                                            \
	"ECDHE+AESGCM:ECDHE+CHACHA20:ECDHE-PSK-CHACHA20-POLY1305:DHE-PSK-AES128-GCM-SHA256:"           \
	"PSK-AES128-GCM-SHA256"

/* SHA-256 first: a pre-shared key of TLS 1.3 is bound to it. */
#define CIPHERS_TLS_1_3 "TLS_AES_128_GCM_SHA256:TLS_CHACHA20_POLY1305_SHA256:TLS_AES_256_GCM_SHA384"

struct tls {
	SSL_CTX *context;
	struct tls_files files;
	tls_link_key link_key;
	void *link_key_context;
};

static bool is_number(const char *text, size_t length)
{
	static const char digits[] = "0123456789abcdefABCDEF";

	for (size_t i = 0; i < length; i++)
		if (!memchr(digits, text[i], sizeof(digits) - 1))
			return false;
	return length == DIGITS;
}

uint64_t tls_eui64(const char *text, size_t length)
{
	char digits[DIGITS + 1] = "";
	uint64_t eui64;

	if (!is_number(text, length))
		return TLS_NO_EUI64;
	memcpy(digits, text, DIGITS);
	eui64 = strtoull(digits, NULL, 16);
	return eui64 == 0 ? TLS_NO_EUI64 : eui64; /* 0 would say that there is no identity */
}

bool tls_shared_key(const struct link_key *link_key, uint64_t eui64, uint8_t out[TLS_KEY_SIZE])
{
	static const uint8_t no_salt[MAC_SIZE]; /* RFC 5869: zeros stand for none */
	uint8_t info[sizeof(KEY_LABEL) - 1 + 8];
	struct writer writer = writer_over(info, sizeof(info));

	writer_bytes(&writer, KEY_LABEL, sizeof(KEY_LABEL) - 1);
	writer_u64(&writer, eui64);
	return security_hkdf(link_key->bytes, link_key->size, no_salt, sizeof(no_salt), info,
	                     sizeof(info), out, TLS_KEY_SIZE);
}

static void free_identity(void *parent, void *identity, CRYPTO_EX_DATA *data, int index,
                          long number, void *pointer)
{
	(void)parent;
	(void)data;
	(void)index;
	(void)number;
	(void)pointer;
	free(identity);
}

/* Where a connection keeps whose pre-shared key was asked for: of TLS 1.3 OpenSSL does not tell. */
static int identity_slot(void)
{
	static int slot = -1;

	if (slot < 0)
		slot = SSL_get_ex_new_index(0, NULL, NULL, NULL, free_identity);
	return slot;
}

/* False: no memory. */
static bool keep_identity(SSL *ssl, uint64_t eui64)
{
	uint64_t *identity = SSL_get_ex_data(ssl, identity_slot());

	if (!identity) {
		identity = malloc(sizeof(*identity));
		if (!identity || SSL_set_ex_data(ssl, identity_slot(), identity) != 1) {
			free(identity);
			return false;
		}
	}
	*identity = eui64;
	return true;
}

/* Called in the handshake, of TLS 1.2 and 1.3 alike; 0: the identity is not known. */
static unsigned on_shared_key(SSL *ssl, const char *identity, unsigned char *key, unsigned room)
{
	struct tls *tls = SSL_CTX_get_app_data(SSL_get_SSL_CTX(ssl));
	uint64_t eui64 = tls_eui64(identity, strlen(identity));
	struct link_key link_key = {.size = 0};
	bool found = room >= TLS_KEY_SIZE && eui64 != TLS_NO_EUI64 &&
	             tls->link_key(tls->link_key_context, eui64, &link_key) &&
	             tls_shared_key(&link_key, eui64, key) && keep_identity(ssl, eui64);

	security_wipe(&link_key, sizeof(link_key));
	return found ? TLS_KEY_SIZE : 0;
}

static bool load_files(SSL_CTX *context, const struct tls_files *files)
{
	if (files->certificate[0] != '\0' &&
	    (SSL_CTX_use_certificate_chain_file(context, files->certificate) != 1 ||
	     SSL_CTX_use_PrivateKey_file(context, files->key, SSL_FILETYPE_PEM) != 1))
		return false;
	if (files->client_ca[0] == '\0')
		return true;
	SSL_CTX_set_verify(context, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, NULL);
	SSL_CTX_set_client_CA_list(context, SSL_load_client_CA_file(files->client_ca));
	return SSL_CTX_load_verify_locations(context, files->client_ca, NULL) == 1;
}

static SSL_CTX *new_context(struct tls *tls)
{
	SSL_CTX *context = SSL_CTX_new(TLS_server_method());

	if (!context)
		return NULL;
	SSL_CTX_set_app_data(context, tls);
	SSL_CTX_set_options(context, SSL_OP_NO_TICKET | SSL_OP_NO_RENEGOTIATION |
	                                 SSL_OP_CIPHER_SERVER_PREFERENCE);
	SSL_CTX_set_mode(context, SSL_MODE_RELEASE_BUFFERS);
	SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
	SSL_CTX_set_num_tickets(context, 0);
	SSL_CTX_set_dh_auto(context, 1);
	if (tls->files.client_ca[0] == '\0')
		SSL_CTX_set_psk_server_callback(context, on_shared_key);
	if (SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION) == 1 &&
	    SSL_CTX_set_ciphersuites(context, CIPHERS_TLS_1_3) == 1 &&
	    SSL_CTX_set_cipher_list(context, CIPHERS_TLS_1_2) == 1 && load_files(context, &tls->files))
		return context;
	SSL_CTX_free(context);
	return NULL;
}

bool tls_reload(struct tls *tls, char *message, size_t size)
{
	SSL_CTX *fresh;
	char reason[200];

	ERR_clear_error();
	fresh = new_context(tls);
	if (!fresh) {
		ERR_error_string_n(ERR_peek_error(), reason, sizeof(reason));
		snprintf(message, size, "TLS files cannot be used: %s", reason);
		ERR_clear_error();
		return false;
	}
	SSL_CTX_free(tls->context);
	tls->context = fresh;
	return true;
}

struct tls *tls_new(const struct tls_files *files, tls_link_key link_key, void *context,
                    char *message, size_t size)
{
	struct tls *tls = calloc(1, sizeof(*tls));

	if (!tls) {
		snprintf(message, size, "out of memory");
		return NULL;
	}
	tls->files = *files;
	tls->link_key = link_key;
	tls->link_key_context = context;
	if (tls_reload(tls, message, size))
		return tls;
	tls_free(tls);
	return NULL;
}

void tls_free(struct tls *tls)
{
	if (tls)
		SSL_CTX_free(tls->context);
	free(tls);
}

SSL *tls_accept(struct tls *tls)
{
	return SSL_new(tls->context);
}

static uint64_t common_name_eui64(const X509_NAME *subject)
{
	char name[64];
	int first = X509_NAME_get_index_by_NID(subject, NID_commonName, -1);
	int length = X509_NAME_get_text_by_NID(subject, NID_commonName, name, sizeof(name));

	if (length < 0 || X509_NAME_get_index_by_NID(subject, NID_commonName, first) >= 0)
		return TLS_NO_EUI64;
	return tls_eui64(name, (size_t)length);
}

/* 0: the name is not of the kind that an EUI-64 is. */
static uint64_t alternative_eui64(const GENERAL_NAME *name)
{
	static const char urn[] = "urn:dev:mac:";
	int type;
	const ASN1_STRING *value = GENERAL_NAME_get0_value(name, &type);
	size_t prefix = type == GEN_URI ? sizeof(urn) - 1 : 0, length;
	const char *text;

	if (type != GEN_DNS && type != GEN_URI)
		return 0;
	text = (const char *)ASN1_STRING_get0_data(value);
	length = (size_t)ASN1_STRING_length(value);
	if (length > 0 && memchr(text, '\0', length))
		return TLS_NO_EUI64;
	if (length != prefix + DIGITS || strncasecmp(text, urn, prefix) != 0 ||
	    !is_number(text + prefix, DIGITS))
		return 0;
	return tls_eui64(text + prefix, DIGITS);
}

uint64_t tls_certificate_eui64(const X509 *certificate)
{
	int critical;
	GENERAL_NAMES *names = X509_get_ext_d2i(certificate, NID_subject_alt_name, &critical, NULL);
	/* -1: there are none; else they cannot be read, or are there twice. */
	uint64_t eui64 = names || critical == -1 ? 0 : TLS_NO_EUI64;

	for (int i = 0; i < sk_GENERAL_NAME_num(names); i++) {
		uint64_t another = alternative_eui64(sk_GENERAL_NAME_value(names, i));

		if (another != 0)
			eui64 = eui64 == 0 || eui64 == another ? another : TLS_NO_EUI64;
	}
	GENERAL_NAMES_free(names);
	return eui64 != 0 ? eui64 : common_name_eui64(X509_get_subject_name(certificate));
}

uint64_t tls_identity(SSL *ssl)
{
	const char *identity = SSL_get_psk_identity(ssl);
	const uint64_t *asked = SSL_get_ex_data(ssl, identity_slot());
	X509 *certificate;
	uint64_t eui64 = 0;

	if (identity)
		return tls_eui64(identity, strlen(identity));
	/* In TLS 1.3 a session that is resumed, as there are no tickets: the last key that was asked
	 * for is the one that was proved. */
	if (asked && SSL_session_reused(ssl))
		return *asked;
	certificate = SSL_get1_peer_certificate(ssl);
	if (certificate)
		eui64 = tls_certificate_eui64(certificate);
	X509_free(certificate);
	return eui64;
}

void tls_log_failure(const struct log *log, unsigned long error)
{
	log_line(log, LOG_INFO, "TLS handshake failed", "error=\"%s\"",
	         error ? ERR_reason_error_string(error) : "the peer closed the connection");
	ERR_clear_error();
}
