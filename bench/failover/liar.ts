import { createPrivateKey } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { createServer, type Server } from 'node:https'
import { join } from 'node:path'
import { answerText, messageText } from '#healthcheck/votes/message.ts'
import { keyring } from '#healthcheck/votes/sign.ts'
import { parse } from 'yaml'
import { z } from 'zod'
import type { Cell } from '#scripts/cell/cell.ts'

const config = z.object({ keys: z.record(z.string(), z.string()) })

/** In the place of a checker, with its key: says that subjects are down, and that it has taken them out. */
export class Liar {
  /** Connections that have asked it, by the address they came from and by time of asking: one for each other checker. */
  readonly asked = new Set<string>()
  readonly #server: Server

  private constructor(server: Server) {
    this.#server = server
  }

  /** The checker itself must be away. */
  static async start(cell: Cell, checker: string, subjects: readonly string[]): Promise<Liar> {
    const directory = join(cell.directory, 'checkers', checker)
    const read = (file: string): string => readFileSync(join(directory, file), 'utf8')
    const { keys: publicKeys } = config.parse(parse(read('checker.yaml')))
    const keys = keyring({ checker, privateKey: createPrivateKey(read('signing.key')), publicKeys })
    const host = cell.inventory.hosts.find(({ name }) => name === checker)
    if (host === undefined) throw new Error(`there is no checker ${checker}`)
    const boot = `liar-${process.pid}`
    let sequence = 0
    const votes = new Map(
      subjects.map((subject) => [
        subject,
        { checker, subject, verdict: 'down' as const, since: Date.now(), reason: 'because I say so' },
      ]),
    )
    const holds = new Map(
      subjects.map((subject) => [subject, { down: true, degraded: false, out: true, percent: 100 }]),
    )
    const server = createServer({ cert: read('tls.pem'), key: read('tls.key') })
    const liar = new Liar(server)
    server.on('request', (request, response) => {
      const nonce = new URL(request.url ?? '', 'https://liar').searchParams.get('nonce')
      if (nonce === null) {
        response.writeHead(404).end()
        return
      }
      liar.asked.add(`${request.socket.remoteAddress} ${request.socket.remotePort}`)
      const message = { cell: cell.inventory.cell, checker, nonce, boot, sequence: sequence++, votes, holds }
      const signed = messageText(message)
      response.end(answerText(signed, keys.sign(signed)))
    })
    await new Promise<void>((listening, failed) => {
      server.once('error', failed)
      server.listen(cell.inventory.ports.checker, host.address, listening)
    })
    return liar
  }

  async stop(): Promise<void> {
    await new Promise((closed) => {
      this.#server.close(closed)
      this.#server.closeAllConnections()
    })
  }
}
