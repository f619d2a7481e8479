import type { Store } from '#platform/store/store.ts'
import { state as stateTable } from '#platform/store/tables.ts'
import { type Span, union } from './spans.ts'

/** State rows of a session read at most: each holder leaves one and deletes the others. */
const STATES = 1000

/** The state of one epoch as it is stored. */
export interface StoredState {
  readonly epoch: number
  readonly version: number
  readonly body: Uint8Array
}

/** The states of a session that a store has. Rejects with StoreError. */
export async function readStates(store: Store, org: string, sid: Uint8Array): Promise<StoredState[]> {
  const rows = await store.range(stateTable, { org, sid }, { limit: STATES, reverse: true })
  return rows.flatMap(({ epoch, version = 0, body }) =>
    body === undefined ? [] : [{ epoch, version, body }],
  )
}

/** In the order in which they were saved. */
export function sortStates(states: readonly StoredState[]): StoredState[] {
  return states.toSorted((a, b) => a.epoch - b.epoch || a.version - b.version)
}

/**
 * What a holder saves of a session, one row per epoch. Rows of several epochs are merged: floors by maximum, settled
 * rows above them by union, packet identifiers from the newest, so that a late older holder can do no harm.
 */
interface SavedWriter {
  readonly writer: Uint8Array
  readonly floor: number
  readonly above: readonly Span[]
  readonly day: number
}

export interface SavedState {
  writers: SavedWriter[]
  /** Given out: packet identifier, row, and what is awaited. */
  out: { id: number; writer: Uint8Array; seq: number; day: number; state: number }[]
  /** The newest packet identifier given out, and how many of the next ones are doubtful. */
  ids: { readonly last: number; readonly doubtful: number }
  /** Received with QoS 2 and not released: packet identifier and place in the stream. */
  in: { id: number; seq: number; epoch: number; checksum: number }[]
  streamSeq: number
}

interface WriterLike {
  readonly writer: Uint8Array
  readonly floor: number
  readonly day: number
  settledAbove(): readonly Span[]
}

const FORMAT = 1

export function encodeState(state: {
  writers: Iterable<WriterLike>
  out: SavedState['out']
  ids: SavedState['ids']
  in: SavedState['in']
  streamSeq: number
}): Buffer {
  return Buffer.from(
    JSON.stringify({
      v: FORMAT,
      w: Array.from(state.writers, (w) => [hex(w.writer), w.floor, w.day, w.settledAbove()]),
      o: state.out.map((f) => [f.id, hex(f.writer), f.seq, f.day, f.state]),
      l: [state.ids.last, state.ids.doubtful],
      i: state.in.map((f) => [f.id, f.seq, f.epoch, f.checksum]),
      k: state.streamSeq,
    }),
  )
}

export function decodeState(body: Uint8Array): SavedState {
  const saved = JSON.parse(Buffer.from(body).toString()) as {
    v: number
    w: [string, number, number, Span[]][]
    o: [number, string, number, number, number][]
    l?: [number, number]
    i: [number, number, number, number][]
    k: number
  }
  if (saved.v !== FORMAT) throw new Error(`session state of format ${saved.v}, this version reads ${FORMAT}`)
  // A version before this one did not say it.
  const ids = saved.l ?? [Math.max(0, ...saved.o.map(([id]) => id)), 0]
  return {
    writers: saved.w.map(([writer, floor, day, above]) => ({ writer: bytes(writer), floor, day, above })),
    out: saved.o.map(([id, writer, seq, day, state]) => ({ id, writer: bytes(writer), seq, day, state })),
    ids: { last: ids[0], doubtful: ids[1] },
    in: saved.i.map(([id, seq, epoch, checksum]) => ({ id, seq, epoch, checksum })),
    streamSeq: saved.k,
  }
}

/** `states` in ascending order of epoch. */
export function mergeStates(states: readonly SavedState[]): SavedState {
  const writers = new Map<string, SavedWriter>()
  for (const state of states) {
    for (const w of state.writers) {
      const known = writers.get(hex(w.writer))
      const floor = Math.max(known?.floor ?? 0, w.floor)
      writers.set(hex(w.writer), {
        writer: w.writer,
        floor,
        above: union(known?.above ?? [], w.above, floor),
        day: Math.max(known?.day ?? 0, w.day),
      })
    }
  }
  const newest = states.at(-1)
  return {
    writers: [...writers.values()],
    out: newest?.out ?? [],
    ids: newest?.ids ?? { last: 0, doubtful: 0 },
    in: newest?.in ?? [],
    streamSeq: Math.max(0, ...states.map((s) => s.streamSeq)),
  }
}

function hex(writer: Uint8Array): string {
  return Buffer.from(writer.buffer, writer.byteOffset, writer.byteLength).toString('hex')
}

function bytes(text: string): Uint8Array {
  return Buffer.from(text, 'hex')
}
