#ifndef KNOWN_SET_H
#define KNOWN_SET_H
#include "connection.h"

/** What retain and session share: publish a known set at QoS 1, then count it at each subscriber. */

/** n messages over the topics in turn, acknowledged or not after the limit; returns the seconds it took. With
 *  `own_index` each topic is checked as a publisher of its own, else all are one publisher's. */
double publish_set(Conn *p, int n, int topics, bool own_index, double limit_s);
/** Waits until so many deliveries have come or none has for 3 s; returns the seconds from `start` to the last. */
double await_received(uint64_t wanted, uint64_t start);

#endif
