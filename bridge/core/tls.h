/*
 * TLS below the SmartAMM framing (DESIGN.md section 7, RFC 8446, RFC 5246), for
 * the IP dispatcher's second listener. The server shows a certificate, or both
 * sides know a pre-shared key: identity = the gateway's EUI-64 as 16 hexadecimal
 * digits, key = HKDF-SHA-256 of its link key without salt, info = "SA/1 TLS" |
 * EUI-64, 32 bytes.
 */
#ifndef SMARTHG_BRIDGE_TLS_H
#define SMARTHG_BRIDGE_TLS_H

#include <openssl/ssl.h>

#include "log.h"
#include "security.h"

enum { TLS_KEY_SIZE = 32 };

#define TLS_NO_EUI64 UINT64_MAX

/* PEM files; "": none. They must stay valid. */
struct tls_files {
	const char *certificate, *key;
	const char *client_ca; /* of the certificates that clients must show */
};

typedef bool (*tls_link_key)(void *context, uint64_t eui64, struct link_key *out);

struct tls;

/* NULL and a message where the files cannot be used. */
struct tls *tls_new(const struct tls_files *files, tls_link_key link_key, void *context,
                    char *message, size_t size);
void tls_free(struct tls *tls);

/* Reads the files again, for connections to come; false and a message: the old ones stay. */
bool tls_reload(struct tls *tls, char *message, size_t size);

/* A new connection's side; the caller frees it. NULL: no memory. */
SSL *tls_accept(struct tls *tls);

/* The EUI-64 that the peer proved: of its pre-shared key, or its certificate.
 * 0: it proved none; TLS_NO_EUI64: something that is no EUI-64, which is no gateway's, not even
 * of one that calls itself so. */
uint64_t tls_identity(SSL *ssl);

/* The EUI-64 that a certificate stands for: of its subject's alternative names (RFC 5280, 4.2.1.6)
 * a DNS name of 16 hexadecimal digits or a URI urn:dev:mac: with 16 (RFC 9039), and where there is
 * none of these its common name. TLS_NO_EUI64: it has none, several, one of zeros or ones alone,
 * several common names, or a name with a NUL in it. */
uint64_t tls_certificate_eui64(const X509 *certificate);

/* The EUI-64 of 16 hexadecimal digits; TLS_NO_EUI64: it is none, or one of zeros or ones alone. */
uint64_t tls_eui64(const char *text, size_t length);

/* The pre-shared key of a link key. */
bool tls_shared_key(const struct link_key *link_key, uint64_t eui64, uint8_t out[TLS_KEY_SIZE]);

/* Writes why a handshake failed; error 0: the peer went away. */
void tls_log_failure(const struct log *log, unsigned long error);

#endif
