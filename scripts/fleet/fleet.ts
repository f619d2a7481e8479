import { existsSync, mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { availableParallelism } from 'node:os'
import { join } from 'node:path'
import { stringify } from 'yaml'
import type { Host, Inventory } from '#platform/inventory/inventory.ts'
import type { Logger } from '#platform/log.ts'
import { CliError, errorLine } from '#scripts/output.ts'
import { pause } from '#scripts/pause.ts'
import { type Applied, apply, packTree } from './apply.ts'
import { makeArtifacts } from './artifacts.ts'
import type { Finished } from '#scripts/child-process.ts'
import { areProvisioned, checkersOf, forgetCheckers, provisionCheckers } from './checkers.ts'
import { FleetDirectory } from './directory.ts'
import { ensureImage } from './image.ts'
import { Machine, type MachineState } from './machine.ts'
import { FleetNetwork } from './network.ts'
import { writeOperators } from './operators.ts'
import { makeSecrets } from './secrets.ts'
import { someAtATime } from './some-at-a-time.ts'
import { FleetSsh } from './ssh.ts'

export interface FleetOptions {
  readonly directory: string
  readonly log: Logger
  /** Tells a person what is being done. */
  readonly say: (line: string) => void
}

export interface HostStatus {
  readonly name: string
  readonly dc: string
  readonly roles: readonly string[]
  readonly address: string
  readonly state: MachineState
  /** Resident bytes. */
  readonly memory: number
  readonly cpuSeconds: number
  /** Units of systemd that failed, and those of ours that run. */
  readonly units: readonly string[]
}

/** As of the cheap hosts that the platform is made for. */
const memoryMb = 4096
const cpus = 2
const diskGb = 20
/** A machine that carries many hosts at once gives each less, and does not let new ones wait for the internet's delays. */
const sizes = {
  'profile::cassandra::java_options': [
    // The better compiler costs 4 s of processor a start.
    '-XX:TieredStopAtLevel=1',
    // How long a new node waits for the others; three quarters of a minute otherwise.
    '-Dcassandra.ring_delay_ms=10000',
    '-Dcassandra.skip_wait_for_gossip_to_settle=0',
    '-Dcassandra.superuser_setup_delay_ms=0',
    // When a node takes its place again, each range of each table is looked through for conditional writes that were cut off
    // half-way: minutes of processor on every node, for tables that have next to none here.
    '-Dcassandra.skip_paxos_repair_on_topology_change=true',
    // All hosts share this machine's disk. A host that is killed loses nothing by it, this machine's own end may.
    '-Dcassandra.skip_sync=true',
  ],
  'profile::cassandra::heap_mb': 256,
  'profile::cassandra::young_mb': 64,
  'profile::cassandra::memtable_mb': 32,
  'profile::broker::heap_mb': 256,
  'profile::api::heap_mb': 256,
}
/** Of Cassandra: ours, and the one that every new cluster has. */
const ourUser = { name: 'cinque', passwordFile: '/etc/cinque/secrets/cassandra-password' }
const firstUser = { name: 'cassandra', passwordFile: '/run/cinque-first-password' }
const cqlMs = 180_000
/** A new disk gets a GB over a WAN in it. */
const joinedMs = 1_200_000
const servesMs = 180_000
const pollMs = 500

/** Real hosts on this machine: made, configured by Puppet, looked at, reinstalled, removed. */
export class Fleet {
  readonly inventory: Inventory
  readonly #fleet: FleetDirectory
  readonly #options: FleetOptions
  readonly #ssh: FleetSsh
  readonly #network: FleetNetwork
  readonly #machines: ReadonlyMap<string, Machine>
  #release = ''

  private constructor(fleet: FleetDirectory, options: FleetOptions, image: string) {
    this.inventory = fleet.inventory()
    this.#fleet = fleet
    this.#options = options
    this.#ssh = new FleetSsh(fleet)
    this.#network = new FleetNetwork(this.inventory, fleet.make('network'))
    const directory = fleet.path
    const artifacts = fleet.make('artifacts')
    this.#machines = new Map(
      this.inventory.hosts.map(({ name, address }) => [
        name,
        new Machine({ name, address, directory, image, artifacts, memoryMb, cpus, diskGb }),
      ]),
    )
  }

  /** The fleet in a directory. CliError: there is none, or this is no machine for one. */
  static async open(options: FleetOptions): Promise<Fleet> {
    if (process.platform !== 'linux' || process.getuid?.() !== 0) {
      throw new CliError('a test fleet needs root on a Debian machine', {
        remedy: 'Processes instead of hosts, without root: cinque dev --dcs 5.',
      })
    }
    const fleet = new FleetDirectory(options.directory)
    fleet.inventory()
    return new Fleet(fleet, options, await ensureImage(fleet.debian, options.say))
  }

  /**
   * Network, secrets and programs of all hosts; what is there stays. With `sameRelease` hosts get the one that the others have,
   * for which the tables are; else what is in this checkout.
   */
  async prepare({ sameRelease = false } = {}): Promise<void> {
    const { log, say } = this.#options
    const directory = this.#fleet.make('artifacts')
    const last = this.#fleet.local()['profile::cinque::release']
    if (sameRelease && typeof last === 'string' && existsSync(join(directory, `cinque-${last}.tar`))) {
      this.#release = last
    } else {
      say('packing the release')
      this.#release = (await makeArtifacts(directory, log)).release
    }
    await makeSecrets(this.inventory, this.#fleet)
    await this.#ssh.prepare(this.inventory)
    await this.#network.up(say)
  }

  host(name: string): Host {
    const found = this.inventory.hosts.find((host) => host.name === name)
    if (found !== undefined) return found
    const names = this.inventory.hosts.map((host) => host.name).join(', ')
    throw new CliError(`there is no host "${name}"; the hosts are ${names}`, { exitCode: 2 })
  }

  machine(host: Host): Machine {
    const machine = this.#machines.get(host.name)
    if (machine === undefined) throw new Error(`no machine ${host.name}`)
    return machine
  }

  /** Boots hosts that are off. */
  async boot(hosts: readonly Host[] = this.inventory.hosts): Promise<void> {
    await someAtATime(hosts, availableParallelism(), async (host) => {
      const machine = this.machine(host)
      if ((await machine.state()) !== 'off') return
      await machine.mount()
      this.#name(host, machine.root)
      await this.#ssh.install(host, machine.root)
      await machine.boot()
      this.#options.say(`${host.name} is booted`)
    })
  }

  /** Lets Puppet make hosts what they are to be, one a processor; those with rows first, for these take longest to serve. */
  async apply(
    hosts: readonly Host[] = this.inventory.hosts,
    { dryRun = false, onLine }: { dryRun?: boolean; onLine?: (host: string, line: string) => void } = {},
  ): Promise<Applied[]> {
    const { inventory, ...own } = {
      inventory: this.inventory,
      fleet: this.#fleet,
      remote: this.#ssh.remote,
    }
    const local = {
      ...sizes,
      ...this.#fleet.values(),
      'profile::cinque::release': this.#release,
      'profile::healthcheck::provisioned': areProvisioned(this.inventory, this.#fleet),
    }
    // Whoever works on single hosts of it later has the same values.
    writeFileSync(join(this.#fleet.path, 'local.yaml'), stringify(local))
    writeOperators(this.inventory, this.#fleet)
    const packed = await packTree({ inventory, local }, this.#fleet.path)
    const applied = new Map<Host, Applied>()
    const [rows, others] = [true, false].map((db) => hosts.filter(({ roles }) => roles.includes('db') === db))
    await someAtATime([...rows, ...others], availableParallelism(), async (host) => {
      const line = onLine && ((text: string): void => onLine(host.name, text))
      const done = await apply(host, packed, { inventory, ...own, local, dryRun, onLine: line })
      this.#options.say(`${host.name}: ${done.outcome} by Puppet in ${done.seconds.toFixed(1)} s`)
      applied.set(host, done)
    })
    return hosts.flatMap((host) => applied.get(host) ?? [])
  }

  /** Everything, from nothing to hosts that serve; what is there stays. */
  async up(): Promise<void> {
    await this.prepare()
    await this.boot()
    const { hosts } = this.inventory
    const [db, app] = [this.#with('db')[0], this.#with('app')[0]]
    const first = hosts.filter((host) => host === db || host === app)
    const marker = join(this.#fleet.path, 'schema')
    if (!existsSync(marker) && this.#with('db').length > 1) {
      // While it is alone, a node makes tables in a fifth of the time that five of them take to agree.
      await this.apply(first)
      await this.#until(db, 'cassandra', cqlMs)
      await this.#schema('apply --alone', firstUser)
      await this.apply(hosts.filter((host) => !first.includes(host)))
      for (const host of this.#with('db')) await this.#until(host, 'cassandra', cqlMs)
      await this.#schema('spread', firstUser)
      writeFileSync(marker, '')
    } else await this.apply()
    await this.schema()
    await this.serves()
    await this.checkers()
    await this.storage()
  }

  /** Makes the cell's Cassandra ours, with the schema; waits for its nodes before that. Run again it changes nothing. */
  async schema(): Promise<void> {
    for (const host of this.#with('db')) await this.#until(host, 'cassandra', cqlMs)
    for (const verb of ['secure', 'apply']) await this.#schema(verb, ourUser)
  }

  async #schema(verb: string, { name, passwordFile }: typeof ourUser): Promise<void> {
    const [host] = this.#with('app')
    const options = [
      '--inventory /opt/cinque/puppet/inventory.yaml',
      `--username ${name} --password-file ${passwordFile} --dc ${this.#with('db')[0].dc}`,
      '--ca /etc/cinque/secrets/cassandra-ca.pem',
      '--cert /etc/cinque/secrets/cassandra-client.pem --key /etc/cinque/secrets/cassandra-client.key',
    ]
    const command = `cinque schema ${verb} ${options.join(' ')}`
    const made =
      passwordFile === firstUser.passwordFile ? `umask 077; echo ${firstUser.name} > ${passwordFile}; ` : ''
    const deadline = performance.now() + servesMs
    for (;;) {
      const { code, stdout, stderr, failure } = await this.#ssh.remote.run(host, `${made}${command}`)
      if (code === 0) {
        this.#options.say(stdout.trim())
        return
      }
      // A Cassandra that has just been made does not take clients yet; all of these may be done again.
      const why = failure ?? stderr.trim().split('\n').at(-1) ?? ''
      if (performance.now() > deadline) throw new CliError(`${host.name}: schema ${verb}: ${why}`)
      await pause(pollMs)
    }
  }

  /** Waits until every app host takes devices and requests. */
  async serves(hosts: readonly Host[] = this.#with('app')): Promise<void> {
    for (const host of hosts) {
      const brokers = Array.from({ length: host.brokers }, (_, at) => `cinque-broker${at + 1}`)
      for (const unit of [...brokers, 'cinque-api']) await this.#until(host, unit, servesMs)
      const url = `http://${host.address}:${this.inventory.ports.http}/readyz`
      const deadline = performance.now() + servesMs
      for (;;) {
        const { code, stdout } = await this.#ssh.remote.run(host, `curl -sS --max-time 5 ${url} 2>&1`)
        if (code === 0 && !stdout.includes('"status":503')) break
        if (performance.now() > deadline) throw new CliError(`${host.name} does not serve: ${stdout.trim()}`)
        await pause(pollMs)
      }
      this.#options.say(`${host.name} serves`)
    }
  }

  /** Gives checkers what they need, and lets Puppet start them. Run again it does nothing. */
  async checkers(): Promise<void> {
    const checkers = checkersOf(this.inventory)
    if (checkers.length === 0 || areProvisioned(this.inventory, this.#fleet)) return
    const [host] = this.#with('app')
    await provisionCheckers(this.inventory, this.#fleet, { host, machine: this.machine(host) })
    await this.apply(checkers)
    for (const checker of checkers) await this.#until(checker, 'cinque-healthcheck', servesMs)
    this.#options.say('checkers look at all hosts')
  }

  /** Makes the place that backups go to one for backups. Run again it does nothing. */
  async storage(): Promise<void> {
    for (const host of this.#with('db')) {
      const { code, stdout, stderr } = await this.machine(host).exec([
        'sh',
        '-c',
        '[ ! -e /etc/cinque/backup.yaml ] || cinque backup init --config /etc/cinque/backup.yaml',
      ])
      if (code !== 0) throw new CliError(`${host.name}: backup init: ${errorLine(stderr.trim())}`)
      if (stdout !== '') this.#options.say(`${host.name} makes backups`)
    }
  }

  /**
   * Throws a host's disk away and makes it anew, as far as Puppet's first run. A db host takes its own place again and gets its
   * rows from the others. CliError: there are none.
   */
  async reinstall(host: Host): Promise<Applied> {
    const machine = this.machine(host)
    const keepsRows = host.roles.includes('db')
    if (keepsRows && this.#with('db').length === 1) {
      throw new CliError(`${host.name} is the only db host: nobody else has its rows`, {
        remedy: 'To begin anew without them: cinque fleet down --wipe, and up.',
      })
    }
    await this.close([host])
    await machine.wipe()
    if (keepsRows) {
      await machine.mount()
      const directory = join(machine.root, 'etc/cinque/hiera')
      mkdirSync(directory, { recursive: true })
      writeFileSync(join(directory, 'host.yaml'), stringify({ 'profile::cassandra::replace': true }))
    }
    await this.boot([host])
    return (await this.apply([host]))[0]
  }

  /** Waits until a db host has its rows, and every other one finds it up and normal. */
  async joined(host: Host): Promise<void> {
    await this.#until(host, 'cassandra', joinedMs)
    const up = new RegExp(`^UN +${host.address.replaceAll('.', '\\.')} `, 'm')
    const deadline = performance.now() + cqlMs
    for (const other of this.#with('db')) {
      while (!up.test((await this.#ssh.remote.run(other, 'nodetool status')).stdout)) {
        if (performance.now() > deadline) throw new CliError(`${other.name} does not find ${host.name} up`)
        await pause(pollMs)
      }
    }
    this.#options.say(`${host.name} has its rows`)
  }

  /** Powers a host off and throws its disk away, for good. */
  async discard(host: Host): Promise<void> {
    await this.close([host])
    await this.machine(host).wipe()
    await this.#network.leave(host)
  }

  status(): Promise<HostStatus[]> {
    return Promise.all(
      this.inventory.hosts.map(async ({ name, dc, roles, address }) => {
        const machine = this.machine(this.host(name))
        const state = await machine.state()
        const list = 'systemctl list-units --plain --no-legend --state=active,activating,failed'
        const units =
          state === 'off'
            ? []
            : (await machine.exec([...list.split(' '), 'cinque-*', 'cassandra*'])).stdout
                .split('\n')
                .map((line) => line.trim().split(/\s+/))
                .filter(([unit]) => unit?.endsWith('.service'))
                .map(
                  ([unit, , active]) =>
                    `${unit.replace(/^cinque-|\.service$/g, '').replace(/\.service$/, '')}${active === 'active' ? '' : `(${active})`}`,
                )
        return { name, dc, roles, address, state, ...machine.usage(), units }
      }),
    )
  }

  /** Runs a shell command on a host by ssh. */
  run(host: Host, command: string, onLine?: (line: string) => void): Promise<Finished> {
    return this.#ssh.remote.run(host, command, { onLine })
  }

  /** Ends connections by ssh that are kept open. */
  close(hosts: readonly Host[]): Promise<void> {
    return this.#ssh.remote.close(hosts)
  }

  /** The program and its arguments for a session of a person. */
  session(host: Host): readonly string[] {
    return this.#ssh.remote.session(host)
  }

  get network(): FleetNetwork {
    return this.#network
  }

  /** Ends everything; with `wipe` nothing of it stays but its secrets. */
  async down(wipe: boolean): Promise<void> {
    await this.#network.refuseAnother()
    await this.close(this.inventory.hosts)
    const ended = await Promise.allSettled(
      [...this.#machines.values()].map((machine) => (wipe ? machine.wipe() : machine.powerOff())),
    )
    if (wipe) {
      rmSync(join(this.#fleet.path, 'schema'), { force: true })
      forgetCheckers(this.inventory, this.#fleet)
    }
    await this.#network.down()
    // One that does not end leaves the others no less ended.
    for (const one of ended) if (one.status === 'rejected') throw one.reason
  }

  #with(role: 'db' | 'app'): Host[] {
    return this.inventory.hosts.filter(({ roles }) => roles.includes(role))
  }

  /** What an installer does to a bare host: its name, and those of the others. */
  #name(host: Host, root: string): void {
    const others = this.inventory.hosts.map(({ name, address }) => `${address} ${name}\n`).join('')
    writeFileSync(join(root, 'etc/hostname'), `${host.name}\n`)
    writeFileSync(join(root, 'etc/hosts'), `127.0.0.1 localhost\n${others}`)
  }

  async #until(host: Host, unit: string, ms: number): Promise<void> {
    const deadline = performance.now() + ms
    for (;;) {
      const { stdout } = await this.machine(host).exec(['systemctl', 'is-active', unit])
      if (stdout.trim() === 'active') return
      if (performance.now() > deadline) {
        const { stdout: said } = await this.machine(host).exec([
          'journalctl',
          '--unit',
          unit,
          '--lines',
          '5',
          '--output',
          'cat',
          '--no-pager',
        ])
        throw new CliError(
          `${host.name}: ${unit} is ${stdout.trim()} after ${ms / 1000} s: ${errorLine(said.trim())}`,
        )
      }
      await pause(pollMs)
    }
  }
}
