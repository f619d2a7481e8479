#define _GNU_SOURCE
#include "usage.h"
#include <stdio.h>
#include <time.h>

static double rss_kb(int pid) {
  char path[64], line[256];
  long kb = 0;
  snprintf(path, sizeof path, "/proc/%d/status", pid);
  FILE *f = fopen(path, "r");
  if (!f) return 0;
  while (fgets(line, sizeof line, f))
    if (sscanf(line, "VmRSS: %ld", &kb) == 1) break;
  fclose(f);
  return (double)kb;
}

/** By the process's CPU clock: nanoseconds, where /proc/pid/stat counts ticks of 10 ms. */
static double cpu_s(int pid) {
  clockid_t id;
  struct timespec t;
  if (clock_getcpuclockid(pid, &id) || clock_gettime(id, &t)) return 0;
  return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static double over_tree(int pid, double (*figure)(int)) {
  double sum = figure(pid);
  char path[64];
  int child;
  snprintf(path, sizeof path, "/proc/%d/task/%d/children", pid, pid);
  FILE *f = fopen(path, "r");
  if (!f) return sum;
  while (fscanf(f, "%d", &child) == 1) sum += over_tree(child, figure);
  fclose(f);
  return sum;
}

long usage_rss_kb(int pid) { return pid ? (long)over_tree(pid, rss_kb) : 0; }
double usage_cpu_s(int pid) { return pid ? over_tree(pid, cpu_s) : 0; }
double usage_own_cpu_s(void) {
  struct timespec t;
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
  return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}
