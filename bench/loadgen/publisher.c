#include "publisher.h"
#include "clock.h"
#include "codec.h"
#include "options.h"
#include "run.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

_Static_assert(sizeof(Stamp) == STAMP_BYTES, "the stamp is copied as it lies");
uint64_t schedule_start;

void publisher_set_packet(Conn *c, const char *topic, const uint8_t *payload, uint32_t size) {
  uint32_t body = 2 + (uint32_t)strlen(topic) + (opt.qos ? 2 : 0) + (opt.version == 5) + size, n = 0;
  free(c->packet);
  c->packet = malloc(body + 5);
  if (!c->packet) die("no memory");
  c->packet[n++] = (uint8_t)(PUBLISH << 4 | opt.qos << 1 | opt.retain);
  n += varint_encode(c->packet + n, body);
  n += string_encode(c->packet + n, topic);
  c->packet_id_at = n;
  if (opt.qos) n += 2;
  if (opt.version == 5) c->packet[n++] = 0; // no properties
  c->payload_at = n;
  if (payload) memcpy(c->packet + n, payload, size);
  else memset(c->packet + n, 'x', size);
  c->packet_length = n + size;
}

void publisher_set_topic(Conn *c, int topic) {
  char name[256];
  snprintf(name, sizeof name, "%s/%d/t", opt.prefix, topic);
  c->topic = topic;
  publisher_set_packet(c, name, NULL, (uint32_t)opt.size);
}

void publisher_reserve(Conn *c) {
  uint32_t slots = 1;
  while (slots < c->window * 2) slots *= 2;
  c->ring_mask = slots - 1;
  if (opt.qos) c->ring = calloc(slots, sizeof *c->ring);
}

void publisher_init(Conn *c) {
  c->kind = KIND_PUBLISHER;
  publisher_set_topic(c, c->topic);
  publisher_reserve(c);
}

static uint8_t *append(Conn *c, uint32_t sequence, uint16_t id, uint64_t due, bool dup) {
  uint8_t *p = conn_room(c, c->packet_length);
  memcpy(p, c->packet, c->packet_length);
  c->out_length += c->packet_length;
  if (opt.qos) {
    p[c->packet_id_at] = (uint8_t)(id >> 8);
    p[c->packet_id_at + 1] = (uint8_t)id;
    if (dup) p[0] |= 8;
  }
  if (opt.size >= STAMP_BYTES) {
    Stamp s = {due, (uint32_t)c->index, sequence};
    memcpy(p + c->payload_at, &s, sizeof s);
  }
  return p;
}

uint8_t *publisher_publish(Conn *c, uint64_t now, uint64_t due) {
  uint16_t id = 0;
  if (opt.qos) {
    Inflight *f;
    do {
      if (!++c->packet_id) c->packet_id = 1;
      f = &c->ring[c->packet_id & c->ring_mask];
    } while (f->state != INFLIGHT_FREE);
    id = c->packet_id;
    *f = (Inflight){now, due, c->sequence, id, INFLIGHT_ACK};
    c->inflight++;
  }
  run.sent++;
  run.expected += c->fan;
  return append(c, c->sequence++, id, due, false);
}

static uint64_t due_at(const Conn *c, uint32_t number) {
  return schedule_start + (uint64_t)(((double)number * opt.pubs + c->index) * 1e9 / opt.rate);
}

bool credit_used_up(void) {
  return opt.credit && run.expected > run.settled && (long)(run.expected - run.settled) >= opt.credit;
}

bool publisher_blocked(const Conn *c) {
  return c->state != CONN_UP || c->writable_wanted || (opt.qos && c->inflight >= c->window) || credit_used_up();
}

void publisher_pump(Conn *c, uint32_t bytes) {
  if (c->state != CONN_UP || c->writable_wanted) return;
  uint64_t now = clock_ns();
  bool any = false;
  while (c->out_length - c->out_offset < bytes) {
    if (opt.rate > 0 && c->sequence >= c->due) break;
    if ((opt.qos && c->inflight >= c->window) || credit_used_up()) break;
    publisher_publish(c, now, opt.rate > 0 ? due_at(c, c->sequence) : now);
    any = true;
  }
  if (any) conn_flush(c);
}

void publisher_resend(Conn *c) {
  for (uint32_t i = 1; opt.qos && i <= c->ring_mask + 1; i++) { // from the oldest packet id on
    Inflight *f = &c->ring[(c->packet_id + i) & c->ring_mask];
    if (f->state == INFLIGHT_ACK) append(c, f->sequence, f->packet_id, f->due, c->session_present);
    else if (f->state == INFLIGHT_COMP) append_ack(c, PUBREL, f->packet_id);
  }
  conn_flush(c);
}

void publisher_released(Conn *c, Inflight *f) {
  histogram_add(&run.ack_latency, run.received_at - f->sent_at);
  f->state = INFLIGHT_FREE;
  c->inflight--;
  run.acked++;
}
