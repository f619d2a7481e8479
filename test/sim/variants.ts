import { Broker } from '#broker/broker.ts'
import { Answers, type GatherEntry } from '#broker/cluster/answers.ts'
import { Cell } from '#broker/cluster/cell.ts'
import { Knowledge } from '#broker/cluster/knowledge.ts'
import type { Member } from '#broker/cluster/member.ts'
import { Ring } from '#broker/cluster/ring.ts'
import { Sync } from '#broker/cluster/sync.ts'
import { Disk } from '#broker/disk.ts'
import { DurableOutbox } from '#broker/outbox/durable-outbox.ts'
import { InboxReader } from '#broker/outbox/inbox-reader.ts'
import type { WriterProgress } from '#broker/outbox/progress.ts'
import { encodeState } from '#broker/outbox/state.ts'
import { Batch } from '#platform/store/store.ts'
import { state as stateTable } from '#platform/store/tables.ts'
import type { Plan } from './cell.ts'
import type { Mode } from './faults.ts'
import { wrap } from './watch.ts'

/** A broker with one mistake, made from outside, and the kind of trouble in which it shows. */
export interface Variant {
  readonly mode: Mode
  /** Trouble in which it shows more often. */
  readonly plan?: Plan
  /** Makes the mistake; returns what undoes it. */
  readonly install: () => () => void
}

const nothing = { writers: [], out: [], ids: { last: 0, doubtful: 0 }, in: [], streamSeq: 0 }

/** Each breaks a rule of docs/cluster.md; some seed must find each. */
export const variants: Record<string, Variant> = {
  'own-dc-read': {
    mode: 'crash',
    install: () =>
      wrap(Answers, 'gather', (_self, [member, body], original) => {
        const question = JSON.parse((body as Buffer).toString()) as GatherEntry
        const read = question.read && (member as Member).near
        return original(member, Buffer.from(JSON.stringify({ ...question, read })))
      }),
  },
  'no-ring': { mode: 'crash', install: () => wrap(Ring, 'rowsOf', () => []) },
  'complete-before-rows': { mode: 'crash', install: () => wrap(Knowledge, 'forget', () => undefined) },
  'floor-without-knowledge': { mode: 'cut', install: () => wrap(Knowledge, 'modeOf', () => 'ordered') },
  'foreign-rows-counted': {
    mode: 'both',
    install: () =>
      wrap(InboxReader, 'adopt', (_self, args, original) => {
        original(...args)
        ;(args[0] as WriterProgress).limit = Number.POSITIVE_INFINITY
      }),
  },
  'stream-floor-without-age': {
    mode: 'both',
    install: () =>
      wrap(InboxReader, 'adopt', (_self, args, original) => {
        original(...args)
        Object.defineProperty(args[0], 'raisedAt', {
          get: () => 0,
          set: (ignored: number) => {
            void ignored
          },
        })
      }),
  },
  'half-loaded-state': {
    mode: 'crash',
    install: () =>
      wrap(DurableOutbox, 'snapshot', (self, args, original) => {
        const outbox = self as DurableOutbox
        if (outbox.loaded) return original(...args)
        return { epoch: outbox.session.epoch, version: 1_000_000, body: encodeState(nothing) }
      }),
  },
  'save-after-send': {
    mode: 'crash',
    install: () => {
      let saving = false
      return all(
        wrap(Disk, 'saveWithBatch', (self, [outbox]) => {
          saving = true
          ;(outbox as DurableOutbox).stageSave()
          saving = false
          ;(self as Disk).saveSoon(outbox as DurableOutbox)
        }),
        wrap(Disk, 'whenDurable', (_self, args, original) => {
          if (!saving) return original(...args)
          saving = false
          return (args[1] as () => void)()
        }),
        ...['put', 'delete'].map((name) =>
          wrap(Batch, name, (_self, args, original) =>
            saving && args[0] === stateTable ? undefined : original(...args),
          ),
        ),
      )
    },
  },
  'epoch-reused': {
    mode: 'crash',
    install: () =>
      wrap(Broker, 'nextEpoch', (_self, [known], original) => (known === 0 ? original(known) : known)),
  },
  'stale-ids-trusted': {
    mode: 'both',
    install: () => wrap(DurableOutbox, 'adopt', (_self, args, original) => original(args[0], true)),
  },
  'no-hold-back': { mode: 'crash', install: () => wrap(Knowledge, 'isComplete', () => true) },
  'sequence-reused': {
    mode: 'crash',
    install: () =>
      wrap(Broker, 'nextSeq', (_self, args, original) => Math.ceil((original(...args) as number) / 2)),
  },
  'ready-before-tables': {
    mode: 'crash',
    install: () =>
      all(
        wrap(Sync, 'ask', () => undefined),
        wrap(Cell, 'checkReady', (self, args, original) => {
          for (const member of (self as Cell).members()) member.synced = true
          return original(...args)
        }),
      ),
  },
  'suback-before-taken': {
    mode: 'crash',
    install: () => wrap(Cell, 'whenKnown', (_self, args) => (args[0] as () => void)()),
  },
  'one-state-row': {
    mode: 'crash',
    install: () =>
      wrap(Batch, 'put', (_self, [table, row], original) =>
        original(table, table === stateTable ? { ...(row as object), epoch: 1 } : row),
      ),
  },
  'scrub-known-only': {
    mode: 'crash',
    install: () => wrap(Knowledge, 'unreadDcs', () => []),
  },
  'no-standing-still': {
    mode: 'crash',
    install: () => wrap(Broker, 'stoodStill', () => undefined),
  },
}

/** Undoes several changes. */
function all(...undo: (() => void)[]): () => void {
  return () => {
    for (const each of undo.toReversed()) each()
  }
}
