import { migrate } from '#cassandra/migrate.ts'
import { secure } from '#cassandra/secure.ts'
import { spread } from '#cassandra/spread.ts'
import { InventoryError } from '#platform/inventory/inventory.ts'
import { loadInventory } from '#platform/inventory/load.ts'
import { Metrics } from '#platform/metrics.ts'
import { StoreError } from '#platform/store/store.ts'
import { credentialsOf, pemsOf } from '#scripts/cell/member-config.ts'
import { CliError, printJson, printLine } from '#scripts/output.ts'
import { stderrLogger } from './logger.ts'

export interface SchemaRun {
  readonly inventory: string
  readonly dc?: string
  readonly keyspace: string
  /** Replicas in `dc` only, for now: no other has a node yet. */
  readonly alone?: boolean
  readonly username?: string
  readonly passwordFile?: string
  readonly ca?: string
  readonly cert?: string
  readonly key?: string
  readonly json: boolean
}

/** Brings the schema of the cell in an inventory up to date. CliError. */
export async function applySchema(run: SchemaRun): Promise<void> {
  const { keyspace, json } = run
  await withCluster(run, async (cluster) => {
    const replication = run.alone === true ? only(cluster) : cluster.replication
    const { applied, version } = await migrate({ ...cluster, replication, keyspace })
    if (json) printJson({ keyspace, version, applied })
    else if (applied.length === 0) printLine(`keyspace ${keyspace} is up to date (version ${version})`)
    else printLine(`keyspace ${keyspace}: applied ${applied.join(', ')} (version ${version})`)
  })
}

/** Gives all DCs of the inventory their replicas of a schema that was made for one alone. CliError. */
export async function spreadSchema(run: SchemaRun): Promise<void> {
  const { keyspace, json } = run
  await withCluster(run, async (cluster) => {
    await spread({ ...cluster, keyspace })
    const replicas = Object.entries(cluster.replication).map(([dc, count]) => `${dc}: ${count}`)
    if (json) printJson({ keyspace, replication: cluster.replication })
    else printLine(`keyspace ${keyspace} has replicas ${replicas.join(', ')}`)
  })
}

/** Makes a new cluster that of its user alone. CliError. */
export async function secureCluster(run: Omit<SchemaRun, 'keyspace'>): Promise<void> {
  await withCluster(run, async ({ credentials, ...cluster }) => {
    if (credentials === undefined) {
      throw new CliError('--username and --password-file are missing: whom is it to belong to?', {
        exitCode: 2,
      })
    }
    const changed = await secure({ ...cluster, credentials })
    if (run.json) printJson({ username: credentials.username, changed })
    else printLine(`Cassandra ${changed ? 'now belongs' : 'belongs'} to ${credentials.username} alone`)
  })
}

const only = ({ localDc, replication }: Cluster): Record<string, number> => ({
  [localDc]: replication[localDc],
})

type Cluster = Omit<Parameters<typeof migrate>[0], 'keyspace'>

async function withCluster(
  run: Omit<SchemaRun, 'keyspace'>,
  work: (cluster: Cluster) => Promise<void>,
): Promise<void> {
  const { username, passwordFile, ca, cert, key, json } = run
  try {
    const { dcs, hosts } = loadInventory(run.inventory)
    const dc = run.dc ?? dcs[0].name
    const contactPoints = hosts
      .filter((host) => host.dc === dc && host.roles.includes('db'))
      .map(({ address }) => address)
    if (contactPoints.length === 0) {
      const names = dcs.map(({ name }) => name).join(', ')
      throw new CliError(`--dc ${dc}: there is no such DC; the DCs are ${names}`, { exitCode: 2 })
    }
    await work({
      contactPoints,
      localDc: dc,
      replication: Object.fromEntries(dcs.map(({ name, replicas }) => [name, replicas])),
      ...credentialsOf({ username, password_file: passwordFile }),
      ...pemsOf(ca === undefined ? undefined : { ca, cert, key }),
      log: stderrLogger(json ? 'warn' : 'info', new Metrics()),
    })
  } catch (error) {
    if (error instanceof InventoryError) throw new CliError(error.message, { exitCode: 2, cause: error })
    if (error instanceof StoreError) throw new CliError(error.message, { cause: error })
    throw error
  }
}
