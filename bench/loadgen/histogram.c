#include "histogram.h"

#define STEPS (1u << HISTOGRAM_STEPS_LOG2)

static int slot_of(uint64_t ns) {
  if (ns < STEPS) return (int)ns;
  int octave = 63 - __builtin_clzll(ns), shift = octave - HISTOGRAM_STEPS_LOG2;
  int slot = ((shift + 1) << HISTOGRAM_STEPS_LOG2) + (int)((ns >> shift) & (STEPS - 1));
  return slot < HISTOGRAM_SLOTS ? slot : HISTOGRAM_SLOTS - 1;
}

/** Middle of a slot, in nanoseconds. */
static double value_of(int slot) {
  if (slot < (int)STEPS) return slot;
  int shift = (slot >> HISTOGRAM_STEPS_LOG2) - 1;
  double step = (double)(1ull << shift);
  return (double)(STEPS + ((unsigned)slot & (STEPS - 1))) * step + step / 2;
}

void histogram_add(Histogram *h, uint64_t ns) {
  h->slot[slot_of(ns)]++;
  h->count++;
  h->sum += (double)ns;
  if (ns > h->max) h->max = ns;
}

double histogram_quantile_us(const Histogram *h, double q) {
  if (h->count == 0) return 0;
  uint64_t rank = (uint64_t)(q * (double)h->count), seen = 0;
  if (rank >= h->count) rank = h->count - 1;
  for (int i = 0; i < HISTOGRAM_SLOTS; i++) {
    seen += h->slot[i];
    if (seen <= rank) continue;
    double v = value_of(i);
    return (v > (double)h->max ? (double)h->max : v) / 1e3;
  }
  return (double)h->max / 1e3;
}

double histogram_mean_us(const Histogram *h) { return h->count ? h->sum / (double)h->count / 1e3 : 0; }
