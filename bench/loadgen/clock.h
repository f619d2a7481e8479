#ifndef CLOCK_H
#define CLOCK_H
#include <stdint.h>
#include <time.h>

#define NS_PER_S ((uint64_t)1000000000)
#define NS_PER_MS ((uint64_t)1000000)

/** Monotonic time in nanoseconds. */
static inline uint64_t clock_ns(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (uint64_t)t.tv_sec * NS_PER_S + (uint64_t)t.tv_nsec;
}

static inline uint64_t seconds_ns(double s) { return (uint64_t)(s * 1e9); }

#endif
