#include "known-set.h"
#include "clock.h"
#include "publisher.h"
#include "run.h"

double publish_set(Conn *p, int n, int topics, bool own_index, double limit_s) {
  enum { UNSENT_BYTES = 65536 };
  uint64_t start = clock_ns(), end = start + seconds_ns(limit_s), acked = run.acked;
  int next = 0;
  while (run.acked - acked < (uint64_t)n && clock_ns() < end && p->state == CONN_UP) {
    while (next < n && p->inflight < p->window && !p->writable_wanted && p->out_length - p->out_offset < UNSENT_BYTES) {
      int topic = next % topics;
      publisher_set_topic(p, topic);
      p->sequence = (uint32_t)(next / topics);
      p->index = own_index ? topic : 0;
      uint64_t now = clock_ns();
      publisher_publish(p, now, now);
      next++;
    }
    conn_flush(p);
    loop_step(5 * (int64_t)NS_PER_MS);
  }
  return (double)(clock_ns() - start) / 1e9;
}

double await_received(uint64_t wanted, uint64_t start) {
  uint64_t received = run.received, last = clock_ns();
  while (run.received < wanted && clock_ns() - last < 3 * NS_PER_S) {
    loop_step(5 * (int64_t)NS_PER_MS);
    if (run.received == received) continue;
    received = run.received;
    last = clock_ns();
  }
  return (double)(run.received_at - start) / 1e9;
}
