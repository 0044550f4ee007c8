/* Tables that administrators may have added to; see plain_table.h. */
#include "plain_table.h"

#include "miscadmin.h"
#include "utils/rel.h"
#include "utils/rls.h"

static bool named(const char *check, const char *const *checks, int count)
{
	for (int i = 0; i < count; i++)
		if (strcmp(check, checks[i]) == 0)
			return true;
	return false;
}

bool table_is_plain(Relation table, AclMode privilege, const char *const *checks, int count)
{
	const TupleConstr *constraints = RelationGetDescr(table)->constr;
	Oid relid = RelationGetRelid(table);

	for (int i = 0; constraints && i < constraints->num_check; i++)
		if (!named(constraints->check[i].ccname, checks, count))
			return false;
	return table->rd_rel->relkind == RELKIND_RELATION && !table->rd_rel->relispartition &&
	       !table->rd_rules && !(constraints && constraints->has_generated_stored) &&
	       pg_class_aclcheck(relid, GetUserId(), privilege) == ACLCHECK_OK &&
	       check_enable_rls(relid, InvalidOid, true) != RLS_ENABLED;
}

bool column_is(Relation table, AttrNumber column, Oid type)
{
	return column > 0 && column <= RelationGetDescr(table)->natts &&
	       TupleDescAttr(RelationGetDescr(table), column - 1)->atttypid == type;
}
