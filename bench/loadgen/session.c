#include "clock.h"
#include "known-set.h"
#include "modes.h"
#include "options.h"
#include "publisher.h"
#include "report.h"
#include "run.h"
#include "usage.h"
#include <stdlib.h>

static void open_or_die(Conn *c, int n) {
  if (!open_all(c, n, opt.parallel, 30)) die("could not connect");
}
static void leave(Conn *subs, bool clean_next) {
  for (int i = 0; i < opt.subs; i++) {
    conn_bye(&subs[i]);
    subs[i].clean = clean_next;
  }
}

void mode_session(void) {
  Conn *p = connections_make(opt.subs + 1), *subs = p + 1;
  int n = opt.subs * opt.count;
  opt.qos = 1;
  if (opt.sub_qos < 1) opt.sub_qos = 1;
  opt.topics = opt.subs;
  opt.pubs = 1;
  p->clean = true;
  publisher_init(p);
  for (int i = 0; i < opt.subs; i++) {
    subs[i].kind = KIND_SUBSCRIBER;
    subs[i].index = subs[i].host = subs[i].topic = i;
    subs[i].clean = true; // drops what an earlier run left
  }
  open_or_die(p, 1);
  open_or_die(subs, opt.subs);
  leave(subs, false);
  loop_spend(0.2);
  open_or_die(subs, opt.subs);
  leave(subs, false);
  loop_spend(0.3);

  long before = usage_rss_kb(opt.pid);
  Measure storing = measure_begin();
  double store = publish_set(p, n, opt.subs, false, 60);
  Measured store_use = measure_end(&storing);
  bool stored = run.acked == (uint64_t)n;
  long after = usage_rss_kb(opt.pid);

  run.sequences = calloc((size_t)opt.subs, sizeof(Sequence));
  run.until = UINT64_MAX;
  for (int i = 0; i < opt.subs; i++) subs[i].host++; // comes back at the next address
  uint64_t start = clock_ns();
  Measure m = measure_begin();
  open_or_die(subs, opt.subs);
  double replay = await_received((uint64_t)n, start);
  Measured use = measure_end(&m);
  uint64_t lost = 0;
  int present = 0;
  for (int i = 0; i < opt.subs; i++) {
    lost += sequence_missing(&run.sequences[i], (uint32_t)opt.count);
    present += subs[i].session_present;
  }
  report_begin("session");
  report_integer("subs", opt.subs);
  report_integer("count", opt.count);
  report_flag("stored", stored);
  report_integer("present", present);
  report_number("storePerS", n / store, 0);
  report_number("storeBrokerCpu", store_use.broker_cores, 3);
  report_number("replayPerS", run.received ? (double)run.received / replay : 0, 0);
  report_integer("received", (long long)run.received);
  report_integer("wanted", n);
  report_integer("lost", (long long)lost);
  report_integer("duplicated", (long long)run.duplicates);
  report_integer("reordered", (long long)run.reordered);
  if (opt.pid) report_number("kbPerQueued", (double)(after - before) / n, 3);
  report_measured(&use);
  report_end();
  leave(subs, true);
  open_or_die(subs, opt.subs); // leaves no session behind
  leave(subs, true);
  conn_bye(p);
}
