// An MQTT 3.1.1 / 5.0 load generator and checker: one thread, one epoll loop, one JSON object on standard output.
// Exit 0: it ran (read the counts); 1: it could not run.
//
// Every payload carries when it was DUE to be sent, its publisher and a sequence number. So at a fixed --rate the
// latency counts the time a message waited because generator or broker was behind (no coordinated omission), and
// every (subscriber, publisher) pair is checked message by message.
#include "connection.h"
#include "modes.h"
#include "options.h"
#include <string.h>

static const struct {
  const char *name;
  void (*run)(void);
} modes[] = {{"flow", mode_flow},       {"conn", mode_conn},       {"churn", mode_churn},
             {"retain", mode_retain}, {"session", mode_session}, {"telemetry", mode_telemetry}};

int main(int argc, char **argv) {
  options_parse(argc, argv);
  connections_init();
  for (size_t i = 0; i < sizeof modes / sizeof modes[0]; i++)
    if (!strcmp(opt.mode, modes[i].name)) {
      modes[i].run();
      return 0;
    }
  die("%s: no such mode", opt.mode);
}
