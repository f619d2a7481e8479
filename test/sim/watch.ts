import { Gathering } from '#broker/cluster/gathering.ts'
import { DurableOutbox } from '#broker/outbox/durable-outbox.ts'
import { InboxReader } from '#broker/outbox/inbox-reader.ts'
import type { Cell } from './cell.ts'

type Method = (this: unknown, ...args: unknown[]) => unknown
type Methods = Record<string, Method>

/** Puts something around a method of all objects of a class; returns what takes it away again. */
export function wrap(
  type: { readonly prototype: object },
  name: string,
  around: (self: object, args: unknown[], original: (...args: unknown[]) => unknown) => unknown,
): () => void {
  const methods = type.prototype as Methods
  const original = methods[name]
  if (original === undefined) throw new Error(`no method ${name}`)
  methods[name] = function (this: unknown, ...args) {
    return around(this as object, args, (...given) => original.apply(this, given))
  }
  return () => {
    methods[name] = original
  }
}

/** What the processes do not know, at the end. */
export function tellUnknown(cell: Cell): void {
  for (const { name, broker } of cell.processes) {
    for (const { session, knowledge } of broker?.cell?.scrubber.held ?? []) {
      if (knowledge === null || knowledge.complete) continue
      const waiting = Array.from(knowledge.waiting, ({ peer }) => `${peer.info.name} ${peer.inContact}`)
      const dcs = `unread ${[...knowledge.unread].join()} reread ${[...knowledge.reread].join()}`
      cell.world.lines?.push(`unknown at ${name} of ${session.clientId}: waiting ${waiting.join()} ${dcs}`)
    }
  }
}

/** In a traced run the trace tells what happens to sessions inside the brokers, too. */
export function watch(cell: Cell): () => void {
  const { world } = cell
  const restores: (() => void)[] = []
  const readers = new WeakMap<object, string>()
  const tell = (self: object, what: string, args: unknown[]): void => {
    const { reader, session } = self as DurableOutbox
    const { clientId } = session
    readers.set(reader, clientId)
    world.lines?.push(
      `${world.now.toFixed(2).padStart(10)} in ${clientId} ${what} ${args.map(show).join(' ')}`,
    )
  }
  const show = (value: unknown): string => {
    if (value instanceof Uint8Array) return cell.nameOf(Buffer.from(value).toString('hex'))
    if (typeof value !== 'object' || value === null) return String(value)
    if ('writer' in value && 'seq' in value) return `${show(value.writer)} ${String(value.seq)}`
    if ('clientId' in value) return ''
    if (Array.isArray(value)) return `[${value.length}]`
    if ('peer' in value) return `from ${(value.peer as { info: { name: string } }).info.name}`
    return ''
  }
  for (const name of [
    'takeLive',
    'takeCopy',
    'allow',
    'adopt',
    'learn',
    'readAgain',
    'concluded',
    'detach',
    'attach',
  ])
    restores.push(
      wrap(DurableOutbox, name, (self, args, original) => {
        tell(self, name, args)
        return original(...args)
      }),
    )
  for (const name of ['attach', 'scrub'])
    restores.push(
      wrap(Gathering, name, (_self, args, original) => {
        tell(args[1] as object, `gather ${name}`, [])
        const done = original(...args) as Promise<void>
        void done.then(
          () => tell(args[1] as object, `gathered ${name}`, [(args[1] as DurableOutbox).knowledge?.complete]),
          () => undefined,
        )
        return done
      }),
    )
  restores.push(
    wrap(InboxReader, 'fetch', (self, args, original) => {
      const taken = args[2] as (entry: unknown) => void
      const found: string[] = []
      const client = readers.get(self)
      const done = original(args[0], args[1], (entry: unknown) => {
        const { writer, seq } = entry as { writer: { writer: Uint8Array; limit: number }; seq: number }
        found.push(`${show(writer.writer)} ${seq}<${writer.limit}`)
        taken(entry)
      }) as Promise<boolean>
      void done.then(
        (end) => {
          world.lines?.push(
            `${world.now.toFixed(2).padStart(10)} in ${client} fetch ${end} ${found.join(', ')}`,
          )
        },
        () => undefined,
      )
      return done
    }),
  )
  return () => {
    for (const restore of restores) restore()
  }
}
