#define _GNU_SOURCE
#include "options.h"
#include <getopt.h>
#include <netdb.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

Options opt = {.at = "127.0.0.1:1883", .topic = "v1/devices/me/telemetry", .version = 4, .pubs = 1, .subs = 1, .topics = 1,
               .sub_qos = -1, .size = 64, .window = 64, .conns = 1000, .parallel = 128, .count = 100, .points = 1,
               .keepalive = 300, .sources = 1, .reconnect_ms = -1, .warm = 0.5, .time = 2, .drain = 5, .hold = 2};

typedef enum { TEXT, INT, LONG, REAL, FLAG } Kind;
static const struct {
  const char *name;
  Kind kind;
  void *value;
  const char *help;
} table[] = {
    {"at", TEXT, &opt.at, "HOST:PORT[,..] where to connect, taken in turn (127.0.0.1:1883)"},
    {"pub-at", TEXT, &opt.pub_at, "the same for publishers only"},
    {"sub-at", TEXT, &opt.sub_at, "the same for subscribers only"},
    {"v", INT, &opt.version, "4: MQTT 3.1.1, 5: MQTT 5.0 (4)"},
    {"pubs", INT, &opt.pubs, "publishers (1)"},
    {"subs", INT, &opt.subs, "subscribers (1)"},
    {"topics", INT, &opt.topics, "publisher i uses topic PREFIX/(i mod N)/t (1)"},
    {"wild", FLAG, &opt.wild, "subscribers take PREFIX/+/t; else subscriber j takes PREFIX/(j mod topics)/t"},
    {"shared", FLAG, &opt.shared, "all subscribers in one $share group"},
    {"qos", INT, &opt.qos, "0, 1 or 2 (0)"},
    {"sub-qos", INT, &opt.sub_qos, "QoS of the subscriptions (as --qos)"},
    {"size", INT, &opt.size, "payload bytes; at least 16 to be timed and checked (64)"},
    {"rate", REAL, &opt.rate, "messages a second over all publishers; 0: as fast as it goes (0)"},
    {"window", INT, &opt.window, "unacknowledged messages a publisher, QoS 1 and 2 (64)"},
    {"credit", LONG, &opt.credit, "publishers wait while N deliveries are outstanding; 0: no such limit (0)"},
    {"warm", REAL, &opt.warm, "seconds before counting starts (0.5)"},
    {"time", REAL, &opt.time, "seconds counted (2)"},
    {"drain", REAL, &opt.drain, "seconds to wait at most for what is on its way (5)"},
    {"conns", INT, &opt.conns, "conn: connections (1000)"},
    {"parallel", INT, &opt.parallel, "connection attempts under way at a time (128)"},
    {"hold", REAL, &opt.hold, "conn: seconds the connections are held (2)"},
    {"subscribe", FLAG, &opt.subscribe, "conn, churn: each connection subscribes to a topic of its own"},
    {"count", INT, &opt.count, "session: messages queued for each subscriber; retain: rounds (100)"},
    {"points", INT, &opt.points, "telemetry: points a message (1)"},
    {"topic", TEXT, &opt.topic, "telemetry: where devices publish (v1/devices/me/telemetry)"},
    {"credentials", TEXT, &opt.credentials, "telemetry: file, a line a device: client id, user, password, by tabs"},
    {"reconnect", INT, &opt.reconnect_ms, "flow: reconnect after MS to the next address and send again what is unacknowledged"},
    {"persist", FLAG, &opt.persist, "subscribers' sessions outlive the connection (MQTT 5: for an hour)"},
    {"pid", INT, &opt.pid, "the broker's process: its memory and processor time, with its children"},
    {"sources", INT, &opt.sources, "source addresses 127.0.0.1 .. 127.0.0.N (1)"},
    {"user", TEXT, &opt.user, "user name"},
    {"pass", TEXT, &opt.pass, "password"},
    {"id", TEXT, &opt.id, "client id prefix"},
    {"prefix", TEXT, &opt.prefix, "topic prefix"},
    {"keepalive", INT, &opt.keepalive, "seconds (300)"},
    {"retain", FLAG, &opt.retain, "flow: publish with the retain flag"},
    {"tls", FLAG, &opt.tls, "TLS, certificates unchecked"},
};
#define OPTION_COUNT (sizeof table / sizeof table[0])

_Noreturn void die(const char *format, ...) {
  va_list args;
  va_start(args, format);
  fputs("loadgen: ", stderr);
  vfprintf(stderr, format, args);
  fputc('\n', stderr);
  va_end(args);
  exit(1);
}

static _Noreturn void usage(void) {
  fputs("loadgen flow|conn|churn|retain|session|telemetry [options]\n", stderr);
  for (size_t i = 0; i < OPTION_COUNT; i++) fprintf(stderr, "  --%-12s %s\n", table[i].name, table[i].help);
  exit(1);
}

static void set(size_t i, const char *text) {
  char *end = NULL;
  switch (table[i].kind) {
    case FLAG: *(bool *)table[i].value = true; return;
    case TEXT: *(const char **)table[i].value = text; return;
    case INT: *(int *)table[i].value = (int)strtol(text, &end, 10); break;
    case LONG: *(long *)table[i].value = strtol(text, &end, 10); break;
    case REAL: *(double *)table[i].value = strtod(text, &end); break;
  }
  if (end == text || *end) die("--%s: %s is not a number", table[i].name, text);
}

static void resolve(Addresses *to, const char *list) {
  char *copy = strdup(list), *save = NULL;
  for (char *item = strtok_r(copy, ",", &save); item; item = strtok_r(NULL, ",", &save)) {
    char *colon = strrchr(item, ':');
    if (!colon || to->count == MAX_ADDRESSES) die("%s: an address is HOST:PORT, at most %d of them", item, MAX_ADDRESSES);
    *colon = 0;
    struct addrinfo hints = {.ai_family = AF_INET, .ai_socktype = SOCK_STREAM}, *found;
    if (getaddrinfo(item, colon + 1, &hints, &found)) die("%s: no such host", item);
    memcpy(&to->address[to->count++], found->ai_addr, sizeof(struct sockaddr_in));
    freeaddrinfo(found);
  }
  free(copy);
}

static void check(void) {
  if (opt.version != 4 && opt.version != 5) die("--v is 4 or 5");
  if (opt.qos < 0 || opt.qos > 2 || opt.sub_qos > 2) die("--qos and --sub-qos are 0, 1 or 2");
  if (opt.pubs < 1 || opt.topics < 1 || opt.parallel < 1 || opt.points < 1) die("--pubs, --topics, --parallel and --points are at least 1");
  if (opt.subs < 0 || opt.size < 0 || opt.conns < 1) die("--subs and --size are not negative, --conns is at least 1");
  if (opt.window < 1 || opt.window > 32767) die("--window is 1 to 32767");
  if (opt.keepalive < 0 || opt.keepalive > 65535) die("--keepalive is 0 to 65535");
#ifndef WITH_TLS
  if (opt.tls) die("built without TLS: install OpenSSL's headers (libssl-dev) and build again");
#endif
}

void options_parse(int argc, char **argv) {
  if (argc < 2 || argv[1][0] == '-') usage();
  opt.mode = argv[1];
  struct option long_options[OPTION_COUNT + 1] = {0};
  for (size_t i = 0; i < OPTION_COUNT; i++)
    long_options[i] = (struct option){table[i].name, table[i].kind != FLAG, NULL, (int)i + 1};
  optind = 2;
  for (int k; (k = getopt_long(argc, argv, "", long_options, NULL)) != -1;) {
    if (k == '?') usage();
    set((size_t)k - 1, optarg);
  }
  if (optind < argc) die("%s: options start with --", argv[optind]);
  check();
  if (opt.sub_qos < 0) opt.sub_qos = opt.qos;
  resolve(&opt.idle_addresses, opt.at);
  resolve(&opt.pub_addresses, opt.pub_at ? opt.pub_at : opt.at);
  resolve(&opt.sub_addresses, opt.sub_at ? opt.sub_at : opt.at);
  static char prefix[32], id[32]; // unlike those of an earlier run, whose leftovers a broker may still deliver
  snprintf(prefix, sizeof prefix, "bench/%05d", getpid() % 100000);
  snprintf(id, sizeof id, "bench%05d", getpid() % 100000);
  if (!opt.prefix) opt.prefix = prefix;
  if (!opt.id) opt.id = id;
}
