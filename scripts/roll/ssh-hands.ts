import type { Host, Inventory } from '#platform/inventory/inventory.ts'
import { CliError } from '#scripts/output.ts'
import { pause } from '#scripts/pause.ts'
import type { Remote } from '#scripts/remote/remote.ts'
import { ailmentOf, crashingOf, othersAilments } from './ailments.ts'
import { applyTo, isMissed } from './apply-host.ts'
import { fenceDirectory, fencedRemote } from './fence.ts'
import { type Gate, obstaclesOf } from './gates/gate.ts'
import type { Hands, Mandate } from './hands.ts'
import { onHost } from './on-host.ts'
import { reachOf } from './reach.ts'
import { decommission, removeNode, stillMember } from './remove-host.ts'
import { onlyReleases, startServices, stopFront, stopMs, stopServices } from './services.ts'
import type { Traffic } from './traffic.ts'
import { runsRelease } from './releases.ts'

/** Makes hosts what the inventory says. */
export interface Installer {
  /** Why the host could not be made anew, or null: asked before anything is thrown away. */
  obstacle(host: Host): string | null
  /** Brings a release to the host, and has the next `install` switch to it. Rejects with what is missing. */
  deliver(host: Host, remote: Remote, release: string): Promise<void>
  /** The next `install` has Cassandra take the place of one that is gone. */
  replaces(host: Host, remote: Remote): Promise<void>
  /** What Puppet needs that a bare host lacks, then Puppet. */
  install(host: Host, remote: Remote): Promise<void>
  /** Has hosts let in all that the inventory has, and changes nothing else. */
  admit(hosts: readonly Host[], remote: Remote): Promise<void>
  /** Services that `install` would restart: `cinque-nats`. Changes nothing. */
  restarts(host: Host, remote: Remote): Promise<readonly string[]>
}

export interface SshHandsOptions {
  readonly inventory: Inventory
  readonly remote: Remote
  readonly traffic: Traffic
  /** Of a host that leaves for good, and takes no other with it. */
  readonly leaving: Traffic
  /** What must be so before a host is taken out, besides that all services of the others run. */
  readonly gates: readonly Gate[]
  readonly installer: Installer
  /** Throws a host's disk away; it boots as one that has just been rented, with a host key that is signed. */
  readonly rebuild: (host: Host, signal: AbortSignal) => Promise<void>
  /** How often what is waited for is looked at, ms. */
  readonly lookMs?: number
  /** Until a host is well with another version, ms: longer means that it will not be. */
  readonly wellMs?: number
}

/** Until a host that was made anew lets us in, ms. */
const bootMs = 600_000
const defaultWellMs = 240_000
const nodetoolMs = 60_000
/** Of all rows of a host, ms. */
const repairMs = 1_800_000

/** Hosts of their own, by ssh. */
export function sshHands(options: SshHandsOptions): Hands {
  return {
    ...handsOf(options, { roll: '', kind: 'restart', token: 0 }),
    under: (mandate) => handsOf(options, mandate),
  }
}

function handsOf(options: SshHandsOptions, { roll, kind, token }: Mandate): Hands {
  const {
    inventory,
    remote: plain,
    traffic,
    leaving,
    gates,
    installer,
    rebuild,
    lookMs = 2000,
    wellMs = defaultWellMs,
  } = options
  const remote = fencedRemote(plain, token)
  const dbs = inventory.hosts.filter(({ roles }) => roles.includes('db'))
  const marker = `${fenceDirectory}/installed-by`

  const hostOf = (name: string): Host => {
    const host = inventory.hosts.find((one) => one.name === name)
    if (host !== undefined) return host
    throw new CliError(`the inventory has no host "${name}"`)
  }
  const { doing, must } = onHost(remote, lookMs)
  const ailment = (host: Host, signal: AbortSignal): Promise<string | null> =>
    ailmentOf(plain, inventory, host, signal)
  const untilWell = async (host: Host, signal: AbortSignal): Promise<void> => {
    const late = AbortSignal.timeout(wellMs)
    const restarts = new Map<string, number>()
    for (;;) {
      // oxlint-disable-next-line no-await-in-loop -- until it is so
      const why = await ailment(host, signal)
      signal.throwIfAborted()
      if (why === null) return
      // oxlint-disable-next-line no-await-in-loop
      const crashing = await crashingOf(plain, inventory, host, restarts, signal)
      if (crashing !== null) throw new Error(crashing)
      if (late.aborted) throw new Error(`not well after ${wellMs / 1000} s: ${why}`)
      // oxlint-disable-next-line no-await-in-loop
      await pause(lookMs, signal)
    }
  }
  /**
   * Until a host with a new disk lets us in: a provider may say that it is done before it has begun. One that answers
   * with a key of somebody else is not waited for.
   */
  const untilIn = async (host: Host, signal: AbortSignal): Promise<void> => {
    const late = AbortSignal.timeout(bootMs)
    for (;;) {
      const fresh = `[ ! -e ${fenceDirectory}/token ]`
      // oxlint-disable-next-line no-await-in-loop -- until it is so
      const { code, failure } = await plain.run(host, fresh, { signal, timeoutMs: 20_000 })
      signal.throwIfAborted()
      if (code === 0) return
      if (failure?.includes('host key is refused') === true) throw new Error(failure)
      if (late.aborted) {
        const why = failure ?? `${host.name}: it still has its old disk`
        throw new Error(`it was to be made anew, and has not come back after ${bootMs / 1000} s: ${why}`)
      }
      // oxlint-disable-next-line no-await-in-loop
      await plain.close([host])
      // oxlint-disable-next-line no-await-in-loop
      await pause(lookMs, signal)
    }
  }
  /** App hosts that serve nobody without this one. */
  const dependents = (host: Host): Host[] => {
    const { apps } = reachOf(inventory, host.name)
    return inventory.hosts.filter((one) => one !== host && apps.has(one.name))
  }
  /** Does something to a host while nobody is connected to those that serve nobody without it. */
  const alone = async (host: Host, act: () => Promise<void>): Promise<void> => {
    const others = dependents(host)
    const each = async (command: string, timeoutMs: number): Promise<void> => {
      const all = await Promise.all(others.map((one) => doing(one, command, timeoutMs)))
      // One that is dead serves nobody, either; one that is another runner's is not ours.
      const refused = all.find(({ failure }) => failure?.includes('runner') === true)
      if (refused !== undefined) throw new Error(refused.failure ?? '')
    }
    await each(stopFront, stopMs)
    try {
      await act()
    } finally {
      // They wait for Cassandra by themselves.
      await each(startServices, nodetoolMs)
    }
  }
  /** What an app host runs; undefined: that cannot be known from it. */
  const releaseOf = async (host: Host, signal: AbortSignal): Promise<string | undefined> => {
    const { code, stdout } = await plain.run(host, 'basename "$(readlink /opt/cinque/current)"', {
      signal,
      timeoutMs: 20_000,
    })
    return code === 0 && stdout.trim() !== '' ? stdout.trim() : undefined
  }
  /** What most of the others run. */
  const usualRelease = async (host: Host, signal: AbortSignal): Promise<string> => {
    const own = await releaseOf(host, signal)
    if (own !== undefined) return own
    const apps = inventory.hosts.filter((one) => one.name !== host.name && runsRelease(one))
    const all = (await Promise.all(apps.map((one) => releaseOf(one, signal)))).filter(
      (one) => one !== undefined,
    )
    const usual = [...new Set(all)].toSorted(
      (a, b) => all.filter((one) => one === b).length - all.filter((one) => one === a).length,
    )
    if (usual.length > 0) return usual[0]
    throw new Error(
      `${host.name}: no host tells which release it runs; give it one: cinque roll upgrade --to`,
    )
  }

  const leaves = kind === 'decommission' || kind === 'removenode'
  const applying = {
    inventory,
    plain,
    remote,
    installer,
    doing,
    must,
    alone,
    streamed,
    untilWell,
    usualRelease,
  }
  const removing = { inventory, look: onHost(plain, lookMs), lookMs, doing, must }
  const services: Gate = {
    name: 'services',
    look: (name, until) => othersAilments(plain, inventory, hostOf(name), until),
  }

  return {
    // A dead one has left traces that gates would wait for: hints, a port that says nothing.
    obstacles: (name, signal) =>
      obstaclesOf(kind === 'removenode' ? [services] : [services, ...gates], name, signal),
    async drain(name, until, signal) {
      if (kind === 'apply' && !(await isMissed(applying, hostOf(name), signal))) return
      await (leaves ? leaving : traffic).away(name, until, signal)
    },
    extend: (host, until) => (leaves ? leaving : traffic).extend(host, until),
    async restart(name, signal) {
      const host = hostOf(name)
      await alone(host, async () => {
        await must(host, stopServices, signal, stopMs)
        await must(host, startServices, signal, nodetoolMs)
      })
    },
    async reinstall(name, signal, tell = () => undefined) {
      const host = hostOf(name)
      const db = host.roles.includes('db')
      const obstacle = installer.obstacle(host)
      if (obstacle !== null) throw new Error(`${name}: ${obstacle}; nothing was thrown away`)
      if (db && dbs.length === 1)
        throw new Error(`${name} has the only copy of all rows; it is not thrown away`)
      const release = runsRelease(host) ? await usualRelease(host, signal) : null
      await alone(host, async () => {
        const wiped = await plain.run(host, `cat ${marker}`, { signal, timeoutMs: 20_000 })
        signal.throwIfAborted()
        // One that its runner has left half-made for this roll is not wiped again.
        if (wiped.stdout.trim() !== roll || roll === '') {
          tell('its services are stopped')
          // A host that is dead is made anew all the same; one that is another runner's is not.
          const { failure } = await remote.run(host, stopServices, { signal, timeoutMs: stopMs })
          if (failure?.includes('runner') === true) throw new Error(failure)
          await plain.close([host])
          signal.throwIfAborted()
          tell('it is made anew')
          await rebuild(host, signal)
          await plain.close([host])
          await untilIn(host, signal)
          await must(host, `echo ${roll} > ${marker}`, signal, 20_000)
        }
        tell('Puppet makes it what it is to be')
        if (release !== null) await installer.deliver(host, remote, release)
        if (db) await installer.replaces(host, remote)
        await installer.install(host, remote)
        if (db) await streamed(host, signal, tell)
      })
      if (db) {
        await untilWell(host, signal)
        tell('its rows are compared with those of the others')
        await must(host, 'nodetool repair --full 2>&1', signal, repairMs)
      }
    },
    async upgrade(name, version, signal, tell = () => undefined) {
      const host = hostOf(name)
      // Cassandra has a version of its own.
      if (!runsRelease(host)) return
      const before = await releaseOf(host, signal)
      tell(`it gets ${version}`)
      await installer.deliver(host, remote, version)
      await installer.install(host, remote)
      await untilWell(host, signal)
      const now = await releaseOf(host, signal)
      if (now !== version) throw new Error(`${name} runs ${now ?? 'nothing'} instead of ${version}`)
      if (before !== undefined && before !== version)
        await must(host, onlyReleases([before, version]), signal, nodetoolMs)
    },
    apply: (name, signal, tell = () => undefined) => applyTo(applying, hostOf(name), signal, tell),
    remove: (name, signal, tell = () => undefined) =>
      (kind === 'removenode' ? removeNode : decommission)(removing, hostOf(name), signal, tell),
    async ailment(name, signal) {
      if (leaves) return stillMember(removing, hostOf(name), signal)
      for (const host of [hostOf(name), ...dependents(hostOf(name))]) {
        // oxlint-disable-next-line no-await-in-loop -- one after the other: the first is enough
        const why = await ailment(host, signal)
        if (why !== null) return why
      }
      return traffic.ailment(name, signal)
    },
    // One that has left is kept out of DNS by that word until checkers find it down.
    readmit: (host, signal) => (leaves ? Promise.resolve() : traffic.back(host, signal)),
  }

  /** Until it has its rows from the others, and takes clients. */
  async function streamed(host: Host, signal: AbortSignal, tell: (note: string) => void): Promise<void> {
    for (;;) {
      // oxlint-disable-next-line no-await-in-loop -- until it is so
      const { stdout } = await plain.run(
        host,
        'systemctl is-active cassandra; nodetool netstats --human-readable 2>/dev/null',
        { signal, timeoutMs: nodetoolMs },
      )
      signal.throwIfAborted()
      if (stdout.startsWith('active')) return
      const all = Array.from(
        stdout.matchAll(/Receiving (\d+) files, .*? total\. Already received (\d+) files/g),
      )
      const [files, here] = [1, 2].map((at) => all.reduce((sum, match) => sum + Number(match[at]), 0))
      tell(files === 0 ? 'its Cassandra starts' : `it gets its rows: ${here} of ${files} files`)
      // oxlint-disable-next-line no-await-in-loop
      await pause(lookMs, signal)
    }
  }
}
