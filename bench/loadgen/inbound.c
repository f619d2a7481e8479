#include "inbound.h"
#include "codec.h"
#include "options.h"
#include "publisher.h"
#include "run.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static uint16_t be16(const uint8_t *b) { return (uint16_t)(b[0] << 8 | b[1]); }

/** QoS 2, method B: true when the packet id is held already, so the message is not taken again (MQTT 5, 4.3.3). */
static bool hold(Conn *c, uint16_t id) {
  if (!c->held) c->held = calloc(1024, sizeof(uint64_t));
  uint64_t bit = 1ull << (id & 63), *word = &c->held[id >> 6];
  bool was = *word & bit;
  *word |= bit;
  return was;
}

static void count(Conn *c, const uint8_t *payload, uint32_t n) {
  run.received++;
  if (n < STAMP_BYTES) return;
  Stamp s;
  memcpy(&s, payload, sizeof s);
  if (s.due >= run.from && s.due < run.until && run.received_at >= s.due) histogram_add(&run.latency, run.received_at - s.due);
  if (!run.sequences || s.publisher >= (uint32_t)opt.pubs) return;
  size_t subscriber = opt.shared ? 0 : (size_t)c->index;
  switch (sequence_see(&run.sequences[subscriber * (size_t)opt.pubs + s.publisher], s.sequence)) {
    case SEQUENCE_NEW: break;
    case SEQUENCE_DUPLICATE: run.duplicates++; break;
    case SEQUENCE_REORDERED: run.reordered++; break;
  }
}

static void publish_in(Conn *c, uint8_t first, const uint8_t *body, uint32_t n) {
  uint32_t at = 2u + be16(body);
  int qos = first >> 1 & 3;
  uint16_t id = 0;
  if (qos) {
    id = be16(body + at);
    at += 2;
  }
  if (opt.version == 5) {
    uint32_t properties, used = varint_decode(body + at, n - at, &properties);
    at += used + properties;
  }
  if (at > n) die("a PUBLISH of the broker is malformed");
  if (first & 8) run.dup_flagged++;
  if (qos != 2 || !hold(c, id)) count(c, body + at, n - at);
  if (qos != 2) run.settled++;
  if (qos) append_ack(c, qos == 1 ? PUBACK : PUBREC, id);
}

static void acknowledgement(Conn *c, uint8_t type, const uint8_t *body, uint32_t n) {
  uint16_t id = be16(body);
  Inflight *f = c->ring ? &c->ring[id & c->ring_mask] : NULL;
  if (!f || f->packet_id != id || !f->state || (type == PUBACK) != (opt.qos == 1)) return; // stays unacknowledged, which is reported
  bool refused = n > 2 && body[2] >= 128;
  if (refused) run.refused++;
  if (type == PUBREC && !refused) {
    f->state = INFLIGHT_COMP;
    append_ack(c, PUBREL, id);
  } else publisher_released(c, f);
}

static void connack(Conn *c, const uint8_t *body, uint32_t n) {
  if (n < 2 || body[1]) {
    fprintf(stderr, "loadgen: CONNACK with code %d\n", n < 2 ? -1 : body[1]);
    conn_close(c, true);
    return;
  }
  c->session_present = body[0] & 1;
  if (opt.version == 5) {
    uint32_t maximum = connack_receive_maximum(body + 2, n - 2);
    if (maximum < c->window) c->window = maximum;
  }
  if (c->kind == KIND_SUBSCRIBER && !(c->session_present && !c->clean)) send_subscribe(c);
  else conn_is_up(c);
}

static void suback(Conn *c, const uint8_t *body, uint32_t n) {
  if (body[n - 1] > 2) {
    fprintf(stderr, "loadgen: SUBACK with code %d\n", body[n - 1]);
    conn_close(c, true);
  } else if (c->state == CONN_SUBACK) conn_is_up(c);
}

void inbound_packet(Conn *c, uint8_t first, const uint8_t *body, uint32_t n) {
  uint8_t type = first >> 4;
  if (n < 2 && type != DISCONNECT && type != CONNACK) return;
  switch (type) {
    case CONNACK: connack(c, body, n); break;
    case PUBLISH: publish_in(c, first, body, n); break;
    case PUBACK: case PUBREC: case PUBCOMP: acknowledgement(c, type, body, n); break;
    case PUBREL:
      run.settled++;
      if (c->held) c->held[be16(body) >> 6] &= ~(1ull << (be16(body) & 63));
      append_ack(c, PUBCOMP, be16(body));
      break;
    case SUBACK: suback(c, body, n); break;
    case DISCONNECT:
      fprintf(stderr, "loadgen: DISCONNECT with code %d\n", n ? body[0] : 0);
      conn_close(c, true);
      break;
    default: break;
  }
}
