/*
 * CRC-32C (Castagnoli, RFC 3720 appendix B.4): the trailer of a SmartAMM frame
 * that is not encrypted.
 */
#ifndef SMARTHG_BRIDGE_CRC32C_H
#define SMARTHG_BRIDGE_CRC32C_H

#include <stddef.h>
#include <stdint.h>

/* The checksum of size bytes as a number. */
uint32_t crc32c(const void *bytes, size_t size);

#endif
