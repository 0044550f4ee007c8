/*
 * The 16-bit checksums of meters: that of EN 13757 (link layer blocks, payloads,
 * format signatures), CRC-16/ARC of P1 telegrams (IEC 62056-21) and that of HDLC
 * (ISO/IEC 13239, IEC 62056-46).
 */
#ifndef SMARTHG_BRIDGE_CRC16_H
#define SMARTHG_BRIDGE_CRC16_H

#include <stddef.h>
#include <stdint.h>

/* EN 13757-4: polynomial 0x3d65, initial value 0, complemented. */
uint16_t crc16_en13757(const void *bytes, size_t size);

/* The same in parts: from 0, with crc16_en13757_end at the end. */
uint16_t crc16_en13757_add(uint16_t crc, const void *bytes, size_t size);
static inline uint16_t crc16_en13757_end(uint16_t crc)
{
	return (uint16_t)~crc;
}

/* Polynomial 0x8005 reflected, initial value 0. */
uint16_t crc16_arc(const void *bytes, size_t size);

/* CRC-16/X-25: polynomial 0x1021 reflected, initial value 0xffff, complemented; sent with its low
 * byte first. */
uint16_t crc16_x25(const void *bytes, size_t size);

#endif
