import type { OrgUsage } from '#platform/limits/org-usage.ts'
import type { GroupCommit } from '#platform/store/group-commit.ts'
import type { Broker } from './broker.ts'
import type { Disk } from './disk.ts'
import { RetainedMessages } from './retained.ts'
import { Router } from './router/router.ts'
import type { RemoteSession } from './cluster/remote-session.ts'
import { StringIndex } from './cluster/string-index.ts'
import type { Session } from './session.ts'

/** What one organisation has in the broker. Nothing is reachable from another one's space (guarantee G9). */
export class Space {
  readonly broker: Broker
  readonly org: string
  /** Takes the organisation's rows; tickets that its connections and sessions keep are of this one. */
  readonly commit: GroupCommit
  /** What waits for it. */
  readonly disk: Disk
  readonly router = new Router()
  /** Sessions held by this process. */
  readonly sessions = new Map<string, Session>()
  /** Persistent sessions that another process holds, or none. */
  readonly away = new StringIndex<RemoteSession>((remote) => remote.clientId)
  readonly retained: RetainedMessages
  /** What it uses and may use; null: nobody counts. */
  readonly usage: OrgUsage | null

  constructor(broker: Broker, org: string) {
    this.broker = broker
    this.org = org
    this.disk = broker.diskOf(org)
    this.commit = this.disk.commit
    this.usage = broker.usage?.keep(org) ?? null
    this.retained = new RetainedMessages(this)
    broker.cell?.interest.watch(this)
  }
}
