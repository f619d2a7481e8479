#include "clock.h"
#include "modes.h"
#include "options.h"
#include "publisher.h"
#include "report.h"
#include "run.h"
#include <stdlib.h>

static Conn *subs, *pubs;
static uint64_t scheduled; // messages of the fixed-rate schedule made due so far
static uint64_t stalls;    // times the credit was written off because nothing came

static void lost(Conn *c) {
  if (opt.reconnect_ms >= 0) c->wake = clock_ns() + (uint64_t)opt.reconnect_ms * NS_PER_MS;
}
static void up(Conn *c) {
  if (c->kind == KIND_PUBLISHER && c->sequence) publisher_resend(c);
}

static bool pair(const Conn *sub, const Conn *pub) { return opt.wild || sub->topic == pub->topic; }

static void prepare(void) {
  subs = connections_make(opt.subs + opt.pubs);
  pubs = subs + opt.subs;
  for (int i = 0; i < opt.subs; i++) {
    subs[i].kind = KIND_SUBSCRIBER;
    subs[i].index = subs[i].host = i;
    subs[i].topic = i % opt.topics;
  }
  for (int i = 0; i < opt.pubs; i++) {
    Conn *p = &pubs[i];
    p->index = p->host = i;
    p->topic = i % opt.topics;
    p->clean = true;
    publisher_init(p);
    for (int j = 0; j < opt.subs; j++) p->fan += pair(&subs[j], p);
    if (opt.shared && p->fan) p->fan = 1;
  }
  if (opt.size >= STAMP_BYTES && opt.subs)
    run.sequences = calloc((size_t)(opt.shared ? 1 : opt.subs) * (size_t)opt.pubs, sizeof(Sequence));
  if (!open_all(subs, opt.subs, opt.parallel, 60)) die("subscribers could not connect");
  if (!open_all(pubs, opt.pubs, opt.parallel, 60)) die("publishers could not connect");
  loop_spend(0.05);
  conn_on_lost = lost;
  conn_on_up = up;
}

static void reconnect_due(uint64_t now) {
  if (opt.reconnect_ms < 0) return;
  for (int i = 0; i < run.conn_count; i++) {
    Conn *c = &run.conns[i];
    if (c->state != CONN_CLOSED || now < c->wake) continue;
    c->host++;
    conn_open(c);
  }
}

/** Sends what the schedule says is due; returns how long to wait for the next. */
static int64_t publish_at_rate(uint64_t now) {
  uint64_t due = (uint64_t)((double)(now - schedule_start) * opt.rate / 1e9) + 1;
  for (; scheduled < due; scheduled++) pubs[scheduled % (uint64_t)opt.pubs].due++;
  for (int i = 0; i < opt.pubs; i++)
    if (pubs[i].sequence < pubs[i].due) publisher_pump(&pubs[i], 1 << 20);
  int64_t wait = (int64_t)(schedule_start + (uint64_t)((double)scheduled * 1e9 / opt.rate)) - (int64_t)clock_ns();
  return wait < 0 ? 0 : wait;
}

/** Deliveries that never come must not hold up the rest: after a second without any their credit is written off. */
static void write_off(uint64_t now, bool waiting) {
  static uint64_t mark, settled;
  if (run.settled != settled || !mark) {
    mark = now;
    settled = run.settled;
  } else if (opt.credit && waiting && now - mark > NS_PER_S && run.expected > settled) {
    stalls++;
    run.expected = settled;
    mark = now;
  }
}

static int64_t publish_at_will(uint64_t now) {
  uint32_t bytes = opt.pubs <= 4 ? 65536 : opt.pubs <= 32 ? 16384 : 8192;
  int64_t wait = 5 * (int64_t)NS_PER_MS;
  for (int i = 0; i < opt.pubs; i++) {
    publisher_pump(&pubs[i], bytes);
    if (!publisher_blocked(&pubs[i])) wait = 0;
  }
  write_off(now, wait > 0);
  return wait;
}

typedef struct {
  Measured use;
  uint64_t sent, acked, received;
} Window;

static Window measured_part(void) {
  Measure m = {0};
  uint64_t sent = 0, acked = 0, received = 0, now;
  schedule_start = clock_ns();
  run.from = schedule_start + seconds_ns(opt.warm);
  run.until = run.from + seconds_ns(opt.time);
  run.publishing = true;
  while ((now = clock_ns()) < run.until) {
    if (!m.at && now >= run.from) {
      m = measure_begin();
      sent = run.sent;
      acked = run.acked;
      received = run.received;
    }
    reconnect_due(now);
    loop_step(opt.rate > 0 ? publish_at_rate(now) : publish_at_will(now));
  }
  run.publishing = false;
  return (Window){measure_end(&m), run.sent - sent, run.acked - acked, run.received - received};
}

static uint64_t open_publishes(void) {
  uint64_t open = 0;
  for (int i = 0; i < opt.pubs; i++) open += pubs[i].inflight + (pubs[i].out_offset < pubs[i].out_length);
  return open;
}

/** Until everything has come, or nothing has for 1.5 s; returns what was not acknowledged. */
static uint64_t drain(uint64_t wanted) {
  uint64_t received = run.received, acked = run.acked, last = clock_ns(), end = last + seconds_ns(opt.drain), open;
  for (;;) {
    uint64_t now = clock_ns();
    open = open_publishes();
    if (!open && run.received >= wanted + run.duplicates) break;
    if (now > end || now - last > 1500 * NS_PER_MS) break;
    if (run.received != received || run.acked != acked) {
      received = run.received;
      acked = run.acked;
      last = now;
    }
    reconnect_due(now);
    loop_step(5 * (int64_t)NS_PER_MS);
  }
  loop_spend(0.05); // duplicates of the last ones
  return open;
}

static uint64_t count_missing(void) {
  uint64_t missing = 0;
  for (int i = 0; run.sequences && i < opt.pubs; i++)
    for (int j = 0; j < (opt.shared ? 1 : opt.subs); j++)
      if (opt.shared || pair(&subs[j], &pubs[i]))
        missing += sequence_missing(&run.sequences[(size_t)j * (size_t)opt.pubs + (size_t)i], pubs[i].sequence);
  return missing;
}

void mode_flow(void) {
  prepare();
  Window w = measured_part();
  uint64_t unsent = 0, wanted = 0;
  for (int i = 0; i < opt.pubs; i++) {
    if (opt.rate > 0) unsent += pubs[i].due - pubs[i].sequence;
    wanted += (uint64_t)pubs[i].sequence * pubs[i].fan;
  }
  uint64_t open = drain(wanted);
  double s = w.use.seconds;
  report_begin("flow");
  report_integer("version", opt.version);
  report_integer("qos", opt.qos);
  report_number("seconds", s, 3);
  report_number("sentPerS", (double)w.sent / s, 0);
  report_number("ackedPerS", (double)w.acked / s, 0);
  report_number("receivedPerS", (double)w.received / s, 0);
  report_integer("sent", (long long)run.sent);
  report_integer("acked", (long long)run.acked);
  report_integer("received", (long long)run.received);
  report_integer("wanted", (long long)wanted);
  report_integer("lost", (long long)count_missing());
  report_integer("duplicated", (long long)run.duplicates);
  report_integer("reordered", (long long)run.reordered);
  report_integer("dupFlagged", (long long)run.dup_flagged);
  report_integer("unacked", (long long)open);
  report_integer("refused", (long long)run.refused);
  report_integer("unsent", (long long)unsent);
  report_integer("stalls", (long long)stalls);
  report_integer("closed", run.closed);
  report_number("longestGapMs", (double)run.longest_gap / 1e6, 1);
  report_measured(&w.use);
  report_histogram("latencyUs", &run.latency);
  if (opt.qos) report_histogram("ackUs", &run.ack_latency);
  report_end();
  for (int i = 0; i < run.conn_count; i++) conn_bye(&run.conns[i]);
}
