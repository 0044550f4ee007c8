/* Bounded JSON objects; see json_object.h. */
#include "json_object.h"

#include "base64url.h"

#include <string.h>

json_t *json_object_read(const char *text, size_t length)
{
	json_t *object;

	if (length > JSON_OBJECT_MOST)
		return NULL;
	object = json_loadb(text, length, JSON_REJECT_DUPLICATES, NULL);
	if (object && !json_is_object(object)) {
		json_decref(object);
		return NULL;
	}
	return object;
}

json_t *json_object_decode(const char *text, size_t length)
{
	uint8_t bytes[JSON_OBJECT_MOST];
	size_t count;

	if (!base64url_decode(text, length, bytes, sizeof(bytes), &count))
		return NULL;
	return json_object_read((const char *)bytes, count);
}

const char *json_member(const json_t *object, const char *name)
{
	return json_string_value(json_object_get(object, name));
}

bool json_member_bytes(const json_t *object, const char *name, uint8_t *bytes, size_t count)
{
	const char *text = json_member(object, name);
	size_t found;

	return text && base64url_decode(text, strlen(text), bytes, count, &found) && found == count;
}

bool json_member_is(const json_t *object, const char *name, const char *wanted)
{
	const char *text = json_member(object, name);

	return text && strcmp(text, wanted) == 0;
}

bool json_object_write(json_t *object, char *text, size_t room, size_t *length)
{
	*length = object ? json_dumpb(object, text, room, JSON_COMPACT) : 0;
	json_decref(object);
	if (*length == 0 || *length >= room)
		return false;
	text[*length] = '\0';
	return true;
}
