import { readFileSync } from 'node:fs'
import { createInterface } from 'node:readline/promises'
import { ApiError, type CinqueClient } from '#client/index.ts'
import { type Host, InventoryError } from '#platform/inventory/inventory.ts'
import { inventoryFrom } from '#scripts/commands/inventory.ts'
import { CliError, printJson, printLine } from '#scripts/output.ts'
import { openHosts } from '#scripts/remote/hosts.ts'
import type { Remote } from '#scripts/remote/remote.ts'
import { hostFleet } from '#scripts/roll/host-fleet.ts'
import { rollingOrder } from '#scripts/roll/order.ts'
import { isOurs } from '#scripts/roll/traffic.ts'
import { sayer, showPlan } from './add.ts'
import { checkNoChecker, checkUnnamed } from './checks.ts'
import { backupSteps, checkBackups, movedBackups } from './backups.ts'
import { type Edited, withoutHost, writeWhole } from './inventory-file.ts'
import { untellOperators } from './operators.ts'
import { goingOn, type NodeOptions, type Place, placeOf } from './place.ts'
import { rollFor, rollsFor } from './rolls.ts'
import { dropSshName } from './ssh-names.ts'
import { discardHere } from './test-fleet.ts'

export interface RemoveOptions extends NodeOptions {
  /** It does not answer and will not come back. */
  dead?: true
  /** Backups, and the key of them, that only it has may be lost, or have been copied. */
  leaveBackups?: true
  yes?: true
}

const shortMs = 20_000

/** Takes a host out of the cell for good. Called again it goes on where it was. CliError. */
export async function removeNode(name: string, options: RemoveOptions): Promise<void> {
  const { remote } = openHosts(options)
  const place = placeOf(options)
  const host = inventoryFrom(place.file).hosts.find((one) => one.name === name)
  const say = sayer(options)
  try {
    if (host !== undefined && !(await leave(place, remote, host, options, say))) return
    await forget(place, name, options)
  } catch (error) {
    if (error instanceof CliError && error.exitCode === 2) throw error
    throw goingOn(error)
  }
  if (options.json === true) printJson({ removed: name })
  else printLine(`${name} is no member of the cell any more; give it back with its disk wiped`)
}

/** Has it give away what it has, and takes it out of the inventory. False: that was only planned. */
async function leave(
  place: Place,
  remote: Remote,
  host: Host,
  options: RemoveOptions,
  say: (line: string) => void,
): Promise<boolean> {
  const { name } = host
  const { inventory } = without(place, host)
  const others = rollingOrder(inventory, inventory.hosts)
  const kind = options.dead === true ? 'removenode' : 'decommission'
  const moved = movedBackups(place, inventoryFrom(place.file), host)
  if (options.plan === true) {
    showPlan(
      `remove ${name} (${host.dc}, ${host.roles.join(', ')}, ${host.address})`,
      [
        ...steps(place, host, kind, others),
        ...(moved === null ? [] : backupSteps(moved, host, place.isTestFleet)),
      ],
      options,
    )
    return false
  }
  await ask(host, options)
  const fleet = hostFleet(options)
  const before = await rollsFor(fleet.client, 'remove', name)
  const hasLeft = before.some((one) => one.kind === kind && one.state === 'done')
  // One that has left may be off already.
  const isThere = async (): Promise<boolean> =>
    !hasLeft || (await remote.run(host, 'true', { timeoutMs: shortMs })).code === 0
  if (host.roles.includes('db') && options.leaveBackups !== true && (await isThere()))
    await checkBackups(place, remote, host, { dead: options.dead === true, moved })
  await rollFor(fleet, { change: 'remove', name, kind }, [host], options)
  // While the inventory still has it: it would be left over else.
  if (place.isTestFleet) await discardHere(place.directory.path, host)
  // Somebody else may have changed it since.
  writeWhole(place.file, without(place, host).text)
  say(`${place.file} is without ${name}`)
  if (moved !== null) for (const line of backupSteps(moved, host, place.isTestFleet)) say(line)
  return true
}

function steps(place: Place, host: Host, kind: string, others: readonly Host[]): string[] {
  const isDb = host.roles.includes('db')
  return [
    ...(host.roles.includes('app') ? ['it is taken out of DNS'] : []),
    ...(kind === 'decommission'
      ? [
          'its brokers and its API stop, their clients go elsewhere',
          ...(isDb ? ['its rows go to the others: nodetool decommission'] : []),
          "the cell's keys and rows on it are erased",
        ]
      : isDb
        ? ['the others make copies of what it had: nodetool removenode']
        : []),
    `${place.file} loses it`,
    `the others forget it by Puppet, one after the other: ${others.map((one) => one.name).join(', ')}`,
  ]
}

/** The inventory without it, if the rest can do without it. CliError. */
function without(place: Place, host: Host): Edited {
  checkNoChecker(host)
  checkUnnamed(place, host)
  try {
    return withoutHost(readFileSync(place.file, 'utf8'), host.name, place.file)
  } catch (error) {
    if (!(error instanceof InventoryError)) throw error
    throw new CliError(`without ${host.name}: ${error.message}`, {
      exitCode: 2,
      remedy:
        'Change that first: fewer replicas of its DC in the inventory, then `cinque schema apply`; or another host with this role, by `cinque node add`.',
      cause: error,
    })
  }
}

async function ask({ name, roles }: Host, { yes, json, dead }: RemoveOptions): Promise<void> {
  if (yes === true) return
  if (json === true || !process.stdin.isTTY) {
    throw new CliError(`${name} is to be removed for good`, {
      exitCode: 2,
      remedy: 'If that is meant: --yes',
    })
  }
  const what =
    dead === true
      ? 'It is taken for lost'
      : `All that is on it is erased${roles.includes('db') ? ' when the others have its rows' : ''}`
  const terminal = createInterface({ input: process.stdin, output: process.stderr })
  try {
    const said = await terminal.question(`${what}. Type its name to go on: `)
    if (said.trim() !== name) throw new CliError('nothing was done', { exitCode: 2 })
  } finally {
    terminal.close()
  }
}

/** Has the others forget one that the inventory does not have any more. */
async function forget(place: Place, name: string, options: RemoveOptions): Promise<void> {
  const fleet = hostFleet(options)
  if ((await rollsFor(fleet.client, 'remove', name)).length === 0)
    throw new CliError(`${place.file} has no host "${name}"`, { exitCode: 2 })
  if (options.plan === true) {
    showPlan(`remove ${name}`, ['the others forget it by Puppet, as far as they have not'], options)
    return
  }
  const { inventory } = fleet
  untellOperators(place, name)
  await rollFor(
    fleet,
    { change: 'remove', name, kind: 'apply' },
    rollingOrder(inventory, inventory.hosts),
    options,
  )
  await takeBack(fleet.client, name)
  if (!place.isTestFleet) dropSshName(place.sshConfig, name)
}

/** The word that kept it out of DNS, when nobody knows it any more. */
async function takeBack(client: CinqueClient, subject: string): Promise<void> {
  const path = { params: { path: { subject } } }
  try {
    const { reason } = await client.get('/v1/overrides/{subject}', path)
    if (isOurs(reason)) await client.delete('/v1/overrides/{subject}', path)
  } catch (error) {
    if (!(error instanceof ApiError && error.code === 'override_not_found')) throw error
  }
}
