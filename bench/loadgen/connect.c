#include "clock.h"
#include "modes.h"
#include "options.h"
#include "report.h"
#include "run.h"
#include "usage.h"

static Conn *make(int n) {
  Conn *c = connections_make(n);
  for (int i = 0; i < n; i++) {
    c[i].kind = opt.subscribe ? KIND_SUBSCRIBER : KIND_IDLE;
    c[i].index = c[i].host = c[i].topic = i;
  }
  return c;
}

void mode_conn(void) {
  Conn *c = make(opt.conns);
  long before = usage_rss_kb(opt.pid);
  Measure m = measure_begin();
  bool all = open_all(c, opt.conns, opt.parallel, 120);
  Measured use = measure_end(&m);
  loop_spend(opt.hold);
  long held_kb = usage_rss_kb(opt.pid);
  int held = run.up;
  report_begin("conn");
  report_integer("conns", opt.conns);
  report_integer("held", held);
  report_flag("all", all && held == opt.conns);
  report_number("seconds", use.seconds, 3);
  report_number("connectsPerS", held / use.seconds, 0);
  if (opt.pid && held) {
    report_integer("rssBeforeKb", before);
    report_integer("rssHeldKb", held_kb);
    report_number("kbPerConn", (double)(held_kb - before) / held, 2);
    report_number("brokerCpuUsPerConn", use.broker_cores * use.seconds * 1e6 / held, 1);
  }
  report_measured(&use);
  report_histogram("connectUs", &run.connect_latency);
  report_end();
  for (int i = 0; i < run.conn_count; i++) conn_bye(&run.conns[i]);
}

static uint64_t cycles;
static void leave(Conn *c) {
  cycles++;
  conn_bye(c);
}

void mode_churn(void) {
  Conn *c = make(opt.parallel);
  if (opt.sources == 1) opt.sources = 32;
  conn_on_up = leave;
  int next_index = opt.parallel;
  Measure m = {0};
  uint64_t start = clock_ns(), from = start + seconds_ns(opt.warm), until = from + seconds_ns(opt.time), before = 0, now;
  while ((now = clock_ns()) < until) {
    if (!m.at && now >= from) {
      m = measure_begin();
      before = cycles;
    }
    for (int i = 0; i < opt.parallel; i++)
      if (c[i].fd < 0) {
        c[i].index = next_index++;
        conn_open(&c[i]);
      }
    loop_step(5 * (int64_t)NS_PER_MS);
  }
  Measured use = measure_end(&m);
  report_begin("churn");
  report_integer("parallel", opt.parallel);
  report_number("seconds", use.seconds, 3);
  report_integer("failed", run.failed);
  report_number("connectsPerS", (double)(cycles - before) / use.seconds, 0);
  report_measured(&use);
  report_histogram("connectUs", &run.connect_latency);
  report_end();
}
