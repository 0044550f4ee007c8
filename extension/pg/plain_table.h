/*
 * Whether a table can be written past the executor: there must be nothing that
 * only the executor would heed.
 */
#ifndef SMARTHG_PLAIN_TABLE_H
#define SMARTHG_PLAIN_TABLE_H

#include "binding.h"

#include "nodes/parsenodes.h"
#include "utils/acl.h"

/* A table as it was made, apart from indexes, triggers and columns: the current user may write it,
 * no rule, policy of row-level security or partition has a say, and its checks are among those
 * named, which the caller keeps to itself. */
extern bool table_is_plain(Relation table, AclMode privilege, const char *const *checks, int count);

/* Whether a column is there with this type. */
extern bool column_is(Relation table, AttrNumber column, Oid type);

#endif
