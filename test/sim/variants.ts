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
import { isStream } from '#broker/outbox/stream-writer.ts'
import { encodeState } from '#broker/outbox/state.ts'
import { Batch } from '#platform/store/store.ts'
import { state as stateTable } from '#platform/store/tables.ts'
import type { Plan } from './cell.ts'
import type { Mode } from './faults.ts'
import { wrap } from './watch.ts'

/** A broker with one mistake, made from outside, and the kind of trouble in which it shows. */
export interface Variant {
  readonly mode: Mode
  /** From this seed on it shows soon. */
  readonly seed: number
  /** Trouble in which it shows more often. */
  readonly plan?: Plan
  /** Makes the mistake; returns what undoes it. */
  readonly install: () => () => void
}

/** Clients are away for long, and the stores slow or failing when they come back. */
const comingBack: Plan = {
  harsh: true,
  lasts: [2000, 6000],
  faults: [
    ['away', 8],
    ['failing', 5],
    ['slow', 6],
    ['freeze', 3],
  ],
  clients: ['s1', 's2', 's3', 'p1', 'p2', 'p3'],
}
/** Clients leave again before they are answered. */
const hopping: Plan = {
  faults: [
    ['hop', 16],
    ['slow', 5],
    ['freeze', 4],
  ],
  clients: ['s2', 's3', 'p1', 'p3'],
}
/** The same, and their process dies. */
const dying: Plan = {
  faults: [
    ['crash', 6],
    ['hop', 12],
    ['freeze', 3],
  ],
  clients: ['s2', 's3', 'p3', 'p4'],
}
/** Clients change sides in a cut. */
const changingSides: Plan = {
  lasts: [4000, 9000],
  faults: [
    ['isolate', 5],
    ['hop', 20],
    ['slow', 5],
  ],
  clients: ['s2', 's3', 'p3', 'p4'],
}
/** Clients come back in a cut. */
const cutOff: Plan = {
  harsh: true,
  faults: [
    ['isolate', 6],
    ['cut', 4],
    ['hop', 6],
    ['away', 4],
  ],
  clients: ['s1', 's2', 's3', 'p1', 'p2', 'p3'],
}
/** Processes stand still for long. */
const standing: Plan = {
  lasts: [2000, 8000],
  faults: [
    ['freeze', 12],
    ['move', 4],
    ['hop', 4],
  ],
  clients: ['s1', 's3', 's5', 'p1', 'p3', 'p5'],
}
/** Publishers move while frames get lost: what they sent before comes behind what they sent after. */
const overtaking: Plan = {
  lasts: [2000, 6000],
  faults: [
    ['rain', 6],
    ['move', 20],
    ['slow', 3],
  ],
  clients: ['s2', 'p3', 'p4'],
}
/** Processes die whose rows have not reached the other DCs. */
const losing: Plan = {
  harsh: true,
  faults: [
    ['crash', 8],
    ['freeze', 3],
    ['move', 4],
  ],
  clients: ['s1', 's2', 'p1', 'p2', 'p3'],
}

const nothing = { writers: [], out: [], ids: { last: 0, doubtful: 0 }, in: [], streamSeq: 0 }

/** Each breaks a rule of docs/cluster.md; some seed must find each. */
export const variants: Record<string, Variant> = {
  'own-dc-read': {
    mode: 'crash',
    seed: 3,
    install: () =>
      wrap(Answers, 'gather', (_self, [member, body], original) => {
        const question = JSON.parse((body as Buffer).toString()) as GatherEntry
        const read = question.read && (member as Member).near
        return original(member, Buffer.from(JSON.stringify({ ...question, read })))
      }),
  },
  'no-ring': {
    mode: 'crash',
    seed: 5,
    install: () => wrap(Ring, 'rowsOf', () => []),
  },
  'complete-before-rows': {
    mode: 'crash',
    seed: 9,
    plan: comingBack,
    install: () => wrap(Knowledge, 'forget', () => undefined),
  },
  'floor-without-knowledge': {
    mode: 'cut',
    seed: 3,
    plan: cutOff,
    install: () => wrap(Knowledge, 'modeOf', () => 'ordered'),
  },
  'foreign-rows-counted': {
    mode: 'both',
    seed: 2,
    install: () =>
      wrap(InboxReader, 'adopt', (_self, args, original) => {
        original(...args)
        ;(args[0] as WriterProgress).limit = Number.POSITIVE_INFINITY
      }),
  },
  'stream-floor-without-age': {
    mode: 'crash',
    seed: 53,
    plan: overtaking,
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
    seed: 8,
    plan: hopping,
    install: () =>
      wrap(DurableOutbox, 'snapshot', (self, args, original) => {
        const outbox = self as DurableOutbox
        if (outbox.loaded) return original(...args)
        return { epoch: outbox.session.epoch, version: 1_000_000, body: encodeState(nothing) }
      }),
  },
  'save-after-send': {
    mode: 'crash',
    seed: 1,
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
    seed: 1,
    install: () =>
      wrap(Broker, 'nextEpoch', (_self, [known], original) => (known === 0 ? original(known) : known)),
  },
  'stale-ids-trusted': {
    mode: 'both',
    seed: 26,
    plan: changingSides,
    install: () =>
      all(
        wrap(DurableOutbox, 'adopt', (_self, args, original) => original(args[0], true)),
        wrap(DurableOutbox, 'doubt', () => undefined),
      ),
  },
  'no-hold-back': {
    mode: 'crash',
    seed: 10,
    plan: comingBack,
    install: () => wrap(Knowledge, 'isComplete', () => true),
  },
  'sequence-reused': {
    mode: 'crash',
    seed: 1,
    install: () =>
      wrap(Broker, 'nextSeq', (_self, args, original) => Math.ceil((original(...args) as number) / 2)),
  },
  'ready-before-tables': {
    mode: 'crash',
    seed: 1,
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
    seed: 2,
    install: () => wrap(Cell, 'whenKnown', (_self, args) => (args[0] as () => void)()),
  },
  'one-state-row': {
    mode: 'crash',
    seed: 1,
    plan: dying,
    install: () =>
      wrap(Batch, 'put', (_self, [table, row], original) =>
        original(table, table === stateTable ? { ...(row as object), epoch: 1 } : row),
      ),
  },
  'streams-apart': {
    mode: 'crash',
    seed: 1,
    install: () =>
      wrap(InboxReader, 'holdsBack', (_self, [progress], original) =>
        isStream((progress as WriterProgress).writer) ? false : original(progress),
      ),
  },
  'scrub-known-only': {
    mode: 'crash',
    seed: 12,
    plan: losing,
    install: () => wrap(Knowledge, 'unreadDcs', () => []),
  },
  'no-standing-still': {
    mode: 'crash',
    seed: 1,
    plan: standing,
    install: () => wrap(Broker, 'stoodStill', () => undefined),
  },
}

/** Undoes several changes. */
function all(...undo: (() => void)[]): () => void {
  return () => {
    for (const each of undo.toReversed()) each()
  }
}
