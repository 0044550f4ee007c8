/* What is called when a token is used; see access_log.c. */
#ifndef SMARTHG_ACCESS_LOG_H
#define SMARTHG_ACCESS_LOG_H

/* Notes that the token of this jti is used in this transaction. */
extern void note_access(const char *jti);

/* Called by _PG_init: from then on statements note the token of a session's identity. */
extern void access_log_begin(void);

#endif
