import type { Inventory } from './inventory.ts'

/** What a cell is to carry. */
export interface Load {
  /** Connected at the same time, by TLS, each with a persistent session. */
  readonly devices: number
  /** Messages to persistent sessions, a second, in all. */
  readonly messages: number
  /** Telemetry values a second, in all. */
  readonly values: number
}

export interface Capacity {
  /** Beyond what one cell carries, organisations are spread over several. */
  readonly cells: number
  /** Of each cell. */
  readonly appsPerLiveDc: number
  readonly appsPerBackupDc: number
  readonly dbsPerLiveDc: number
  readonly dbsPerBackupDc: number
  /** Of all cells, without checkers. */
  readonly hosts: number
  /** What asked for the most. */
  readonly bound: string
}

/** Of hosts with 2 vCPU and 4 GB, as docs/scale.md has them with the commands that print them. */
const figures = {
  /** Persistent sessions of a cell: each process knows all. */
  sessions: 1_000_000,
  /** TLS connections of an app host: 43 kB each. */
  connections: 20_000,
  /** Rows a second that the one Cassandra node of a backup DC takes: messages and values. */
  messages: 5_000,
  values: 15_000,
}

/** A host of each kind may be away at any time: it is being restarted, or it is broken. */
const spare = 1
const leastApps = 2
const backupApps = 2

/** How many hosts a load needs in DCs like these. Disk is not in it: it follows from retention. Pure. */
export function capacityFor(load: Load, { dcs }: Inventory): Capacity {
  const live = dcs.filter(({ kind }) => kind === 'live')
  const backup = dcs.filter(({ kind }) => kind === 'backup')
  const shares: readonly (readonly [string, number])[] = [
    ['persistent sessions', load.devices / figures.sessions],
    ['rows a second of the backup DC', load.messages / figures.messages + load.values / figures.values],
  ]
  const cells = Math.max(1, ...shares.map(([, share]) => Math.ceil(share)))
  const appsWanted = Math.ceil(load.devices / cells / figures.connections) + spare
  const appsPerLiveDc = Math.max(leastApps, Math.ceil(appsWanted / Math.max(1, live.length)))
  const replicas = Math.max(1, ...live.map((dc) => dc.replicas))
  const dbsPerLiveDc = replicas + spare
  const dbsPerBackupDc = Math.max(1, ...backup.map((dc) => dc.replicas))
  const perCell = live.length * (appsPerLiveDc + dbsPerLiveDc) + backup.length * (backupApps + dbsPerBackupDc)
  const largest = shares.toSorted(([, a], [, b]) => b - a)[0]
  const apps = appsWanted > leastApps * live.length
  return {
    cells,
    appsPerLiveDc,
    appsPerBackupDc: backup.length === 0 ? 0 : backupApps,
    dbsPerLiveDc,
    dbsPerBackupDc: backup.length === 0 ? 0 : dbsPerBackupDc,
    hosts: cells * perCell,
    bound:
      cells > 1
        ? largest[0]
        : apps
          ? 'TLS connections of an app host'
          : 'the least that survives the loss of a host',
  }
}
