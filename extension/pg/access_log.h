/* What authentication calls when a token is used; see access_log.c. */
#ifndef SMARTHG_ACCESS_LOG_H
#define SMARTHG_ACCESS_LOG_H

#include "token.h"

/* Notes that a token is used in this transaction. */
extern void note_access(const issued_token *token);

#endif
