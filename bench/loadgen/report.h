#ifndef REPORT_H
#define REPORT_H
#include "histogram.h"
#include <stdbool.h>

/** One flat JSON object on standard output. */
void report_begin(const char *mode);
void report_integer(const char *name, long long value);
void report_number(const char *name, double value, int decimals);
void report_flag(const char *name, bool value);
void report_histogram(const char *name, const Histogram *h);
void report_list(const char *name, const double *values, int n);
void report_end(void);

/** Processor time and memory from here to `measure_end`, reported as brokerCpu, genCpu (cores) and rssKb. */
typedef struct {
  double broker_cpu, own_cpu;
  unsigned long long at;
} Measure;
Measure measure_begin(void);
typedef struct {
  double seconds, broker_cores, own_cores;
} Measured;
Measured measure_end(const Measure *m);
void report_measured(const Measured *m);

#endif
