import { z } from 'zod'
import type { Broker } from '../broker.ts'
import { type ClientView, viewClient } from './client-view.ts'

/** Clients that are looked at before others get their turn. */
const SLICE = 2000

/** Which clients of an organisation are wanted; what is absent does not matter. */
const clientFilter = z.object({
  connected: z.boolean().optional(),
  /** Id of the device. */
  device: z.string().optional(),
  username: z.string().optional(),
  /** Client ids that begin with this. */
  prefix: z.string().optional(),
  dc: z.string().optional(),
  process: z.string().optional(),
  /** So many messages wait at least. */
  minQueued: z.number().optional(),
  /** So many messages were dropped at least. */
  minDropped: z.number().optional(),
})
type ClientFilter = z.output<typeof clientFilter>

export const clientListQuery = z.object({
  org: z.string(),
  after: z.string().nullable(),
  limit: z.int(),
  filter: clientFilter,
})
export type ClientListQuery = z.output<typeof clientListQuery>

/** A client with its id, as it is listed: without its subscriptions. */
export interface ListedClient {
  readonly id: string
  readonly view: ClientView
}

/**
 * The first clients behind `after`, in order of their ids, of those that this process holds; `away`: and of the
 * sessions that nobody in contact holds. Looks at all of the organisation's, some at a time.
 */
export async function listClients(
  broker: Broker,
  { org, after, limit, filter }: ClientListQuery,
  away: boolean,
): Promise<ListedClient[]> {
  const space = broker.space(org)
  const { prefix, connected } = filter
  const ids: string[] = []
  let looked = 0
  const take = (id: string): void => {
    if ((after !== null && id <= after) || (prefix !== undefined && !id.startsWith(prefix))) return
    if (ids.length === limit && id >= ids[limit - 1]) return
    if (!wanted(broker, org, id, filter)) return
    ids.splice(placeOf(ids, id), 0, id)
    if (ids.length > limit) ids.pop()
  }
  for (const [id, session] of space.sessions) {
    if (++looked % SLICE === 0) await turn(broker)
    if (!session.ended && (connected === undefined || (session.connection !== null) === connected)) take(id)
  }
  if (away && connected !== true) {
    for (const { clientId: id, holder } of space.away.values()) {
      if (++looked % SLICE === 0) await turn(broker)
      // Who holds it answers for it.
      if (holder === '' || broker.cell?.member(holder)?.peer.inContact !== true) take(id)
    }
  }
  const found: ListedClient[] = []
  for (const id of ids) {
    const view = viewClient(broker, org, id)
    if (view !== null) found.push({ id, view: { ...view, subscriptions: [] } })
  }
  return found
}

function wanted(broker: Broker, org: string, id: string, filter: ClientFilter): boolean {
  const { device, username, dc, process, minQueued, minDropped } = filter
  const simple = [device, username, dc, process, minQueued, minDropped].every((one) => one === undefined)
  if (simple) return true
  const view = viewClient(broker, org, id)
  if (view === null) return false
  if (device !== undefined && view.device !== device) return false
  if (username !== undefined && view.username !== username) return false
  if (dc !== undefined && view.dc !== dc) return false
  if (process !== undefined && view.process !== process) return false
  if (minQueued !== undefined && (view.queued ?? 0) < minQueued) return false
  return minDropped === undefined || droppedOf(view) >= minDropped
}

function droppedOf({ drops }: ClientView): number {
  return Object.values(drops ?? {}).reduce((sum, n) => sum + n, 0)
}

function placeOf(ids: readonly string[], id: string): number {
  let from = 0
  let to = ids.length
  while (from < to) {
    const middle = (from + to) >> 1
    if (ids[middle] < id) from = middle + 1
    else to = middle
  }
  return from
}

function turn({ timers }: Broker): Promise<void> {
  return new Promise((resolve) => timers.soon(resolve))
}
