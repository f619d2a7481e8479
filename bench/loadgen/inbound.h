#ifndef INBOUND_H
#define INBOUND_H
#include "connection.h"

/** One whole packet from the broker: its first byte and its body. */
void inbound_packet(Conn *c, uint8_t first, const uint8_t *body, uint32_t n);

#endif
