/*
 * Things ordered by when they were last seen: touching one is a few pointers,
 * and a timer looks only at the oldest. Links are embedded in the things; a
 * zeroed list and link are ready for use.
 */
#ifndef SMARTHG_BRIDGE_SEEN_LIST_H
#define SMARTHG_BRIDGE_SEEN_LIST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct seen_link {
	struct seen_link *older, *newer;
	int64_t at_ms;
	bool listed;
};

struct seen_list {
	struct seen_link *oldest, *newest;
	size_t count;
};

/* Takes the link out, where it is in. */
static inline void seen_remove(struct seen_list *list, struct seen_link *link)
{
	if (!link->listed)
		return;
	*(link->older ? &link->older->newer : &list->oldest) = link->newer;
	*(link->newer ? &link->newer->older : &list->newest) = link->older;
	link->listed = false;
	list->count--;
}

/* Seen now: becomes the newest. now_ms must not go back. */
static inline void seen_touch(struct seen_list *list, struct seen_link *link, int64_t now_ms)
{
	if (link->listed && link->at_ms == now_ms)
		return;
	seen_remove(list, link);
	*link = (struct seen_link){.older = list->newest, .at_ms = now_ms, .listed = true};
	*(list->newest ? &list->newest->newer : &list->oldest) = link;
	list->newest = link;
	list->count++;
}

#endif
