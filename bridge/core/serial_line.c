/*
 * Serial devices by termios; see the header.
 */
#include "serial_line.h"

#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <termios.h>
#include <unistd.h>

static const struct {
	int baud;
	speed_t speed;
} speeds[] = {{1200, B1200},     {2400, B2400},     {4800, B4800},    {9600, B9600},
              {19200, B19200},   {38400, B38400},   {57600, B57600},  {115200, B115200},
              {230400, B230400}, {460800, B460800}, {921600, B921600}};

static speed_t speed_of(int baud)
{
	for (size_t i = 0; i < sizeof(speeds) / sizeof(speeds[0]); i++)
		if (speeds[i].baud == baud)
			return speeds[i].speed;
	return B0;
}

bool serial_line_baud_valid(int baud)
{
	return speed_of(baud) != B0;
}

static bool set_line(int device, int baud)
{
	struct termios line;

	if (tcgetattr(device, &line) != 0)
		return false;
	cfmakeraw(&line);
	line.c_cflag |= CLOCAL | CREAD;
	line.c_cc[VMIN] = 1;
	line.c_cc[VTIME] = 0;
	return cfsetspeed(&line, speed_of(baud)) == 0 && tcsetattr(device, TCSANOW, &line) == 0 &&
	       tcflush(device, TCIOFLUSH) == 0;
}

int serial_line_open(const char *device, int baud)
{
	int line = open(device, O_RDWR | O_NOCTTY | O_NONBLOCK | O_CLOEXEC), error;

	if (line >= 0 && !set_line(line, baud)) {
		error = errno;
		close(line);
		errno = error;
		return -1;
	}
	return line;
}
