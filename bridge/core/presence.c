/*
 * Online and offline by last frame (document 4.1.2.1, DESIGN.md section 7),
 * between core/hosts and the back end's presence rows.
 */
#include "presence.h"

static struct gateway *gateway_of_seen(struct seen_link *link)
{
	return (struct gateway *)((char *)link - offsetof(struct gateway, seen));
}

static struct gateway *gateway_of_session(struct seen_link *link)
{
	return (struct gateway *)((char *)link - offsetof(struct gateway, session_seen));
}

static void change(struct presence *presence, struct gateway *gateway, bool online,
                   const char *reason)
{
	bool news = !gateway->reported || gateway->online != online;

	presence->online += (size_t)online - (size_t)gateway->online;
	gateway->online = online;
	gateway->reported = true;
	if (news)
		presence->changed(presence->context, gateway, online, reason);
}

void presence_online(struct presence *presence, struct gateway *gateway, int64_t now_ms)
{
	seen_touch(&presence->watched, &gateway->seen, now_ms);
	change(presence, gateway, true, "session opened");
	presence_seen(presence, gateway, now_ms);
}

void presence_seen(struct presence *presence, struct gateway *gateway, int64_t now_ms)
{
	if (gateway->session != 0)
		seen_touch(&presence->sessions, &gateway->session_seen, now_ms);
	if (gateway->connection && !gateway->online)
		change(presence, gateway, true, "heard again");
	if (gateway->online)
		seen_touch(&presence->watched, &gateway->seen, now_ms);
}

void presence_expect(struct presence *presence, struct gateway *gateway, int64_t now_ms)
{
	if (!gateway->reported)
		seen_touch(&presence->watched, &gateway->seen, now_ms);
}

void presence_offline(struct presence *presence, struct gateway *gateway, const char *reason)
{
	seen_remove(&presence->watched, &gateway->seen);
	change(presence, gateway, false, reason);
}

void presence_forget_session(struct presence *presence, struct gateway *gateway)
{
	seen_remove(&presence->sessions, &gateway->session_seen);
}

void presence_hold(struct presence *presence, bool held, int64_t now_ms)
{
	presence->held = held;
	presence->floor_ms = now_ms;
}

static bool silent_for(const struct presence *presence, const struct seen_link *link,
                       int64_t interval_ms, int64_t now_ms)
{
	int64_t since = link->at_ms > presence->floor_ms ? link->at_ms : presence->floor_ms;

	return now_ms - since >= interval_ms;
}

void presence_tick(struct presence *presence, int64_t now_ms)
{
	struct seen_link *link;

	if (presence->held)
		return;
	while ((link = presence->watched.oldest) &&
	       silent_for(presence, link, presence->offline_ms, now_ms)) {
		struct gateway *gateway = gateway_of_seen(link);

		presence_offline(presence, gateway,
		                 gateway->connection ? "no keep-alive" : "not connected");
	}
	while ((link = presence->sessions.oldest) &&
	       silent_for(presence, link, presence->expire_ms, now_ms)) {
		struct gateway *gateway = gateway_of_session(link);

		seen_remove(&presence->sessions, link);
		presence->expired(presence->context, gateway);
	}
}
