import type { Host, Inventory } from '#platform/inventory/inventory.ts'
import type { Remote } from '#scripts/remote/remote.ts'
import { quote } from '#scripts/remote/shell.ts'
import { together } from '#scripts/remote/together.ts'
import { fenceDirectory } from './fence.ts'
import type { OnHost } from './on-host.ts'
import { startServices, stopFront, stopMs, stopServices } from './services.ts'
import type { Installer } from './ssh-hands.ts'

const shortMs = 20_000
/** Hosts at a time. */
const at = 8
/** On a host that has never been a member of the cell, until it is one. */
const newcomer = `${fenceDirectory}/newcomer`

export interface Applying extends OnHost {
  readonly inventory: Inventory
  /** Without a token, for looks. */
  readonly plain: Remote
  readonly remote: Remote
  readonly installer: Installer
  /** Does something while nobody is connected to those that serve nobody without the host. */
  alone(host: Host, act: () => Promise<void>): Promise<void>
  /** Until a db host has its rows. */
  streamed(host: Host, signal: AbortSignal, tell: (note: string) => void): Promise<void>
  untilWell(host: Host, signal: AbortSignal): Promise<void>
  usualRelease(host: Host, signal: AbortSignal): Promise<string>
}

/** Whether a host is not, or not yet wholly, a member. One that does not answer is none. */
async function isNewcomer(remote: Remote, host: Host, signal: AbortSignal): Promise<boolean> {
  const look = `[ -e /opt/cinque ] && [ ! -e ${newcomer} ] || echo newcomer`
  const { stdout } = await remote.run(host, look, { signal, timeoutMs: shortMs })
  signal.throwIfAborted()
  return stdout.trim() === 'newcomer'
}

/** Whether anybody is to be sent elsewhere for Puppet on a host: it is a member, and something on it will be restarted. */
export async function isMissed(applying: Applying, host: Host, signal: AbortSignal): Promise<boolean> {
  if (await isNewcomer(applying.plain, host, signal)) return false
  return (await restartsOf(applying, host, signal)).length > 0
}

/**
 * Puppet on one host, which may be new: the others let it in before, and what Puppet would restart is stopped in good order
 * first. May be done again: what is so already is left.
 */
export async function applyTo(
  applying: Applying,
  host: Host,
  signal: AbortSignal,
  tell: (note: string) => void,
): Promise<void> {
  const { installer, remote, must } = applying
  const isDb = host.roles.includes('db')
  if (await isNewcomer(applying.plain, host, signal)) await must(host, `touch ${newcomer}`, signal, shortMs)
  await letIn(applying, host, signal, tell)
  if (!host.roles.every((role) => role === 'db'))
    await installer.deliver(host, remote, await applying.usualRelease(host, signal))
  const puppet = async (): Promise<void> => {
    tell('Puppet makes it what it is to be')
    await installer.install(host, remote)
  }
  const restarts = await restartsOf(applying, host, signal)
  if (restarts.length === 0) await puppet()
  else {
    const act = async (): Promise<void> => {
      tell(`it stops what is to be restarted: ${restarts.join(', ')}`)
      await must(host, restarts.includes('cassandra') ? stopServices : stopFront, signal, stopMs)
      try {
        await puppet()
      } finally {
        // Better as it was than away.
        await must(host, startServices, signal, shortMs)
      }
    }
    await (restarts.includes('cassandra') ? applying.alone(host, act) : act())
  }
  if (isDb) await applying.streamed(host, signal, tell)
  await applying.untilWell(host, signal)
  await must(host, `rm -f ${newcomer}`, signal, shortMs)
}

/** Has the packet filters of the others know it: they drop what a stranger sends. */
async function letIn(
  { inventory, plain, remote, installer }: Applying,
  host: Host,
  signal: AbortSignal,
  tell: (note: string) => void,
): Promise<void> {
  const others = inventory.hosts.filter(({ name }) => name !== host.name)
  const strangers = await together(others, at, async (other) => {
    const look = `grep -qwF -- ${quote(host.address)} /etc/nftables.conf`
    const { code, failure } = await plain.run(other, look, { signal, timeoutMs: shortMs })
    signal.throwIfAborted()
    if (failure !== null) throw new Error(failure)
    return code === 0 ? [] : [other]
  })
  if (strangers.flat().length === 0) return
  tell('the others let it in')
  await installer.admit(strangers.flat(), remote)
}

/** Services of ours that run and that Puppet would restart, by their units' names. */
async function restartsOf(
  { plain, remote, installer, must }: Applying,
  host: Host,
  signal: AbortSignal,
): Promise<string[]> {
  const list =
    "systemctl list-units --plain --no-legend --state=active,activating 'cinque-*.service' cassandra.service | cut -d' ' -f1"
  const running = (await must(host, list, signal, shortMs))
    .split('\n')
    .map((unit) => unit.replace(/\.service$/, ''))
  if (running.every((unit) => unit === '')) return []
  const { code } = await plain.run(host, 'command -v puppet', { signal, timeoutMs: shortMs })
  if (code !== 0) return []
  const due = await installer.restarts(host, remote)
  return running.filter((unit) => due.includes(unit))
}
