import type cassandra from 'cassandra-driver'
import { StoreError } from '#platform/store/store.ts'
import { connect, type ConnectionOptions } from './store/connection.ts'

export interface SecureOptions extends ConnectionOptions {
  /** Our own user, which becomes the only one that may do everything. */
  readonly credentials: { readonly username: string; readonly password: string }
  /** Replicas of each DC: users are known in all of them. */
  readonly replication: Readonly<Record<string, number>>
}

/** What every new cluster has, and everybody knows. */
const first = { username: 'cassandra', password: 'cassandra' }
const readTimeoutMs = 30_000

/**
 * Makes a new cluster ours: our user with its password, and none that everybody knows. Run again it finishes what was cut
 * off, and else changes nothing.
 *
 * @returns whether something was changed
 * @throws StoreError `readonly`: neither our password nor that of a new cluster is taken
 */
export async function secure(options: SecureOptions): Promise<boolean> {
  const { username, password } = options.credentials
  const ours = await login(options, options.credentials)
  if (ours !== null) {
    try {
      return await disable(ours)
    } finally {
      await ours.shutdown()
    }
  }
  const theirs = await login(options, first)
  if (theirs === null) {
    throw new StoreError(
      'readonly',
      `Cassandra takes neither the password of ${username} nor that of a new cluster: use the password file that the cell was made with`,
    )
  }
  try {
    const replicas = Object.entries(options.replication)
      .map(([dc, count]) => `'${quoted(dc)}': ${count}`)
      .join(', ')
    await theirs.execute(
      `ALTER KEYSPACE system_auth WITH replication = {'class': 'NetworkTopologyStrategy', ${replicas}}`,
    )
    await theirs.execute(
      `CREATE ROLE IF NOT EXISTS "${username.replaceAll('"', '""')}" WITH PASSWORD = '${quoted(password)}' AND SUPERUSER = true AND LOGIN = true`,
    )
  } finally {
    await theirs.shutdown()
  }
  const now = await login(options, options.credentials)
  if (now === null) throw new StoreError('unavailable', `Cassandra does not take ${username} yet: try again`)
  try {
    await disable(now)
  } finally {
    await now.shutdown()
  }
  return true
}

/** A role can't take its own rights away, so this is the other's work. */
async function disable(client: cassandra.Client): Promise<boolean> {
  const { rows } = await client.execute('SELECT can_login FROM system_auth.roles WHERE role = ?', [
    first.username,
  ])
  if (rows.length === 0 || rows[0].can_login === false) return false
  await client.execute(`ALTER ROLE ${first.username} WITH SUPERUSER = false AND LOGIN = false`)
  return true
}

/** Null: the password is not taken. */
async function login(
  options: SecureOptions,
  credentials: ConnectionOptions['credentials'],
): Promise<cassandra.Client | null> {
  try {
    return await connect({ ...options, ...(credentials === undefined ? {} : { credentials }), readTimeoutMs })
  } catch (error) {
    if (error instanceof StoreError && error.code === 'readonly') return null
    throw error
  }
}

function quoted(text: string): string {
  return text.replaceAll("'", "''")
}
