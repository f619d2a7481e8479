import type { IncomingMessage, ServerResponse } from 'node:http'

/**
 * What a part of the checker serves. Answers a request, or says `false`: it is not its. Called for HTTP and HTTPS; the
 * socket of a request over TLS has `encrypted`.
 */
export type Route = (request: IncomingMessage, response: ServerResponse) => boolean
