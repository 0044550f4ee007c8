/*
 * Who is at the other end of a connection.
 */
#ifndef SMARTHG_BRIDGE_PEER_H
#define SMARTHG_BRIDGE_PEER_H

enum { PEER_SIZE = 64 };

/* The peer's address as text "1.2.3.4:567" or "[::1]:567"; "?:0": it has none any more. */
void peer_of_socket(int socket, char peer[PEER_SIZE]);

#endif
