/* Keeping a statement that holds secrets from those who may not have them; see conceal.c. */
#ifndef SMARTHG_CONCEAL_H
#define SMARTHG_CONCEAL_H

/* From here on the statement that the client sent is shown as another text. */
extern void conceal_statement(void);

#endif
