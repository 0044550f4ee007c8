/*
 * Keys in the database: private keys are stored under the installation's key, which is a file
 * outside the database that only the server's user can read, so neither a role nor a dump has
 * them.
 */
#include "token.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/table.h"
#include "catalog/namespace.h"
#include "commands/trigger.h"
#include "miscadmin.h"
#include "storage/fd.h"
#include "utils/builtins.h"
#include "utils/guc.h"
#include "utils/inval.h"
#include "utils/jsonb.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"

#include "../core/token/digest.h"

PG_FUNCTION_INFO_V1(smarthg_token_key_generate);
PG_FUNCTION_INFO_V1(smarthg_jwk_check);
PG_FUNCTION_INFO_V1(smarthg_jwk_from_pem);

/* Columns of token_key. */
enum { KEY_KID = 1, KEY_USE, KEY_ALGORITHM, KEY_JWK, KEY_WRAPPED, KEY_STATE, KEY_FROM, KEY_UNTIL };

static char *key_file;
static uint8_t file_key[INSTALLATION_KEY_BYTES], identity_key_bytes[DIGEST_BYTES];
static bool file_key_known;

static key_ring ring;
static bool ring_fresh;

static void forget_file_key(const char *value pg_attribute_unused(),
                            void *extra pg_attribute_unused())
{
	digest_wipe(file_key, sizeof(file_key));
	digest_wipe(identity_key_bytes, sizeof(identity_key_bytes));
	file_key_known = ring_fresh = false;
}

/* Any change of a table that may be token_key; which one it is a callback must not look up. */
static void forget_ring(Datum unused pg_attribute_unused(), Oid relation)
{
	if (relation == InvalidOid || relation == ring.table || ring.table == InvalidOid)
		ring_fresh = false;
}

void token_key_settings(void)
{
	DefineCustomStringVariable(
	    "smarthg.key_file",
	    "File with the key under which private keys are stored; relative to the data directory.",
	    NULL, &key_file, "smarthg.key", PGC_SIGHUP, GUC_SUPERUSER_ONLY, NULL, forget_file_key,
	    NULL);
	CacheRegisterRelcacheCallback(forget_ring, (Datum)0);
}

/* Makes a new name in a folder durable. */
static void fsync_folder_of(const char *path)
{
	char folder[MAXPGPATH];

	strlcpy(folder, path, sizeof(folder));
	get_parent_directory(folder);
	fsync_fname(folder[0] ? folder : ".", true);
}

/* Makes the file in one step, so that no half of it is ever seen; another may have been faster. */
static void make_key_file(const char *path)
{
	char *half = psprintf("%s.%d", path, MyProcPid);
	uint8_t bytes[INSTALLATION_KEY_BYTES];
	bool done = false;
	int file =
	    OpenTransientFilePerm(half, O_WRONLY | O_CREAT | O_EXCL | PG_BINARY, S_IRUSR | S_IWUSR);

	if (file < 0)
		ereport(ERROR, (errcode_for_file_access(), errmsg("could not create the key file: %m"),
		                errhint("The setting smarthg.key_file names it.")));
	if (digest_random(bytes, sizeof(bytes)))
		done = write(file, bytes, sizeof(bytes)) == (ssize_t)sizeof(bytes) && pg_fsync(file) == 0;
	digest_wipe(bytes, sizeof(bytes));
	CloseTransientFile(file);
	if (!done || (link(half, path) != 0 && errno != EEXIST)) {
		unlink(half);
		ereport(ERROR, (errcode_for_file_access(), errmsg("could not write the key file: %m")));
	}
	unlink(half);
	fsync_folder_of(path);
}

/* Reads the file; false where there is none. */
static bool read_key_file(const char *path)
{
	int file = OpenTransientFile(path, O_RDONLY | O_NOFOLLOW | PG_BINARY);
	struct stat about;
	bool private, whole;

	if (file < 0 && errno == ENOENT)
		return false;
	if (file < 0)
		ereport(ERROR, (errcode_for_file_access(), errmsg("could not open the key file: %m")));
	private = fstat(file, &about) == 0 && S_ISREG(about.st_mode) && about.st_uid == geteuid() &&
	          (about.st_mode & (S_IRWXG | S_IRWXO)) == 0;
	whole = private && about.st_size == INSTALLATION_KEY_BYTES &&
	        read(file, file_key, sizeof(file_key)) == (ssize_t)sizeof(file_key);
	CloseTransientFile(file);
	if (!private)
		ereport(
		    ERROR,
		    (errcode(ERRCODE_CONFIG_FILE_ERROR),
		     errmsg("key file is accessible to others than the server"),
		     errdetail("It must be a file of the server's user with permissions 0600 or less.")));
	if (!whole)
		ereport(ERROR, (errcode(ERRCODE_CONFIG_FILE_ERROR), errmsg("key file is damaged"),
		                errdetail("It has %d bytes.", INSTALLATION_KEY_BYTES)));
	return true;
}

const uint8_t *installation_key(bool make)
{
	static const char purpose[] = "smarthg identity";

	if (!file_key_known) {
		const char *path = key_file; /* the server's working directory is the data directory */

		if (!read_key_file(path)) {
			if (!make)
				ereport(ERROR, (errcode(ERRCODE_CONFIG_FILE_ERROR), errmsg("key file is missing"),
				                errhint("Restore it, or make new keys with make_token_key.")));
			make_key_file(path);
			if (!read_key_file(path))
				elog(ERROR, "key file vanished");
		}
		if (!digest_keyed(file_key, purpose, sizeof(purpose), identity_key_bytes))
			elog(ERROR, "could not derive a key");
		file_key_known = true;
	}
	return file_key;
}

const uint8_t *identity_key(void)
{
	installation_key(false);
	return identity_key_bytes;
}

static void empty_ring(void)
{
	while (ring.count > 0)
		key_free(&ring.keys[--ring.count].key);
}

/* Takes a row into the ring. */
static void add_key(HeapTuple row, TupleDesc shape)
{
	ring_key *next = &ring.keys[ring.count];
	Datum values[KEY_UNTIL];
	bool nulls[KEY_UNTIL];
	bytea *wrapped;
	char *algorithm;
	outcome failed;

	heap_deform_tuple(row, shape, values, nulls);
	if (nulls[KEY_WRAPPED - 1])
		return;
	if (ring.count == RING_MOST)
		ereport(ERROR, (errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
		                errmsg("more than %d keys are not retired", RING_MOST),
		                errhint("Retire some with retire_token_key.")));
	wrapped = DatumGetByteaPP(values[KEY_WRAPPED - 1]);
	algorithm = TextDatumGetCString(values[KEY_ALGORITHM - 1]);
	next->signs = strcmp(TextDatumGetCString(values[KEY_USE - 1]), "sign") == 0;
	next->active = strcmp(TextDatumGetCString(values[KEY_STATE - 1]), "active") == 0;
	next->valid_from = DatumGetTimestampTz(values[KEY_FROM - 1]);
	next->valid_until =
	    nulls[KEY_UNTIL - 1] ? DT_NOEND : DatumGetTimestampTz(values[KEY_UNTIL - 1]);
	if (key_unwrap((const uint8_t *)VARDATA_ANY(wrapped), VARSIZE_ANY_EXHDR(wrapped),
	               installation_key(false), TextDatumGetCString(values[KEY_KID - 1]),
	               key_algorithm_of(algorithm), &next->key, &failed) != OUTCOME_OK)
		raise_outcome(&failed);
	ring.count++;
}

const key_ring *token_ring(void)
{
	SysScanDesc scan;
	Relation table;
	HeapTuple row;

	if (ring_fresh)
		return &ring;
	empty_ring();
	ring.version++;
	ring.table = get_relname_relid("token_key", get_namespace_oid("smarthg", false));
	/* A change that comes in from here on makes it stale again. */
	ring_fresh = true;
	PG_TRY();
	{
		table = table_open(ring.table, AccessShareLock);
		scan = systable_beginscan(table, InvalidOid, false, NULL, 0, NULL);
		while (HeapTupleIsValid(row = systable_getnext(scan)))
			add_key(row, RelationGetDescr(table));
		systable_endscan(scan);
		table_close(table, AccessShareLock);
	}
	PG_CATCH();
	{
		ring_fresh = false;
		PG_RE_THROW();
	}
	PG_END_TRY();
	return &ring;
}

const ring_key *issuing_key(bool signs)
{
	const key_ring *keys = token_ring();
	TimestampTz now = GetCurrentTimestamp();
	const ring_key *newest = NULL;

	for (int i = 0; i < keys->count; i++) {
		const ring_key *key = &keys->keys[i];

		if (key->signs == signs && key->active && key->valid_from <= now &&
		    now < key->valid_until && (!newest || key->valid_from >= newest->valid_from))
			newest = key;
	}
	if (!newest)
		ereport(ERROR, (errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
		                errmsg("there is no key that %s tokens", signs ? "signs" : "decrypts"),
		                errhint("Make one with make_token_key.")));
	return newest;
}

Datum smarthg_token_key_generate(PG_FUNCTION_ARGS)
{
	key_algorithm algorithm = key_algorithm_of(text_to_cstring(PG_GETARG_TEXT_PP(0)));
	const uint8_t *by = installation_key(true);
	bytea *wrapped = palloc(VARHDRSZ + KEY_WRAPPED_MOST);
	char jwk[JWK_ROOM];
	result_row row = {.columns = 0};
	token_key key = {.pkey = NULL};
	size_t count;
	outcome failed = {.status = OUTCOME_OK};

	if (algorithm == KEY_ALGORITHMS)
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE), errmsg("algorithm is not known"),
		                errhint("It is one of: ES256, RS256, ECDH-ES+A256KW.")));
	if (key_generate(algorithm, &key, &failed) == OUTCOME_OK &&
	    key_public_jwk(&key, jwk, &failed) == OUTCOME_OK)
		key_wrap(&key, by, (uint8_t *)VARDATA(wrapped), &count, &failed);
	key_free(&key);
	if (failed.status != OUTCOME_OK)
		raise_outcome(&failed);
	SET_VARSIZE(wrapped, VARHDRSZ + count);
	put(&row, CStringGetTextDatum(key.kid), false);
	put(&row, DirectFunctionCall1(jsonb_in, CStringGetDatum(jwk)), false);
	put(&row, PointerGetDatum(wrapped), false);
	PG_RETURN_DATUM(row_datum(fcinfo, &row));
}

/* A key read from outside as a normal JWK. */
static Datum normal_jwk(token_key *key)
{
	char jwk[JWK_ROOM];
	outcome failed;

	if (key_public_jwk(key, jwk, &failed) != OUTCOME_OK) {
		key_free(key);
		raise_outcome(&failed);
	}
	key_free(key);
	return DirectFunctionCall1(jsonb_in, CStringGetDatum(jwk));
}

Datum smarthg_jwk_check(PG_FUNCTION_ARGS)
{
	Jsonb *jwk = PG_GETARG_JSONB_P(0);
	char *json = JsonbToCString(NULL, &jwk->root, VARSIZE(jwk));
	token_key key;
	outcome failed;

	if (key_from_jwk(json, strlen(json), &key, &failed) != OUTCOME_OK)
		raise_outcome(&failed);
	PG_RETURN_DATUM(normal_jwk(&key));
}

Datum smarthg_jwk_from_pem(PG_FUNCTION_ARGS)
{
	text *pem = PG_GETARG_TEXT_PP(0);
	token_key key;
	outcome failed;

	if (key_from_pem(VARDATA_ANY(pem), VARSIZE_ANY_EXHDR(pem), &key, &failed) != OUTCOME_OK)
		raise_outcome(&failed);
	PG_RETURN_DATUM(normal_jwk(&key));
}
