import type { Figures } from '../generator.ts'
import type { Pin } from '../process.ts'

/** What a scenario asks of a broker beyond MQTT 3.1.1. */
export type Need = 'mqtt5' | 'tls' | 'durable' | 'platform'

export interface StartOptions {
  readonly port: number
  readonly pin: Pin
  /** A directory of this run alone, removed after it: configuration and data. */
  readonly directory: string
  /** State on disk; as durable as the broker can be. Else in memory. */
  readonly durable: boolean
  /** Listen with TLS, with these PEM files, instead of plain. */
  readonly tls: { readonly cert: string; readonly key: string } | null
  /** With the platform around the broker and so many devices made. */
  readonly devices: number
  /** Arguments for the runtime, such as --cpu-prof; ignored by brokers which are not ours. */
  readonly nodeArgs: readonly string[]
}

/** A broker that listens. */
export interface Running {
  /** HOST:PORT. */
  readonly address: string
  readonly pid: number
  /** Devices' client ids, users and passwords: a file for the generator's --credentials. */
  readonly credentials?: string
  /** Whether what was acknowledged can be read back from the platform: a complaint, or null. */
  verify?(figures: Figures): Promise<string | null>
  stop(): Promise<void>
}

/** A broker that can be measured. */
export interface Peer {
  readonly name: string
  /** What it can do; scenarios that need more are left out for it. */
  readonly offers: ReadonlySet<Need>
  /** Its version, or why it can't be measured here. */
  find(): Promise<{ readonly version: string } | { readonly missing: string }>
  /** Resolves when it accepts connections. */
  start(options: StartOptions): Promise<Running>
}
