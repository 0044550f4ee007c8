/*
 * How plain-C functions of core report: a status, and for anything but OK a
 * message in PostgreSQL's style (primary message in lower case without a full
 * stop; detail and hint are sentences). The SQL layer alone turns it into
 * ereport.
 */
#ifndef SMARTHG_CORE_OUTCOME_H
#define SMARTHG_CORE_OUTCOME_H

typedef enum outcome_status {
	OUTCOME_OK = 0,
	OUTCOME_BAD_INPUT,     /* nonsense from the caller: NaN, negative capacity ... */
	OUTCOME_TIME_LIMIT,    /* the caller's time limit passed */
	OUTCOME_MEMORY_LIMIT,  /* the caller's memory limit, or the machine's memory, was hit */
	OUTCOME_INTERRUPTED,   /* the caller's interrupt callback said so */
	OUTCOME_SOLVER_FAILED, /* the solver gave up or broke down */
} outcome_status;

typedef struct outcome {
	outcome_status status;
	char message[200];
	char detail[300];
	char hint[200];
} outcome;

/* Fills *out and returns status, so that callers can write: return outcome_set(...).
 * detail and hint may be NULL. Longer texts are cut. */
outcome_status outcome_set(outcome *out, outcome_status status, const char *hint,
                           const char *detail, const char *format, ...)
    __attribute__((format(printf, 5, 6)));

#endif
