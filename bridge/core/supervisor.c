/*
 * The service manager's protocol needs no library: one datagram a message.
 */
#include "supervisor.h"

#include <errno.h>
#include <grp.h>
#include <inttypes.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

void supervisor_notify(const char *assignments)
{
	const char *path = getenv("NOTIFY_SOCKET");
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	size_t length = path ? strlen(path) : 0;
	int channel;

	if (length < 2 || length >= sizeof(address.sun_path) || (path[0] != '/' && path[0] != '@'))
		return;
	memcpy(address.sun_path, path, length);
	if (path[0] == '@') /* an abstract name */
		address.sun_path[0] = '\0';
	channel = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (channel < 0)
		return;
	/* The manager may be gone; the bridge works on without it. */
	if (sendto(channel, assignments, strlen(assignments), MSG_NOSIGNAL, (struct sockaddr *)&address,
	           (socklen_t)(offsetof(struct sockaddr_un, sun_path) + length)) < 0)
		errno = 0;
	close(channel);
}

void supervisor_reloading(void)
{
	struct timespec now;
	char assignments[80];

	clock_gettime(CLOCK_MONOTONIC, &now);
	snprintf(assignments, sizeof(assignments), "RELOADING=1\nMONOTONIC_USEC=%" PRId64,
	         (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000);
	supervisor_notify(assignments);
}

int64_t supervisor_watchdog_ms(void)
{
	const char *usec = getenv("WATCHDOG_USEC"), *pid = getenv("WATCHDOG_PID");

	if (!usec || (pid && strtol(pid, NULL, 10) != (long)getpid()))
		return 0;
	/* Twice as often as it must be. */
	return strtoll(usec, NULL, 10) / 2000;
}

bool supervisor_become(const char *user, char *message, size_t size)
{
	struct passwd *entry;

	if (user[0] == '\0')
		return true;
	errno = 0;
	entry = getpwnam(user);
	if (!entry) {
		snprintf(message, size, "user \"%s\" does not exist", user);
		return false;
	}
	if (geteuid() != 0) {
		if (entry->pw_uid == geteuid())
			return true;
		snprintf(message, size, "only root can become user \"%s\"", user);
		return false;
	}
	if (initgroups(user, entry->pw_gid) != 0 || setgid(entry->pw_gid) != 0 ||
	    setuid(entry->pw_uid) != 0) {
		snprintf(message, size, "cannot become user \"%s\": %s", user, strerror(errno));
		return false;
	}
	if (entry->pw_uid != 0 && setuid(0) == 0) {
		snprintf(message, size, "user \"%s\" can become root again", user);
		return false;
	}
	return true;
}
