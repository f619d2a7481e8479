import type { Peer } from '#platform/cluster/peer.ts'

/** Version of the entries below; a process tells it with its heartbeat. */
export const PROTOCOL = 1

/**
 * Types of the entries in the streams between processes. Never reused; a process skips and counts those it does not know.
 * Bodies that are not said to be binary are JSON.
 */
export const Entry = {
  /** First of a stream: what the sender has done before it. */
  HELLO: 1,
  /** A row of `session`, binary (`rows.ts`). */
  SESSION: 2,
  /** A row of `subscription`, binary. */
  SUBSCRIPTION: 3,
  /** A row of `retained`, binary. */
  RETAINED: 4,
  /** A client has connected to the sender: who holds it with a lower epoch lets it go. */
  CLAIM: 5,
  /** What do you have for this session? */
  GATHER: 6,
  /** That was all; with states, and sums of the rows in the store. */
  GATHERED: 7,
  /** Rows of these writers, please. */
  FETCH: 8,
  /** That was all. */
  FETCHED: 9,
  /** 4 bytes number of the question, then a row of `inbox`, binary. */
  COPY: 10,
  /** A row of `inbox` for a session that the receiver holds, binary. */
  LIVE_ROW: 11,
  /** 1 byte length and name of the organisation, then a message as on disk, binary. */
  MESSAGE: 12,
  /** 1 byte MQTT version, 1 byte length and name of the organisation, PUBLISH packets of QoS 0 of one topic, binary. */
  RUN: 13,
  /** As MESSAGE, with the shared group. */
  SHARED: 14,
  /** Filters that the sender needs messages for, from now on or no more. */
  INTEREST: 15,
  /** Checksums of the sender's tables. */
  SUMS: 16,
  /** Rows that differ have been sent. */
  SYNCED: 17,
  /** An operator's or the registry's word for all processes. */
  CONTROL: 18,
  /** Organisations whose live events the sender wants from now on, or no more. */
  LISTENING: 19,
  /** A live event that the sender has taken. */
  LIVE: 20,
  /** Live events of an organisation that the sender has dropped on their way to the receiver. */
  LIVE_LOST: 21,
  /** What have you taken of an organisation's live events since then? */
  LIVE_ASKED: 22,
  /** 4 bytes number of the question, then one of these events as LIVE. */
  LIVE_AGAIN: 23,
  /** That was all. */
  LIVE_ANSWERED: 24,
  /** An operator's question about clients. */
  INSPECT: 25,
  /** The answer. */
  INSPECTED: 26,
  /** What a client that the receiver follows has sent or received. */
  TRACED: 27,
  /** DCs that the sender has not heard of. */
  MISSING: 30,
} as const

export function sendJson(peer: Peer, type: number, value: unknown): void {
  peer.send(type, Buffer.from(JSON.stringify(value)))
}

/** The value of a JSON entry. Throws SyntaxError. */
export function readJson(body: Buffer): unknown {
  return JSON.parse(body.toString())
}
