#ifndef USAGE_H
#define USAGE_H

/** Resident memory of a process and its descendants, in KB; 0 when pid is 0. */
long usage_rss_kb(int pid);
/** Processor time of a process and its descendants, all threads, in seconds; 0 when pid is 0. */
double usage_cpu_s(int pid);
/** Processor time of this process, in seconds. */
double usage_own_cpu_s(void);

#endif
