#define _GNU_SOURCE
#include "connection.h"
#include "clock.h"
#include "codec.h"
#include "inbound.h"
#include "options.h"
#include "run.h"
#include "tls.h"
#include <errno.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

Run run;
void (*conn_on_up)(Conn *), (*conn_on_lost)(Conn *);
static int epoll_fd;
static int source_turn;
static uint8_t *read_buffer;
static uint32_t read_capacity = 1 << 18;

void connections_init(void) {
  signal(SIGPIPE, SIG_IGN);
  prctl(PR_SET_TIMERSLACK, 1ul); // the fixed-rate schedule wakes to the microsecond
  struct rlimit files;
  if (!getrlimit(RLIMIT_NOFILE, &files)) {
    files.rlim_cur = files.rlim_max;
    setrlimit(RLIMIT_NOFILE, &files);
  }
  epoll_fd = epoll_create1(0);
  read_buffer = malloc(read_capacity);
  if (epoll_fd < 0 || !read_buffer) die("no epoll or no memory");
  if (opt.tls) tls_init();
}

Conn *connections_make(int n) {
  run.conns = calloc((size_t)n, sizeof(Conn));
  if (!run.conns) die("no memory for %d connections", n);
  run.conn_count = n;
  for (int i = 0; i < n; i++) {
    run.conns[i].fd = -1;
    run.conns[i].clean = !opt.persist;
    run.conns[i].window = (uint32_t)opt.window;
  }
  return run.conns;
}

static void want_writable(Conn *c, bool wanted) {
  if (c->writable_wanted == wanted) return;
  c->writable_wanted = wanted;
  struct epoll_event e = {.events = EPOLLIN | (wanted ? EPOLLOUT : 0), .data.ptr = c};
  epoll_ctl(epoll_fd, EPOLL_CTL_MOD, c->fd, &e);
}

static const Addresses *addresses_of(const Conn *c) {
  if (c->kind == KIND_PUBLISHER) return &opt.pub_addresses;
  return c->kind == KIND_SUBSCRIBER ? &opt.sub_addresses : &opt.idle_addresses;
}

/** A connection from one address uses up its ports (TIME_WAIT); loopback has more addresses. */
static void bind_source(int fd) {
  if (opt.sources <= 1) return;
  int one = 1;
  struct sockaddr_in s = {.sin_family = AF_INET};
  s.sin_addr.s_addr = htonl(0x7f000001u + (uint32_t)(source_turn++ % opt.sources));
  setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &one, sizeof one);
  if (bind(fd, (struct sockaddr *)&s, sizeof s)) die("can't use 127.0.0.%d as source", 1 + (source_turn - 1) % opt.sources);
}

void conn_open(Conn *c) {
  int one = 1;
  const Addresses *to = addresses_of(c);
  c->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
  if (c->fd < 0) die("no more sockets: %s (ulimit -n?)", strerror(errno));
  setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
  bind_source(c->fd);
  c->state = CONN_TCP;
  c->writable_wanted = true;
  c->opened = clock_ns();
  c->session_present = false;
  struct epoll_event e = {.events = EPOLLIN | EPOLLOUT, .data.ptr = c};
  epoll_ctl(epoll_fd, EPOLL_CTL_ADD, c->fd, &e);
  if (connect(c->fd, (const struct sockaddr *)&to->address[c->host % to->count], sizeof to->address[0]) && errno != EINPROGRESS)
    conn_close(c, true);
}

void conn_close(Conn *c, bool failed) {
  if (c->fd < 0) return;
  tls_free(c);
  close(c->fd);
  c->fd = -1;
  if (c->state == CONN_UP) run.up--;
  if (failed && c->state == CONN_UP) run.closed++;
  else if (failed) run.failed++;
  c->state = CONN_CLOSED;
  c->in_length = c->out_length = c->out_offset = 0;
  c->writable_wanted = false;
  if (failed && conn_on_lost) conn_on_lost(c);
}

void conn_bye(Conn *c) {
  if (c->fd < 0) return;
  if (c->state == CONN_UP && c->out_offset == c->out_length) send_disconnect(c);
  if (c->fd >= 0 && c->out_offset < c->out_length) {
    struct linger reset = {1, 0};
    setsockopt(c->fd, SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
  }
  conn_close(c, false);
}

void conn_is_up(Conn *c) {
  c->state = CONN_UP;
  run.up++;
  histogram_add(&run.connect_latency, clock_ns() - c->opened);
  if (conn_on_up) conn_on_up(c);
}

uint8_t *conn_room(Conn *c, uint32_t n) {
  if (c->out_offset == c->out_length) c->out_offset = c->out_length = 0;
  if (c->out_length + n <= c->out_capacity) return c->out + c->out_length;
  if (c->out_offset) {
    memmove(c->out, c->out + c->out_offset, c->out_length - c->out_offset);
    c->out_length -= c->out_offset;
    c->out_offset = 0;
  }
  if (c->out_length + n > c->out_capacity) {
    uint32_t least = c->out_length + n + 64;
    c->out_capacity = c->out_capacity * 2 > least ? c->out_capacity * 2 : least;
    c->out = realloc(c->out, c->out_capacity);
    if (!c->out) die("no memory");
  }
  return c->out + c->out_length;
}

void conn_flush(Conn *c) {
  while (c->out_offset < c->out_length) {
    const uint8_t *from = c->out + c->out_offset;
    size_t n = c->out_length - c->out_offset;
    ssize_t written = c->ssl ? tls_write(c, from, n) : send(c->fd, from, n, MSG_NOSIGNAL);
    if (written < 0 && errno == EAGAIN) {
      want_writable(c, true);
      return;
    }
    if (written <= 0) {
      conn_close(c, true);
      return;
    }
    c->out_offset += (uint32_t)written;
  }
  want_writable(c, false);
}

static void handshake(Conn *c) {
  switch (tls_handshake(c)) {
    case TLS_DONE: send_connect(c); break;
    case TLS_WANT_READ: want_writable(c, false); break;
    case TLS_WANT_WRITE: want_writable(c, true); break;
    case TLS_FAILED: conn_close(c, true); break;
  }
}

static void writable(Conn *c) {
  if (c->state != CONN_TCP) {
    conn_flush(c);
    return;
  }
  int error = 0;
  socklen_t length = sizeof error;
  getsockopt(c->fd, SOL_SOCKET, SO_ERROR, &error, &length);
  if (error) conn_close(c, true);
  else if (opt.tls) {
    tls_start(c);
    c->state = CONN_TLS;
    handshake(c);
  } else send_connect(c);
}

static void note_gap(Conn *c) {
  if (c->kind != KIND_SUBSCRIBER || !run.publishing) return;
  uint64_t gap = run.received_at - c->last_received;
  if (c->last_received && gap > run.longest_gap && run.received_at >= run.from) run.longest_gap = gap;
  c->last_received = run.received_at;
}

/** Handles the packets in read_buffer[0, n), keeps an incomplete one in the connection. */
static void parse(Conn *c, uint32_t n) {
  uint32_t at = 0, need = 0;
  while (n - at >= 2) {
    uint32_t length, head = varint_decode(read_buffer + at + 1, n - at - 1, &length);
    if (!head) break;
    if (n - at < 1 + head + length) {
      need = 1 + head + length;
      break;
    }
    inbound_packet(c, read_buffer[at], read_buffer + at + 1 + head, length);
    at += 1 + head + length;
    if (c->fd < 0) return;
  }
  if (at < n) {
    if (c->in_capacity < n - at) c->in = realloc(c->in, c->in_capacity = n - at);
    memcpy(c->in, read_buffer + at, n - at);
    c->in_length = n - at;
  }
  if (need > read_capacity / 2) {
    read_capacity = need + (1 << 18);
    read_buffer = realloc(read_buffer, read_capacity);
  }
}

static void readable(Conn *c) {
  enum { READS_A_TURN = 8 }; // then the others' turn; TLS must be read until it is empty
  for (int turn = 0; (turn < READS_A_TURN || c->ssl) && c->fd >= 0; turn++) {
    uint32_t have = c->in_length, space = read_capacity - have;
    if (have) memcpy(read_buffer, c->in, have);
    c->in_length = 0;
    ssize_t n = c->ssl ? tls_read(c, read_buffer + have, space) : recv(c->fd, read_buffer + have, space, 0);
    if (n < 0 && errno == EAGAIN) {
      c->in_length = have;
      break;
    }
    if (n <= 0) {
      conn_close(c, true);
      return;
    }
    run.received_at = clock_ns();
    note_gap(c);
    parse(c, have + (uint32_t)n);
    if (!c->ssl && (uint32_t)n < space) break;
  }
  if (c->fd >= 0 && c->out_offset < c->out_length && !c->writable_wanted) conn_flush(c);
}

static void handle(Conn *c, uint32_t events) {
  if (c->fd < 0) return;
  if (c->state == CONN_TLS) handshake(c);
  else if (c->state == CONN_TCP && (events & (EPOLLERR | EPOLLHUP))) conn_close(c, true);
  else {
    if (events & EPOLLOUT) writable(c);
    if (c->fd >= 0 && c->state != CONN_TLS && (events & (EPOLLIN | EPOLLERR | EPOLLHUP))) readable(c);
  }
}

void loop_step(int64_t wait_ns) {
  struct epoll_event events[512];
  struct timespec wait = {wait_ns / (int64_t)NS_PER_S, wait_ns % (int64_t)NS_PER_S};
  int n = wait_ns <= 0 ? epoll_wait(epoll_fd, events, 512, 0) : epoll_pwait2(epoll_fd, events, 512, &wait, NULL);
  for (int i = 0; i < n; i++) handle(events[i].data.ptr, events[i].events);
}

void loop_spend(double seconds) {
  uint64_t end = clock_ns() + seconds_ns(seconds);
  while (clock_ns() < end) loop_step(5 * (int64_t)NS_PER_MS);
}

bool open_all(Conn *c, int n, int parallel, double limit_s) {
  int next = 0, up = run.up, failed = run.failed;
  uint64_t end = clock_ns() + seconds_ns(limit_s);
  while (run.up - up + run.failed - failed < n && clock_ns() < end) {
    while (next < n && next - (run.up - up) - (run.failed - failed) < parallel) conn_open(&c[next++]);
    loop_step(20 * (int64_t)NS_PER_MS);
  }
  return run.up - up == n;
}
