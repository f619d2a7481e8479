#ifndef HISTOGRAM_H
#define HISTOGRAM_H
#include <stdint.h>

/** Log-linear counts of nanoseconds: 128 steps an octave, so a quantile is wrong by less than 1 %. */
#define HISTOGRAM_STEPS_LOG2 7
#define HISTOGRAM_SLOTS 6144

typedef struct {
  uint64_t slot[HISTOGRAM_SLOTS], count, max;
  double sum;
} Histogram;

void histogram_add(Histogram *h, uint64_t ns);
/** Quantile 0..1 in microseconds; 0 when empty. */
double histogram_quantile_us(const Histogram *h, double q);
double histogram_mean_us(const Histogram *h);

#endif
