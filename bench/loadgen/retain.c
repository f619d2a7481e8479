#include "clock.h"
#include "known-set.h"
#include "modes.h"
#include "options.h"
#include "publisher.h"
#include "report.h"
#include "run.h"
#include "usage.h"
#include <stdlib.h>
#include <string.h>

/** --subs new subscribers at once, --count times; seconds from the first connect to the last message. */
static double take_all(Conn *subs) {
  uint64_t start = clock_ns(), wanted = run.received + (uint64_t)opt.topics * (uint64_t)opt.subs;
  if (!open_all(subs, opt.subs, opt.subs, 30)) die("subscribers could not connect");
  double seconds = await_received(wanted, start);
  for (int i = 0; i < opt.subs; i++) conn_bye(&subs[i]);
  return seconds;
}

void mode_retain(void) {
  Conn *p = connections_make(opt.subs + 1), *subs = p + 1;
  size_t pairs = (size_t)opt.subs * (size_t)opt.topics;
  opt.pubs = opt.topics; // each topic is checked as a publisher of its own
  opt.qos = 1;
  opt.retain = opt.wild = true;
  publisher_init(p);
  for (int i = 0; i < opt.subs; i++) {
    subs[i].kind = KIND_SUBSCRIBER;
    subs[i].index = subs[i].host = i;
  }
  if (!open_all(p, 1, 1, 10)) die("could not connect");
  long before = usage_rss_kb(opt.pid);
  double store = publish_set(p, opt.topics, opt.topics, true, 60);
  long after = usage_rss_kb(opt.pid);
  bool stored = run.acked == (uint64_t)opt.topics;

  run.sequences = calloc(pairs, sizeof(Sequence));
  run.until = UINT64_MAX;
  double *rates = calloc((size_t)opt.count, sizeof(double));
  uint64_t lost = 0;
  Measure m = measure_begin();
  for (int r = 0; r < opt.count; r++) {
    uint64_t received = run.received;
    double seconds = take_all(subs);
    rates[r] = (double)(run.received - received) / seconds;
    for (size_t i = 0; i < pairs; i++) lost += sequence_missing(&run.sequences[i], 1);
    memset(run.sequences, 0, pairs * sizeof(Sequence));
  }
  Measured use = measure_end(&m);
  report_begin("retain");
  report_integer("topics", opt.topics);
  report_integer("subs", opt.subs);
  report_flag("stored", stored);
  report_number("storePerS", opt.topics / store, 0);
  report_list("deliveredPerS", rates, opt.count);
  report_integer("received", (long long)run.received);
  report_integer("wanted", (long long)pairs * opt.count);
  report_integer("lost", (long long)lost);
  report_integer("duplicated", (long long)run.duplicates);
  if (opt.pid) report_number("kbPerRetained", (double)(after - before) / opt.topics, 2);
  report_measured(&use);
  report_end();
  opt.size = 0; // an empty payload removes the retained message
  publish_set(p, opt.topics, opt.topics, true, 60);
  conn_bye(p);
}
