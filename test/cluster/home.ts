import net from 'node:net'
import type { Duplex } from 'node:stream'
import type { CellDc } from '#scripts/cell/cell.ts'

/** A connection on which nothing has moved for so long is given up: what a keep-alive is for. */
const SILENCE_MS = 6000
/** A connection that ended so soon was no use: it was refused, perhaps after a while. */
const SHORT_MS = 7000

/** Where a device connects: a DC of its own; where that does not answer, the next one, as by DNS. */
export class Home {
  readonly #dcs: readonly CellDc[]
  #at: number

  constructor(dcs: readonly CellDc[], first: CellDc) {
    this.#dcs = dcs
    this.#at = dcs.indexOf(first)
  }

  /** The DC that is tried next, or is connected to. */
  get dc(): CellDc {
    return this.#dcs[this.#at]
  }

  /** From its next connection on. */
  moveTo(dc: CellDc): void {
    this.#at = this.#dcs.indexOf(dc)
  }

  readonly dial = (): Duplex => {
    const at = this.#at
    const { hostname: host, port } = new URL(this.dc.mqtt)
    const socket = net.connect({ host, port: Number(port), noDelay: true, timeout: SILENCE_MS })
    const from = performance.now()
    let silent = false
    socket.once('timeout', () => {
      silent = true
      socket.destroy()
    })
    socket.once('close', () => {
      const useless = silent || performance.now() - from < SHORT_MS
      if (useless && this.#at === at) this.#at = (at + 1) % this.#dcs.length
    })
    return socket
  }
}
