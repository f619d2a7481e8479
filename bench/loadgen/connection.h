#ifndef CONNECTION_H
#define CONNECTION_H
#include "sequence.h"
#include <stdbool.h>
#include <stdint.h>

typedef enum { KIND_IDLE, KIND_PUBLISHER, KIND_SUBSCRIBER } ConnKind;
typedef enum { CONN_NEW, CONN_TCP, CONN_TLS, CONN_CONNACK, CONN_SUBACK, CONN_UP, CONN_CLOSED } ConnState;
typedef enum { INFLIGHT_FREE, INFLIGHT_ACK, INFLIGHT_COMP } InflightState;

/** A QoS 1 or 2 message under way from a publisher. */
typedef struct {
  uint64_t sent_at, due;
  uint32_t sequence;
  uint16_t packet_id;
  uint8_t state;
} Inflight;

typedef struct Conn {
  int fd, index, host, topic;
  uint8_t kind, state;
  bool writable_wanted, clean, session_present;
  uint8_t *in, *out;
  uint32_t in_length, in_capacity, out_length, out_offset, out_capacity;
  const char *client_id, *user, *pass; // NULL: those of the options

  // publisher: its packet, of which packet id and payload head are written over
  uint8_t *packet;
  uint32_t packet_length, packet_id_at, payload_at;
  uint32_t sequence, due, inflight, window, ring_mask, fan;
  uint16_t packet_id;
  Inflight *ring;

  uint64_t *held;           // subscriber at QoS 2: packet ids between PUBREC and PUBREL
  uint64_t wake, last_received, opened;
  void *ssl;
} Conn;

/** Called when a connection is up (CONNACK, or SUBACK for a subscriber), and when one was lost. */
extern void (*conn_on_up)(Conn *), (*conn_on_lost)(Conn *);

void connections_init(void);
/** All connections of this run, zeroed. */
Conn *connections_make(int n);

void conn_open(Conn *c);
void conn_close(Conn *c, bool failed);
/** DISCONNECT and close. With something still to be sent the connection is reset, so that the broker drops it too. */
void conn_bye(Conn *c);
void conn_flush(Conn *c);
/** Space for n bytes at the end of what is to be sent; the caller adds to out_length. */
uint8_t *conn_room(Conn *c, uint32_t n);
/** The protocol is ready: CONNACK, and SUBACK where one was asked for. */
void conn_is_up(Conn *c);

/** Waits for events at most so long, then handles them. */
void loop_step(int64_t wait_ns);
void loop_spend(double seconds);
/** Opens n connections, `parallel` at a time; true when all are up within the limit. */
bool open_all(Conn *c, int n, int parallel, double limit_s);

#endif
