/* delayq QUEUE:MS ...: holds every packet of each NFQUEUE for MS milliseconds, in order, then lets it go.
 * Stands in for `tc netem delay`, which kernels without sch_netem don't have. Prints "ready" when the queues are
 * there; a line QUEUE:MS of its standard input changes one from then on; ends when its standard input does. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <libnetfilter_queue/libnetfilter_queue.h>
#include <linux/netfilter.h>
#include <poll.h>
#include <sched.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define MAX_QUEUES 496  /* pairs of 32 DCs */
#define RING 16384      /* packets held in a queue at once, a power of two; a full link drops */
#define SECOND 1000000000LL

struct queue {
  struct nfq_q_handle *handle;
  unsigned number;
  int64_t hold;
  uint32_t head, tail;
  struct { uint32_t id; int64_t due; } ring[RING];
};

static int64_t now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return t.tv_sec * SECOND + t.tv_nsec;
}

static int arrived(struct nfq_q_handle *handle, struct nfgenmsg *message, struct nfq_data *data, void *of) {
  struct queue *q = of;
  uint32_t id = ntohl(nfq_get_msg_packet_hdr(data)->packet_id);
  (void)message;
  if (q->tail - q->head == RING) return nfq_set_verdict(handle, id, NF_DROP, 0, NULL);
  q->ring[q->tail % RING].id = id;
  q->ring[q->tail++ % RING].due = now() + q->hold;
  return 0;
}

/* Lets go what is due; returns when the next packet will be, or a second from now. */
static int64_t release(struct queue *q) {
  int64_t at = now();
  while (q->head != q->tail && q->ring[q->head % RING].due <= at)
    nfq_set_verdict(q->handle, q->ring[q->head++ % RING].id, NF_ACCEPT, 0, NULL);
  return q->head == q->tail ? at + SECOND : q->ring[q->head % RING].due;
}

/* Takes what has come of standard input; 0: it has ended. */
static int commanded(struct queue **queues, int count) {
  static char line[64];
  static size_t filled;
  char some[512];
  ssize_t length = read(STDIN_FILENO, some, sizeof some);
  for (ssize_t at = 0; at < length; at++) {
    if (some[at] != '\n') {
      if (filled < sizeof line - 1) line[filled++] = some[at];
      continue;
    }
    unsigned number;
    double ms;
    line[filled] = '\0';
    filled = 0;
    if (sscanf(line, "%u:%lf", &number, &ms) != 2 || ms < 0) continue;
    for (int i = 0; i < count; i++)
      if (queues[i]->number == number) queues[i]->hold = (int64_t)(ms * 1e6);
  }
  return length > 0;
}

int main(int argc, char **argv) {
  static struct queue *queues[MAX_QUEUES];
  static char buffer[65536];
  int count = 0, large = 8 << 20;
  struct nfq_handle *library = nfq_open();
  if (library == NULL) return perror("nfq_open"), 1;
  for (int i = 1; i < argc && count < MAX_QUEUES; i++) {
    unsigned number;
    double ms;
    if (sscanf(argv[i], "%u:%lf", &number, &ms) != 2) return fprintf(stderr, "expected QUEUE:MS, not %s\n", argv[i]), 2;
    struct queue *q = queues[count++] = calloc(1, sizeof *q);
    if (q == NULL) return perror("calloc"), 1;
    q->number = number;
    q->hold = (int64_t)(ms * 1e6);
    q->handle = nfq_create_queue(library, number, arrived, q);
    if (q->handle == NULL) return perror("nfq_create_queue"), 1;
    if (nfq_set_mode(q->handle, NFQNL_COPY_META, 0) < 0) return perror("nfq_set_mode"), 1;
    nfq_set_queue_maxlen(q->handle, RING);
  }
  // Packets are to be late by the distance alone, whatever else this machine does. Without the right to it, they are later.
  struct sched_param first = {.sched_priority = 1};
  sched_setscheduler(0, SCHED_FIFO, &first);
  int fd = nfq_fd(library);
  setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &large, sizeof large);
  puts("ready");
  fflush(stdout);
  struct pollfd polled[2] = {{fd, POLLIN, 0}, {STDIN_FILENO, POLLIN, 0}};
  for (;;) {
    int64_t next = now() + SECOND;
    for (int i = 0; i < count; i++) {
      int64_t due = release(queues[i]);
      if (due < next) next = due;
    }
    int64_t wait = next - now();
    if (wait < 0) wait = 0;
    struct timespec left = {wait / SECOND, wait % SECOND};
    if (ppoll(polled, 2, &left, NULL) <= 0) continue;
    if (polled[1].revents != 0 && !commanded(queues, count)) return 0;
    if (polled[0].revents == 0) continue;
    ssize_t length = recv(fd, buffer, sizeof buffer, MSG_DONTWAIT);
    if (length > 0) nfq_handle_packet(library, buffer, (int)length);
    else if (length < 0 && errno != ENOBUFS && errno != EAGAIN && errno != EINTR) return perror("recv"), 1;
  }
}
