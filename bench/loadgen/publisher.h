#ifndef PUBLISHER_H
#define PUBLISHER_H
#include "connection.h"

/** Head of every payload that is timed and checked. */
typedef struct {
  uint64_t due; // when the message was due to be sent, by clock_ns
  uint32_t publisher, sequence;
} Stamp;
#define STAMP_BYTES 16

/** Makes a connection a publisher on PREFIX/topic/t. */
void publisher_init(Conn *c);
/** Takes another topic; the sequence is the caller's to set. */
void publisher_set_topic(Conn *c, int topic);
/** A PUBLISH packet with this topic and payload; c->payload_at says where the payload is. */
void publisher_set_packet(Conn *c, const char *topic, const uint8_t *payload, uint32_t size);
/** Reserves the ring of messages in flight. */
void publisher_reserve(Conn *c);

/** Appends one message; returns its bytes, to be written over. */
uint8_t *publisher_publish(Conn *c, uint64_t now, uint64_t due);
/** Publishes as many as window, schedule and credit allow, at most about so many bytes. */
void publisher_pump(Conn *c, uint32_t bytes);
bool publisher_blocked(const Conn *c);
bool credit_used_up(void);
/** After a reconnect: everything unacknowledged, in order of packet ids (MQTT 5, 4.4). */
void publisher_resend(Conn *c);
void publisher_released(Conn *c, Inflight *f);

/** When the fixed-rate schedule began. */
extern uint64_t schedule_start;

#endif
