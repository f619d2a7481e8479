#define _GNU_SOURCE
#include "clock.h"
#include "modes.h"
#include "options.h"
#include "publisher.h"
#include "report.h"
#include "run.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define TS_DIGITS 13
#define VALUE_DIGITS 7
#define MAX_POINTS 64

/** Where the digits that differ between messages lie in the payload. */
static struct {
  uint32_t ts, value[MAX_POINTS];
} at;
static uint64_t first_ts; // of message 0 of every device; message k has the time first_ts + k, so no two collide

/** `{"ts":1700000000000,"values":{"k0":1000000,..}}`: one time a message, as many points as asked for. */
static uint32_t compose(char *to) {
  char *p = to;
  p += sprintf(p, "{\"ts\":");
  at.ts = (uint32_t)(p - to);
  p += sprintf(p, "%013llu,\"values\":{", (unsigned long long)first_ts);
  for (int k = 0; k < opt.points; k++) {
    p += sprintf(p, "%s\"k%d\":", k ? "," : "", k);
    at.value[k] = (uint32_t)(p - to);
    p += sprintf(p, "1000000");
  }
  p += sprintf(p, "}}");
  return (uint32_t)(p - to);
}

static void digits(uint8_t *to, uint64_t value, int n) {
  for (int i = n - 1; i >= 0; i--, value /= 10) to[i] = (uint8_t)('0' + value % 10);
}

/** A line a device: client id, user, password, by tabs. The text stays in memory for the run. */
static void read_credentials(Conn *devices) {
  if (!opt.credentials) return;
  FILE *f = fopen(opt.credentials, "r");
  if (!f) die("%s: can't be read", opt.credentials);
  char *line = NULL;
  size_t capacity = 0;
  for (int i = 0; i < opt.pubs; i++) {
    ssize_t n = getline(&line, &capacity, f);
    if (n < 0) die("%s: %d devices, but --pubs is %d", opt.credentials, i, opt.pubs);
    if (n && line[n - 1] == '\n') line[n - 1] = 0;
    char *rest = strdup(line);
    devices[i].client_id = strsep(&rest, "\t");
    devices[i].user = strsep(&rest, "\t");
    devices[i].pass = strsep(&rest, "\t");
    if (!devices[i].pass) die("%s, line %d: client id, user and password, separated by tabs", opt.credentials, i + 1);
  }
  free(line);
  fclose(f);
}

static void pump(Conn *c) {
  enum { BATCH_BYTES = 16384 };
  uint64_t now = clock_ns();
  bool any = false;
  while (!publisher_blocked(c) && c->out_length - c->out_offset < BATCH_BYTES) {
    uint32_t number = c->sequence;
    if (opt.rate > 0 && number >= c->due) break;
    uint8_t *payload = publisher_publish(c, now, now) + c->payload_at;
    digits(payload + at.ts, first_ts + number, TS_DIGITS);
    for (int k = 0; k < opt.points; k++) digits(payload + at.value[k], 1000000 + number % 1000000, VALUE_DIGITS);
    any = true;
  }
  if (any) conn_flush(c);
}

static void pump_all(Conn *devices, uint64_t now) {
  for (int i = 0; i < opt.pubs; i++) {
    if (opt.rate > 0) devices[i].due = (uint32_t)((double)(now - schedule_start) * opt.rate / 1e9 / opt.pubs) + 1;
    pump(&devices[i]);
  }
}

void mode_telemetry(void) {
  if (opt.points > MAX_POINTS) die("--points is at most %d", MAX_POINTS);
  if (opt.qos == 0) opt.qos = 1;
  char payload[64 + MAX_POINTS * 20];
  first_ts = (uint64_t)time(NULL) * 1000 - 3600 * 1000ull; // an hour back, so that message times stay in the past
  uint32_t size = compose(payload);
  opt.size = 0; // no stamp
  Conn *devices = connections_make(opt.pubs);
  for (int i = 0; i < opt.pubs; i++) {
    devices[i].kind = KIND_PUBLISHER;
    devices[i].index = devices[i].host = i;
    publisher_set_packet(&devices[i], opt.topic, (const uint8_t *)payload, size);
    publisher_reserve(&devices[i]);
  }
  read_credentials(devices);
  if (!open_all(devices, opt.pubs, opt.parallel, 60)) die("devices could not connect");

  Measure m = {0};
  uint64_t acked = 0, now;
  schedule_start = clock_ns();
  run.from = schedule_start + seconds_ns(opt.warm);
  run.until = run.from + seconds_ns(opt.time);
  while ((now = clock_ns()) < run.until) {
    if (!m.at && now >= run.from) {
      m = measure_begin();
      acked = run.acked;
      run.ack_latency = (Histogram){0};
    }
    pump_all(devices, now);
    loop_step((int64_t)NS_PER_MS);
  }
  Measured use = measure_end(&m);
  uint64_t counted = run.acked - acked, end = clock_ns() + seconds_ns(opt.drain);
  while (run.acked < run.sent && clock_ns() < end && run.up) loop_step((int64_t)NS_PER_MS);
  report_begin("telemetry");
  report_number("seconds", use.seconds, 3);
  report_integer("points", opt.points);
  report_number("messagesPerS", (double)counted / use.seconds, 0);
  report_number("pointsPerS", (double)counted * opt.points / use.seconds, 0);
  report_integer("sent", (long long)run.sent);
  report_integer("acked", (long long)run.acked);
  report_integer("unacked", (long long)(run.sent - run.acked));
  report_integer("refused", (long long)run.refused);
  report_integer("closed", run.closed);
  report_integer("firstTs", (long long)first_ts);
  report_integer("firstDeviceSent", devices[0].sequence);
  report_measured(&use);
  report_histogram("ackUs", &run.ack_latency);
  report_end();
  for (int i = 0; i < opt.pubs; i++) conn_bye(&devices[i]);
}
