#include "codec.h"
#include "options.h"
#include <stdio.h>
#include <string.h>

uint32_t varint_encode(uint8_t *to, uint32_t value) {
  uint32_t n = 0;
  do {
    uint8_t low = value & 127;
    value >>= 7;
    to[n++] = (uint8_t)(low | (value ? 128 : 0));
  } while (value);
  return n;
}

uint32_t varint_decode(const uint8_t *from, uint32_t available, uint32_t *value) {
  uint32_t n = 0, shift = 0;
  *value = 0;
  do {
    if (n >= available || n == 4) return 0;
    *value |= (uint32_t)(from[n] & 127) << shift;
    shift += 7;
  } while (from[n++] & 128);
  return n;
}

uint32_t string_encode(uint8_t *to, const char *text) {
  size_t length = strlen(text);
  to[0] = (uint8_t)(length >> 8);
  to[1] = (uint8_t)length;
  memcpy(to + 2, text, length);
  return (uint32_t)length + 2;
}

static void append_packet(Conn *c, uint8_t first, const uint8_t *body, uint32_t n) {
  uint8_t *p = conn_room(c, n + 5);
  p[0] = first;
  uint32_t head = 1 + varint_encode(p + 1, n);
  memcpy(p + head, body, n);
  c->out_length += head + n;
}

void send_connect(Conn *c) {
  uint8_t body[2048];
  char id[128];
  const char *user = c->user ? c->user : opt.user, *pass = c->pass ? c->pass : opt.pass;
  if ((user && strlen(user) > 512) || (pass && strlen(pass) > 512)) die("user name or password is over 512 bytes");
  memcpy(body, "\0\4MQTT", 6);
  uint32_t n = 6;
  body[n++] = (uint8_t)opt.version;
  body[n++] = (uint8_t)((c->clean ? 2 : 0) | (user ? 128 : 0) | (pass ? 64 : 0));
  body[n++] = (uint8_t)(opt.keepalive >> 8);
  body[n++] = (uint8_t)opt.keepalive;
  if (opt.version == 5 && c->clean) body[n++] = 0;
  if (opt.version == 5 && !c->clean) {
    memcpy(body + n, "\5\x11\0\0\x0e\x10", 6); // session expiry interval: an hour
    n += 6;
  }
  snprintf(id, sizeof id, "%s-%c%d", opt.id, "ips"[c->kind], c->index);
  n += string_encode(body + n, c->client_id ? c->client_id : id);
  if (user) n += string_encode(body + n, user);
  if (pass) n += string_encode(body + n, pass);
  append_packet(c, CONNECT << 4, body, n);
  c->state = CONN_CONNACK;
  conn_flush(c);
}

void send_subscribe(Conn *c) {
  uint8_t body[512];
  char filter[256];
  const char *share = opt.shared ? "$share/g/" : "";
  uint32_t n = 0;
  body[n++] = 0;
  body[n++] = 1; // packet id
  if (opt.version == 5) body[n++] = 0;
  if (opt.wild) snprintf(filter, sizeof filter, "%s%s/+/t", share, opt.prefix);
  else snprintf(filter, sizeof filter, "%s%s/%d/t", share, opt.prefix, c->topic);
  n += string_encode(body + n, filter);
  body[n++] = (uint8_t)opt.sub_qos;
  append_packet(c, SUBSCRIBE << 4 | 2, body, n);
  c->state = CONN_SUBACK;
  conn_flush(c);
}

void send_disconnect(Conn *c) {
  append_packet(c, (uint8_t)(DISCONNECT << 4), NULL, 0);
  conn_flush(c);
}

void append_ack(Conn *c, uint8_t type, uint16_t packet_id) {
  uint8_t *p = conn_room(c, 4);
  p[0] = (uint8_t)(type << 4 | (type == PUBREL ? 2 : 0));
  p[1] = 2;
  p[2] = (uint8_t)(packet_id >> 8);
  p[3] = (uint8_t)packet_id;
  c->out_length += 4;
}

static uint32_t be16(const uint8_t *b) { return (uint32_t)b[0] << 8 | b[1]; }

uint32_t connack_receive_maximum(const uint8_t *b, uint32_t available) {
  uint32_t length, i = varint_decode(b, available, &length), end = i + length;
  if (!i || end > available) return 65535;
  while (i < end) {
    switch (b[i++]) {
      case 0x21: return be16(b + i);
      case 0x11: case 0x27: i += 4; break;
      case 0x13: case 0x22: i += 2; break;
      case 0x24: case 0x25: case 0x28: case 0x29: case 0x2a: i += 1; break;
      case 0x12: case 0x15: case 0x16: case 0x1a: case 0x1c: case 0x1f: i += 2 + be16(b + i); break;
      case 0x26: i += 2 + be16(b + i); i += 2 + be16(b + i); break;
      default: return 65535;
    }
  }
  return 65535;
}
