import type { OrgUsage } from '#platform/limits/org-usage.ts'
import type { Broker } from './broker.ts'
import { RetainedMessages } from './retained.ts'
import { Router } from './router/router.ts'
import type { RemoteSession } from './cluster/remote-session.ts'
import type { Session } from './session.ts'

/** What one organisation has in the broker. Nothing is reachable from another one's space (guarantee G9). */
export class Space {
  readonly broker: Broker
  readonly org: string
  readonly router = new Router()
  /** Sessions held by this process. */
  readonly sessions = new Map<string, Session>()
  /** Persistent sessions that another process holds, or none. */
  readonly away = new Map<string, RemoteSession>()
  readonly retained: RetainedMessages
  /** What it uses and may use; null: nobody counts. */
  readonly usage: OrgUsage | null

  constructor(broker: Broker, org: string) {
    this.broker = broker
    this.org = org
    this.usage = broker.usage?.keep(org) ?? null
    this.retained = new RetainedMessages(broker, org)
    broker.cell?.interest.watch(this)
  }
}
