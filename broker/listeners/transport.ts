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
    /** Of an organisation, if it was verified against that one's and not against the listener's. */
    readonly authority?: OrganisationAuthority | undefined
  }
}

/** The authority of an organisation that a certificate is of, and what else is to be known of the certificate then. */
interface OrganisationAuthority {
  readonly org: string
  readonly authority: string
  /** Hex, capital letters. */
  readonly serial: string
  readonly subject: string
  /** Milliseconds since 1970. */
  readonly notBefore: number
  readonly notAfter: number
}

/** Knows the authorities of organisations. */
export interface CertificateTrust {
  /** Whose device a chain of certificates (DER, the device's first) is, or why nobody's. */
  trust(chain: readonly Uint8Array[]): Promise<{ readonly org: string; readonly authority: string } | string>
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
