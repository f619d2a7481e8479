import type { Host, Inventory } from '#platform/inventory/inventory.ts'
import { pause } from '#scripts/pause.ts'
import { quote } from '#scripts/remote/shell.ts'
import { canonical, type RingEntry, ringOf } from '#scripts/remote/ring.ts'
import type { OnHost } from './on-host.ts'
import { stopFront, stopMs, streamMs } from './services.ts'

const shortMs = 20_000
const ringMs = 60_000

export interface Removing extends OnHost {
  readonly inventory: Inventory
  /** Without a token. */
  readonly look: OnHost
  readonly lookMs: number
}

/** Directories in which rows may be that were restored for a look. One that has the backups themselves is left. */
export function eraseScratch(directories: readonly string[]): string {
  return directories
    .map((directory) => {
      const at = quote(directory)
      const emptied = `find ${at} -xdev -mindepth 1 -delete`
      // One on a volume of its own stays where that is mounted.
      return `[ ! -d ${at} ] || [ -n "$(find ${at} -name repository.json -print -quit)" ] || { ${emptied} && { rmdir ${at} 2>/dev/null || :; }; } || exit 1`
    })
    .join('\n')
}

/** Whatever of ours starts by itself; keys and rows of the cell: whoever gets the disk next has none of them. */
const erase = `units=$(systemctl list-unit-files --state=enabled --plain --no-legend 'cinque-*' 'cassandra*' prometheus.service gdnsd.service | cut -d' ' -f1)
[ -z "$units" ] || systemctl disable --now $units || exit 1
[ ! -d /var/lib/cassandra ] || find /var/lib/cassandra -mindepth 1 -delete || exit 1
systemctl stop 'cinque-backup*' 'cinque-drill*' 'cinque-figures*' 'cinque-snapshot*' || exit 1
${eraseScratch(['/var/lib/cinque-backup', '/var/lib/cinque-figures'])}
rm -rf /etc/cinque /opt/cinque /var/lib/cinque-api /var/lib/cinque-broker* /var/lib/cinque-healthcheck /var/lib/cinque-operator`

/**
 * A host that answers leaves for good: its clients and its rows go to the others, and what is the cell's is erased.
 * May be done again: what is so already is left.
 */
export async function decommission(
  removing: Removing,
  host: Host,
  signal: AbortSignal,
  tell: (note: string) => void,
): Promise<void> {
  const { must } = removing
  tell('its clients go elsewhere')
  await must(host, stopFront, signal, stopMs)
  if (host.roles.includes('db')) {
    const entry = await entryOf(removing, host, signal)
    if (entry?.state === 'normal') {
      tell('its rows go to the others')
      await begun(removing, host, signal, () => must(host, leave, signal, streamMs))
    }
    await untilGone(removing, host, signal, tell)
  }
  tell("the cell's keys and rows are erased on it")
  await must(host, erase, signal, stopMs)
}

/**
 * The keyspaces of Cassandra itself want more nodes than a small cell has left; ours were counted before. They hold what
 * repairs and traces have said.
 */
const leave = `said=$(nodetool decommission 2>&1) && exit 0
echo "$said" | grep -qE 'in keyspace (system_distributed|system_traces) ' || { echo "$said"; exit 1; }
nodetool decommission --force 2>&1`

/** Takes a dead Cassandra out of the ring; the others make its copies anew among themselves. */
export async function removeNode(
  removing: Removing,
  host: Host,
  signal: AbortSignal,
  tell: (note: string) => void,
): Promise<void> {
  const { code } = await removing.look.doing(host, 'true', shortMs, signal)
  if (code === 0) throw new Error(`${host.name}: it answers: remove it without --dead`)
  if (!host.roles.includes('db')) return
  const entry = await entryOf(removing, host, signal)
  if (entry === undefined) return
  if (entry.up)
    throw new Error(`${host.name}: its Cassandra is up, as others see it: remove it without --dead`)
  if (entry.state === 'normal') {
    const witness = witnessOf(removing.inventory, host)
    const address = canonical(host.address)
    const id = `id=$(nodetool status | awk -v a=${address} '$2 == a' | grep -oE '[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}')`
    tell('the others make copies of what it had')
    const remove = `${id}\nnodetool removenode "$id" 2>&1`
    await begun(removing, host, signal, () => removing.must(witness, remove, signal, streamMs))
  }
  await untilGone(removing, host, signal, tell)
}

/** Cassandra goes on when the connection over which it was told has broken, and says then that it is at it. */
async function begun(
  removing: Removing,
  host: Host,
  signal: AbortSignal,
  command: () => Promise<unknown>,
): Promise<void> {
  try {
    await command()
  } catch (error) {
    signal.throwIfAborted()
    const entry = await entryOf(removing, host, signal)
    if (entry?.state === 'normal') throw error
  }
}

/** Why a host is still a member of the cell; null: it is not, as far as it can be told. */
export async function stillMember(
  removing: Removing,
  host: Host,
  signal: AbortSignal,
): Promise<string | null> {
  const why = await stillThere(removing, host, signal)
  if (why !== null) return why
  const { code } = await removing.look.doing(host, '[ -e /etc/cinque ]', shortMs, signal)
  return code === 0 ? "the cell's keys are still on it" : null
}

/** Why it is still in the ring. */
async function stillThere(removing: Removing, host: Host, signal: AbortSignal): Promise<string | null> {
  if (!host.roles.includes('db')) return null
  const entry = await entryOf(removing, host, signal)
  return entry === undefined ? null : `its Cassandra is ${entry.state} in the ring`
}

async function untilGone(
  removing: Removing,
  host: Host,
  signal: AbortSignal,
  tell: (note: string) => void,
): Promise<void> {
  for (;;) {
    // oxlint-disable-next-line no-await-in-loop -- until it is so
    const why = await stillThere(removing, host, signal)
    if (why === null) return
    tell(why)
    // oxlint-disable-next-line no-await-in-loop
    await pause(removing.lookMs, signal)
    signal.throwIfAborted()
  }
}

/** As another db host sees it, of the same DC where there is one; undefined: it is no member. */
async function entryOf(
  { look, inventory }: Removing,
  host: Host,
  signal: AbortSignal,
): Promise<RingEntry | undefined> {
  const witness = witnessOf(inventory, host)
  const ring = ringOf(await look.must(witness, 'nodetool status', signal, ringMs))
  if (ring.length === 0) throw new Error(`${witness.name} does not say who is in the ring`)
  return ring.find(({ address }) => address === canonical(host.address))
}

function witnessOf({ hosts }: Inventory, host: Host): Host {
  const dbs = hosts.filter(({ name, roles }) => name !== host.name && roles.includes('db'))
  const witness = dbs.find(({ dc }) => dc === host.dc) ?? dbs.at(0)
  if (witness === undefined) throw new Error(`${host.name} has the only copy of all rows; it is not removed`)
  return witness
}
