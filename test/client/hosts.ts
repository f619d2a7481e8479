import { once } from 'node:events'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'

export interface Asked {
  readonly method: string
  readonly url: string
  readonly headers: IncomingMessage['headers']
  readonly body: string
}

/** A host that answers as it is told, one answer after the other; the last one again and again. */
export class Host {
  readonly asked: readonly Asked[]
  readonly url: string
  readonly #close: () => void

  private constructor(url: string, asked: readonly Asked[], close: () => void) {
    this.url = url
    this.asked = asked
    this.#close = close
  }

  static async answering(
    ...answers: ((response: ServerResponse, request: IncomingMessage) => void)[]
  ): Promise<Host> {
    const asked: Asked[] = []
    const server = createServer((request, response) => {
      const chunks: Buffer[] = []
      request.on('data', (chunk: Buffer) => chunks.push(chunk))
      request.on('end', () => {
        const { method = '', url = '', headers } = request
        asked.push({ method, url, headers, body: Buffer.concat(chunks).toString() })
        answers[Math.min(asked.length, answers.length) - 1](response, request)
      })
    }).listen(0, '127.0.0.1')
    await once(server, 'listening')
    return new Host(`http://127.0.0.1:${(server.address() as AddressInfo).port}`, asked, () => {
      server.closeAllConnections()
      server.close()
    })
  }

  close(): void {
    this.#close()
  }
}

export function json(status: number, body: unknown, headers: Record<string, string> = {}) {
  return (response: ServerResponse): void => {
    response.writeHead(status, { 'content-type': 'application/json', ...headers })
    response.end(JSON.stringify(body))
  }
}

export function problem(status: number, code: string, headers: Record<string, string> = {}) {
  return json(status, { code, status, detail: `it is ${code}`, request_id: 'r1' }, headers)
}

/** The connection breaks before there is an answer. */
export function breaks(response: ServerResponse): void {
  response.destroy()
}
