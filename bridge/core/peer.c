/*
 * Addresses of peers as text.
 */
#include "peer.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

void peer_of_socket(int socket, char peer[PEER_SIZE])
{
	struct sockaddr_storage address;
	socklen_t size = sizeof(address);
	char host[INET6_ADDRSTRLEN] = "?";
	unsigned port = 0;

	if (getpeername(socket, (struct sockaddr *)&address, &size) == 0) {
		if (address.ss_family == AF_INET) {
			struct sockaddr_in *in = (struct sockaddr_in *)&address;
			inet_ntop(AF_INET, &in->sin_addr, host, sizeof(host));
			port = ntohs(in->sin_port);
		} else if (address.ss_family == AF_INET6) {
			struct sockaddr_in6 *in = (struct sockaddr_in6 *)&address;
			inet_ntop(AF_INET6, &in->sin6_addr, host, sizeof(host));
			port = ntohs(in->sin6_port);
		}
	}
	snprintf(peer, PEER_SIZE, strchr(host, ':') ? "[%s]:%u" : "%s:%u", host, port);
}
