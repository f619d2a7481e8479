#include "tls.h"
#include <errno.h>
#include <stddef.h>

#ifdef WITH_TLS
#include <openssl/ssl.h>

static SSL_CTX *context;

void tls_init(void) {
  context = SSL_CTX_new(TLS_client_method());
  SSL_CTX_set_mode(context, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER | SSL_MODE_RELEASE_BUFFERS);
  SSL_CTX_set_verify(context, SSL_VERIFY_NONE, NULL);
}

void tls_start(Conn *c) {
  c->ssl = SSL_new(context);
  SSL_set_fd(c->ssl, c->fd);
}

TlsResult tls_handshake(Conn *c) {
  int r = SSL_connect(c->ssl);
  if (r == 1) return TLS_DONE;
  int e = SSL_get_error(c->ssl, r);
  return e == SSL_ERROR_WANT_READ ? TLS_WANT_READ : e == SSL_ERROR_WANT_WRITE ? TLS_WANT_WRITE : TLS_FAILED;
}

static ssize_t failure(Conn *c) {
  int e = SSL_get_error(c->ssl, 0);
  if (e == SSL_ERROR_ZERO_RETURN) return 0;
  errno = e == SSL_ERROR_WANT_READ || e == SSL_ERROR_WANT_WRITE ? EAGAIN : EPROTO;
  return -1;
}

ssize_t tls_read(Conn *c, void *to, size_t n) {
  size_t k = 0;
  return SSL_read_ex(c->ssl, to, n, &k) ? (ssize_t)k : failure(c);
}

ssize_t tls_write(Conn *c, const void *from, size_t n) {
  size_t k = 0;
  return SSL_write_ex(c->ssl, from, n, &k) ? (ssize_t)k : failure(c);
}

void tls_free(Conn *c) {
  if (c->ssl) SSL_free(c->ssl);
  c->ssl = NULL;
}
#else
void tls_init(void) {}
void tls_start(Conn *c) { (void)c; }
TlsResult tls_handshake(Conn *c) {
  (void)c;
  return TLS_FAILED;
}
static ssize_t unsupported(void) {
  errno = EPROTO;
  return -1;
}
ssize_t tls_read(Conn *c, void *to, size_t n) {
  (void)c, (void)to, (void)n;
  return unsupported();
}
ssize_t tls_write(Conn *c, const void *from, size_t n) {
  (void)c, (void)from, (void)n;
  return unsupported();
}
void tls_free(Conn *c) { (void)c; }
#endif
