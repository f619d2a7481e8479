#ifndef OPTIONS_H
#define OPTIONS_H
#include <netinet/in.h>
#include <stdbool.h>

#define MAX_ADDRESSES 64

/** Where to connect; connections take the addresses in turn. */
typedef struct {
  struct sockaddr_in address[MAX_ADDRESSES];
  int count;
} Addresses;

typedef struct {
  const char *mode, *at, *pub_at, *sub_at, *prefix, *user, *pass, *id, *credentials, *topic;
  int version, pubs, subs, topics, qos, sub_qos, size, window, conns, parallel, count, points, keepalive, sources;
  int reconnect_ms, pid;
  double rate, warm, time, drain, hold;
  long credit;
  bool wild, shared, persist, tls, subscribe, retain;
  Addresses idle_addresses, pub_addresses, sub_addresses;
} Options;

extern Options opt;

/** Fills `opt`; exits with 1 and a line on standard error when an argument is wrong. */
void options_parse(int argc, char **argv);
/** One line on standard error, exit 1. */
_Noreturn void die(const char *format, ...) __attribute__((format(printf, 1, 2)));

#endif
