#ifndef CODEC_H
#define CODEC_H
#include "connection.h"

enum { CONNECT = 1, CONNACK, PUBLISH, PUBACK, PUBREC, PUBREL, PUBCOMP, SUBSCRIBE, SUBACK, DISCONNECT = 14 };

/** Variable byte integer (MQTT 5, 1.5.5). Both return the bytes used; decode returns 0 when it is not complete. */
uint32_t varint_encode(uint8_t *to, uint32_t value);
uint32_t varint_decode(const uint8_t *from, uint32_t available, uint32_t *value);
/** Two length bytes and the text; returns the bytes used. */
uint32_t string_encode(uint8_t *to, const char *text);

void send_connect(Conn *c);
void send_subscribe(Conn *c);
void send_disconnect(Conn *c);
/** PUBACK, PUBREC, PUBREL or PUBCOMP; appended, not flushed. */
void append_ack(Conn *c, uint8_t type, uint16_t packet_id);
/** Receive Maximum of a CONNACK's properties, or 65535 (MQTT 5, 3.2.2.3.3). */
uint32_t connack_receive_maximum(const uint8_t *properties, uint32_t available);

#endif
