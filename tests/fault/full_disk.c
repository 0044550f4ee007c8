/*
 * A disk that is full, for a server under test: loaded with LD_PRELOAD, it makes
 * every write that would lengthen a file fail with ENOSPC while the file
 * $SMARTHG_FULL_DISK is there, for files whose path begins with that file's first
 * line. Bytes within a file's length can still be written, as on a real disk.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

enum { PATH_SIZE = 4096 };

/* The paths on the full disk; false: no disk is full. */
static bool read_prefix(char prefix[PATH_SIZE])
{
	const char *flag = getenv("SMARTHG_FULL_DISK");
	int file = flag ? open(flag, O_RDONLY | O_CLOEXEC) : -1;
	ssize_t size;

	if (file < 0)
		return false;
	size = read(file, prefix, PATH_SIZE - 1);
	close(file);
	prefix[size > 0 ? size : 0] = '\0';
	prefix[strcspn(prefix, "\n")] = '\0';
	return prefix[0] != '\0';
}

/* Whether the file has no room to become this long; errno as of before where it has. */
static bool is_full(int file, off_t length)
{
	char prefix[PATH_SIZE], path[PATH_SIZE], link[64];
	int before = errno;
	struct stat state;
	ssize_t size;
	bool full = false;

	if (read_prefix(prefix)) {
		snprintf(link, sizeof(link), "/proc/self/fd/%d", file);
		size = readlink(link, path, sizeof(path) - 1);
		path[size > 0 ? size : 0] = '\0';
		full = strncmp(path, prefix, strlen(prefix)) == 0 && fstat(file, &state) == 0 &&
		       S_ISREG(state.st_mode) && length > state.st_size;
	}
	errno = full ? ENOSPC : before;
	return full;
}

static off_t total(const struct iovec *parts, int count)
{
	off_t size = 0;

	for (int i = 0; i < count; i++)
		size += (off_t)parts[i].iov_len;
	return size;
}

/* Where a plain write begins. */
static off_t position(int file)
{
	int flags = fcntl(file, F_GETFL);

	return lseek(file, 0, flags >= 0 && flags & O_APPEND ? SEEK_END : SEEK_CUR);
}

static void *next(const char *name)
{
	return dlsym(RTLD_NEXT, name);
}

ssize_t write(int file, const void *bytes, size_t size)
{
	static ssize_t (*real)(int, const void *, size_t);
	int before = errno;
	off_t at = position(file); /* -1: a socket or pipe */

	errno = before;
	if (!real)
		real = next("write");
	return at >= 0 && is_full(file, at + (off_t)size) ? -1 : real(file, bytes, size);
}

ssize_t pwrite(int file, const void *bytes, size_t size, off_t at)
{
	static ssize_t (*real)(int, const void *, size_t, off_t);

	if (!real)
		real = next("pwrite");
	return is_full(file, at + (off_t)size) ? -1 : real(file, bytes, size, at);
}

ssize_t pwritev(int file, const struct iovec *parts, int count, off_t at)
{
	static ssize_t (*real)(int, const struct iovec *, int, off_t);

	if (!real)
		real = next("pwritev");
	return is_full(file, at + total(parts, count)) ? -1 : real(file, parts, count, at);
}

int ftruncate(int file, off_t length)
{
	static int (*real)(int, off_t);

	if (!real)
		real = next("ftruncate");
	return is_full(file, length) ? -1 : real(file, length);
}

int fallocate(int file, int mode, off_t at, off_t size)
{
	static int (*real)(int, int, off_t, off_t);

	if (!real)
		real = next("fallocate");
	return is_full(file, at + size) ? -1 : real(file, mode, at, size);
}

/* Gives its error back and leaves errno alone. */
int posix_fallocate(int file, off_t at, off_t size)
{
	static int (*real)(int, off_t, off_t);
	int before = errno;
	bool full = is_full(file, at + size);

	errno = before;
	if (!real)
		real = next("posix_fallocate");
	return full ? ENOSPC : real(file, at, size);
}

ssize_t pwrite64(int file, const void *bytes, size_t size, off_t at)
{
	return pwrite(file, bytes, size, at);
}

ssize_t pwritev64(int file, const struct iovec *parts, int count, off_t at)
{
	return pwritev(file, parts, count, at);
}

int ftruncate64(int file, off_t length)
{
	return ftruncate(file, length);
}

int fallocate64(int file, int mode, off_t at, off_t size)
{
	return fallocate(file, mode, at, size);
}

int posix_fallocate64(int file, off_t at, off_t size)
{
	return posix_fallocate(file, at, size);
}
