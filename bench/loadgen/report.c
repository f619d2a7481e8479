#include "report.h"
#include "clock.h"
#include "options.h"
#include "usage.h"
#include <stdio.h>

void report_begin(const char *mode) { printf("{\"mode\":\"%s\"", mode); }
void report_integer(const char *name, long long value) { printf(",\"%s\":%lld", name, value); }
void report_number(const char *name, double value, int decimals) { printf(",\"%s\":%.*f", name, decimals, value); }
void report_flag(const char *name, bool value) { printf(",\"%s\":%s", name, value ? "true" : "false"); }

void report_histogram(const char *name, const Histogram *h) {
  printf(",\"%s\":{\"n\":%llu,\"mean\":%.1f", name, (unsigned long long)h->count, histogram_mean_us(h));
  static const struct {
    const char *name;
    double q;
  } quantiles[] = {{"p50", .5}, {"p90", .9}, {"p99", .99}, {"p999", .999}, {"p9999", .9999}};
  for (int i = 0; i < 5; i++) printf(",\"%s\":%.1f", quantiles[i].name, histogram_quantile_us(h, quantiles[i].q));
  printf(",\"max\":%.1f}", (double)h->max / 1e3);
}

void report_list(const char *name, const double *values, int n) {
  printf(",\"%s\":[", name);
  for (int i = 0; i < n; i++) printf("%s%.1f", i ? "," : "", values[i]);
  printf("]");
}

void report_end(void) { puts("}"); }

Measure measure_begin(void) { return (Measure){usage_cpu_s(opt.pid), usage_own_cpu_s(), clock_ns()}; }

Measured measure_end(const Measure *m) {
  double s = (double)(clock_ns() - m->at) / 1e9;
  return (Measured){s, (usage_cpu_s(opt.pid) - m->broker_cpu) / s, (usage_own_cpu_s() - m->own_cpu) / s};
}

void report_measured(const Measured *m) {
  report_number("genCpu", m->own_cores, 3);
  if (!opt.pid) return;
  report_number("brokerCpu", m->broker_cores, 3);
  report_integer("rssKb", usage_rss_kb(opt.pid));
}
