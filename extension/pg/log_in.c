/*
 * One attempt at a time to log in with an e-mail. Its lock lies beside those of SQL's advisory
 * locks, which every role may take: nobody but who may call this function can hold it.
 */
#include "binding.h"

#include "miscadmin.h"
#include "storage/lock.h"

PG_FUNCTION_INFO_V1(smarthg_log_in_lock);

/* SQL's functions use 1 and 2. */
enum { LOCKS_OF_LOG_IN = 3 };

Datum smarthg_log_in_lock(PG_FUNCTION_ARGS)
{
	int64 key = PG_GETARG_INT64(0);
	LOCKTAG tag;

	SET_LOCKTAG_ADVISORY(tag, MyDatabaseId, (uint32)(key >> 32), (uint32)key, LOCKS_OF_LOG_IN);
	PG_RETURN_BOOL(LockAcquire(&tag, ExclusiveLock, false, true) != LOCKACQUIRE_NOT_AVAIL);
}
