import type { Duplex } from 'node:stream'

/** What a listener knows of a connection before its first MQTT byte. */
export interface ConnectionInfo {
  /** The client's own address: behind a proxy the one that the PROXY header names. */
  readonly remoteAddress: string
  readonly remotePort: number
  /** The listener's URL, for logs and metrics. */
  readonly listener: string
  readonly protocol: 'tcp' | 'tls' | 'ws' | 'wss'
  /** The verified client certificate, if the client showed one. */
  readonly certificate?: {
    readonly cn: string
    readonly sans: readonly string[]
    readonly fingerprint: string
  }
}

/** Takes over a stream that carries MQTT. `head` is what was already read from it (behind a PROXY header). */
export type Accept = (stream: Duplex, info: ConnectionInfo, head: Buffer | null) => void

/** One open port. */
export interface Listener {
  /** With the real port, where 0 was asked for: `tcp://127.0.0.1:1883`. */
  readonly url: string
  /** Stops accepting; connections that are open go on. */
  stopAccepting(): void
  /** Closes the port; resolves when it is free. */
  close(): Promise<void>
  /** Reads certificate and key again (SIGHUP, file change); open connections go on. Throws if they are bad, and keeps the old ones. */
  reload?(): void
}
