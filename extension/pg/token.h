/*
 * What the bindings of tokens share. The way of a token: token_verify.c opens it with the keys of
 * token_key.c and finds its row in issued_token (token_issued.c), token_identity.c keeps whose it
 * is in a setting, and policies ask current_token() and the like, which read the row again, so that
 * a revoked token ends with the statement that is running.
 */
#ifndef SMARTHG_PG_TOKEN_H
#define SMARTHG_PG_TOKEN_H

#include "binding.h"

#include "../core/token/nested.h"

/* Settings, called by _PG_init. */
extern void token_key_settings(void);
extern void token_identity_settings(void);
extern void token_verify_settings(void);

/* The bytes of the installation's key file (smarthg.key_file); makes the file where make is set.
 * Errors: not there, or readable by others than the server's user. */
extern const uint8_t *installation_key(bool make);

/* A key derived from it, DIGEST_BYTES, that identities are authenticated by. */
extern const uint8_t *identity_key(void);

/* The keys of this database, read again after any change of token_key. */
typedef struct ring_key {
	token_key key;
	bool signs;  /* else decrypts */
	bool active; /* issues, too; else only verifies or decrypts */
	TimestampTz valid_from, valid_until;
} ring_key;

enum { RING_MOST = 64 };

typedef struct key_ring {
	uint64 version; /* another one after each reading */
	Oid table;      /* token_key */
	int count;
	ring_key keys[RING_MOST];
} key_ring;

extern const key_ring *token_ring(void);

/* The key that issues now: active, the newest; an error where there is none. */
extern const ring_key *issuing_key(bool signs);

/* A row of issued_token in the caller's memory. */
typedef struct issued_token {
	char *jti, *sub, *client_id, *scope;
	ArrayType *home_ids;      /* NULL: all homes of the owner */
	TimestampTz history_from; /* DT_NOBEGIN: no limit */
	TimestampTz expires_at, not_before;
	bool revoked;
} issued_token;

/* As committed now, whatever the transaction's snapshot; false where there is none. */
extern bool issued_token_read(const char *jti, issued_token *row);

/* The same of a token that holds now: not revoked, not expired. */
extern bool issued_token_holds(const char *jti, issued_token *row);

/* Makes the token's identity that of the transaction or session. True where it was not already. */
extern bool identity_set(const char *jti, bool for_session);

/* The jti of the present identity where it is the session's; NULL where it is not. */
extern const char *identity_of_session(void);

/* The row behind the present identity; false where there is none, or it has ended. */
extern bool identity_row(issued_token *row);

#endif
