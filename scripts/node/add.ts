import { readFileSync } from 'node:fs'
import { checkInventory, type Host, type Inventory } from '#platform/inventory/inventory.ts'
import { parse } from 'yaml'
import { inventoryFrom } from '#scripts/commands/inventory.ts'
import { CliError, printJson, printLine } from '#scripts/output.ts'
import { openHosts } from '#scripts/remote/hosts.ts'
import { type Remote, sshRemote } from '#scripts/remote/remote.ts'
import { hostFleet } from '#scripts/roll/host-fleet.ts'
import { rollingOrder } from '#scripts/roll/order.ts'
import { checkAddition, checkRacks } from './checks.ts'
import { type FirstContact, introduce, isReached } from './first-contact.ts'
import { type NewHost, withHost, writeWhole } from './inventory-file.ts'
import { tellOperators } from './operators.ts'
import { goingOn, type NodeOptions, type Place, placeOf } from './place.ts'
import { rollFor } from './rolls.ts'
import { ensureSecrets, secretsState } from './secrets.ts'
import { addSshName } from './ssh-names.ts'
import { bootHere } from './test-fleet.ts'

export interface AddOptions extends NodeOptions {
  readonly contact?: FirstContact | undefined
  /** Of a host that the inventory does not have yet. */
  readonly host?: Omit<NewHost, 'name'> | undefined
}

/** A cleanup rewrites all files of a node, ms. */
const cleanupMs = 21_600_000
const ringMs = 60_000

/** Makes a host a member of the cell. Called again it goes on where it was. CliError. */
export async function addNode(name: string, options: AddOptions): Promise<void> {
  const { remote } = openHosts(options)
  const place = placeOf(options)
  const { inventory, isWritten } = wanted(place, name, options.host)
  const host = hostIn(inventory, name)
  checkAddition(inventory, host)
  const secrets = place.isTestFleet ? 'to make' : secretsState(place, host)
  const others = rollingOrder(
    inventory,
    inventory.hosts.filter((one) => one !== host),
  )
  const thinned = thinnedBy(inventory, host)
  if (options.plan === true) {
    const steps = [
      isWritten ? `${place.file} has it` : `${place.file} gets it, behind the others`,
      secrets === 'there' ? 'its secrets are there' : 'its secrets are made',
      place.isTestFleet ? 'it boots' : 'ssh: its host key must be signed for its name',
      'the packet filters of the others let it in',
      `Puppet makes it, with the release that most others have${host.roles.includes('db') ? '; it gets its rows from the others' : ''}`,
      `the others learn of it by Puppet, one after the other: ${others.map((one) => one.name).join(', ')}`,
      ...thinned.map((one) => `nodetool cleanup on ${one.name}: it has less to keep`),
    ]
    return showPlan(`add ${name} (${host.dc}, ${host.roles.join(', ')}, ${host.address})`, steps, options)
  }
  const say = sayer(options)
  // Somebody else may have changed it since.
  const write = (): void => writeWhole(place.file, wanted(place, name, options.host).text)
  try {
    checkRacks(inventory, await ringOf(remote, inventory, host))
    if (place.isTestFleet) {
      if (!isWritten) write()
      await bootHere(place.directory.path, host, say)
    } else {
      await ensureSecrets(place, inventory, host)
      addSshName(place.sshConfig, host)
      await meet(place, remote, host, options.contact)
      // Not before it answers: everybody else waits for what the inventory has.
      if (!isWritten) write()
    }
    tellOperators(place, host)
    say(`${name} answers`)
    const fleet = hostFleet(options)
    await rollFor(fleet, { change: 'add', name, kind: 'apply' }, [host, ...others], options)
    for (const one of thinned) {
      say(`nodetool cleanup on ${one.name}`)
      // oxlint-disable-next-line no-await-in-loop -- it takes disk and processor: one after the other
      await cleanUp(remote, one)
    }
  } catch (error) {
    if (error instanceof CliError && error.exitCode === 2) throw error
    throw goingOn(error)
  }
  if (options.json === true) printJson({ added: name })
  else
    printLine(
      `${name} is a member of the cell${inventory.dns === undefined ? '' : `; a zone at Route 53 learns of it by: cinque dns apply`}`,
    )
}

/** The inventory with the host. */
function wanted(
  { file }: Place,
  name: string,
  given: Omit<NewHost, 'name'> | undefined,
): { text: string; inventory: Inventory; isWritten: boolean } {
  const inventory = inventoryFrom(file)
  const text = readFileSync(file, 'utf8')
  const known = inventory.hosts.find((one) => one.name === name)
  if (known === undefined) {
    if (given === undefined)
      throw new CliError(`${file} has no host "${name}"`, {
        exitCode: 2,
        remedy:
          'Write it there, behind the others of its DC; or say what it is: --dc dc01 --address 192.0.2.9 --roles app',
      })
    try {
      return { ...withHost(text, { name, ...given }, file), isWritten: false }
    } catch (error) {
      throw new CliError(error instanceof Error ? error.message : String(error), {
        exitCode: 2,
        cause: error,
      })
    }
  }
  const other = Object.entries(given ?? {}).find(
    ([key, value]) => said(value) !== said(known[key as keyof Host]),
  )
  if (other !== undefined)
    throw new CliError(`${file} has ${name} already, with another ${other[0]}`, {
      exitCode: 2,
      remedy: `Change it there, then: cinque node add ${name}`,
    })
  return { text, inventory: checkInventory(parse(text), file), isWritten: true }
}

/** As it is compared: roles in any order. */
const said = (value: unknown): string =>
  Array.isArray(value)
    ? value
        .map(String)
        .toSorted((a, b) => a.localeCompare(b))
        .join()
    : String(value)

function hostIn({ hosts }: Inventory, name: string): Host {
  const host = hosts.find((one) => one.name === name)
  if (host === undefined) throw new CliError(`the inventory has no host "${name}"`)
  return host
}

/** Db hosts that keep fewer rows when one more is there. */
function thinnedBy({ hosts, dcs }: Inventory, host: Host): Host[] {
  if (!host.roles.includes('db')) return []
  const others = hosts.filter((one) => one !== host && one.dc === host.dc && one.roles.includes('db'))
  const replicas = dcs.find(({ name }) => name === host.dc)?.replicas ?? 0
  return others.length >= replicas ? others : []
}

/** What any other db host prints of the ring. */
async function ringOf(remote: Remote, { hosts }: Inventory, host: Host): Promise<string> {
  const witness = hosts.find((one) => one !== host && one.roles.includes('db'))
  if (witness === undefined) throw new CliError('the cell has no other db host')
  const { code, stdout, failure } = await remote.run(witness, 'nodetool status', { timeoutMs: ringMs })
  if (code === 0) return stdout
  throw new CliError(failure ?? `${witness.name} does not say who is in the ring`)
}

async function meet(
  { sshConfig: config }: Place,
  remote: Remote,
  host: Host,
  contact: FirstContact | undefined,
): Promise<void> {
  if ((await isReached(remote, host, contact)) || contact === undefined) return
  const port = /^ *Port (\d+)$/m.exec(readFileSync(config, 'utf8'))?.[1] ?? '22'
  await introduce((knownHosts) => sshRemote({ config, knownHosts }), host, { ...contact, port })
  await isReached(remote, host, undefined)
}

async function cleanUp(remote: Remote, host: Host): Promise<void> {
  const { code, stdout, stderr, failure } = await remote.run(host, 'nodetool cleanup 2>&1', {
    timeoutMs: cleanupMs,
  })
  if (code === 0) return
  throw new CliError(failure ?? `${host.name}: ${`${stdout}\n${stderr}`.trim().split('\n').at(-1) ?? ''}`)
}

export function showPlan(
  head: string,
  steps: readonly string[],
  { json }: { readonly json?: boolean },
): void {
  if (json === true) return printJson({ plan: head, steps })
  printLine(`${head}:`)
  for (const [i, step] of steps.entries()) printLine(`  ${i + 1}. ${step}`)
}

export function sayer({ json }: { readonly json?: boolean }): (line: string) => void {
  return (line) => {
    if (json !== true) printLine(`${new Date().toISOString().slice(11, 19)} ${line}`)
  }
}
