#ifndef RUN_H
#define RUN_H
#include "connection.h"
#include "histogram.h"

/** State of the whole run: one thread, one run a process. */
typedef struct {
  Conn *conns;
  int conn_count, up, failed, closed;
  uint64_t received, dup_flagged, duplicates, reordered; // deliveries
  uint64_t settled;                                      // deliveries whose handshake is over (QoS 2: PUBCOMP sent)
  uint64_t sent, acked, refused, expected;               // publishes; deliveries they should come to
  uint64_t from, until;                                  // due times that count
  uint64_t received_at;                                  // when the bytes being parsed were read
  uint64_t longest_gap;                                  // between two reads of one subscriber
  bool publishing;
  Sequence *sequences;                                   // [subscriber][publisher], or NULL
  Histogram latency, ack_latency, connect_latency;
} Run;

extern Run run;

#endif
