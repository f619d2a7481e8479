#ifndef TLS_H
#define TLS_H
#include "connection.h"
#include <sys/types.h>

/** All of these are empty in a build without WITH_TLS; options.c refuses --tls then. */
void tls_init(void);
void tls_start(Conn *c);
typedef enum { TLS_DONE, TLS_WANT_READ, TLS_WANT_WRITE, TLS_FAILED } TlsResult;
TlsResult tls_handshake(Conn *c);
/** As recv and send: bytes, 0 at the end (read), -1 with EAGAIN, -1 with EPROTO. */
ssize_t tls_read(Conn *c, void *to, size_t n);
ssize_t tls_write(Conn *c, const void *from, size_t n);
void tls_free(Conn *c);

#endif
