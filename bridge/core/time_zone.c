/*
 * Asks localtime_r through the years, a week at a time: no zone has a summer
 * time that is shorter. What tzdata calls summer time is not asked for, since
 * Ireland's is in winter.
 */
#include "time_zone.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { NAME_SIZE = 600, WEEK_S = 7 * 86400, YEAR_S = 365 * 86400 };

static bool is_utc(const char *name)
{
	return strcmp(name, "UTC") == 0;
}

bool time_zone_known(const char *name)
{
	const char *folder = getenv("TZDIR");
	char path[NAME_SIZE];
	char head[4];

	if (is_utc(name))
		return true;
	if (name[0] == '\0' || name[0] == '/' || strstr(name, ".."))
		return false;
	snprintf(path, sizeof(path), "%s/%s", folder ? folder : "/usr/share/zoneinfo", name);
	FILE *file = fopen(path, "rb");
	bool known = file && fread(head, sizeof(head), 1, file) == 1 && memcmp(head, "TZif", 4) == 0;
	if (file)
		fclose(file);
	return known;
}

static void use_zone(const char *name)
{
	if (name)
		setenv("TZ", name, 1);
	else
		unsetenv("TZ");
	tzset();
}

static void read_year(int at, struct calendar_zone *out)
{
	time_t first = (time_t)calendar_days(ZONE_FIRST_YEAR + at, 1, 1) * 86400;

	for (time_t second = first; second < first + YEAR_S; second += WEEK_S) {
		struct tm local;
		int32_t ahead = localtime_r(&second, &local) ? (int32_t)local.tm_gmtoff : 0;

		if (second == first || ahead < out->standard_s[at])
			out->standard_s[at] = ahead;
		if (second == first || ahead > out->summer_s[at])
			out->summer_s[at] = ahead;
	}
}

bool time_zone_read(const char *name, struct calendar_zone *out)
{
	const char *set = getenv("TZ");
	char *before = set ? strdup(set) : NULL;
	char text[NAME_SIZE];

	memset(out, 0, sizeof(*out));
	if (!time_zone_known(name) || (set && !before)) {
		free(before);
		return false;
	}
	snprintf(text, sizeof(text), ":%s", name);
	use_zone(text);
	for (int at = 0; at < ZONE_YEARS && !is_utc(name); at++)
		read_year(at, out);
	use_zone(before);
	free(before);
	return true;
}
