import { existsSync, symlinkSync } from 'node:fs'
import { join } from 'node:path'
import { nkeys } from '@nats-io/transport-node'
import { stringify } from 'yaml'
import type { z } from 'zod'
import type { Engine } from '#cassandra/local/engine.ts'
import { type CassandraNode, cqlPort, startNode, storagePort } from '#cassandra/local/node.ts'
import { newKey } from '#platform/auth/keys.ts'
import type { Dc, Host, Inventory } from '#platform/inventory/inventory.ts'
import { natsConfig } from '#platform/nats/server/config.ts'
import type { Certificates } from '#platform/pki/certificates.ts'
import { checkerParts, type CheckerPartsOptions } from './checkers.ts'
import { bornFile, type CellDirectory } from './directory.ts'
import { launch, type Launched, prefix } from './launch.ts'
import type { memberConfig } from './member-config.ts'
import { dnsPort } from './names.ts'
import { cinqueProcess } from './node-process.ts'
import { Part, type PartOptions } from './part.ts'
import type { WantedPort } from './preflight.ts'

export interface PartsOptions {
  readonly inventory: Inventory
  readonly directory: CellDirectory
  readonly cassandra: Engine
  readonly natsServer: string
  readonly certificates: Certificates
  readonly heapMb: number
  /** `path=value` of the brokers' and APIs' configuration. */
  readonly sets: readonly string[]
  /** Group of a DC's processes by its number, or that of this process. */
  readonly groupOf: (dc: number) => number | undefined
  readonly checkerGroupOf: (dc: number) => number | undefined
  readonly say: (line: string) => void
}

/** Of every cell: a Cassandra cluster belongs to one. */
export const keyspace = 'cinque'
const readyMs = 180_000
const natsReadyMs = 60_000
/** Go gives memory back before it. */
const natsMemory = '256MiB'

/** A Cassandra node with what is needed to see whether it knows the others. */
export interface CassandraPart {
  readonly part: Part
  /** The first of its DC. */
  readonly seed: boolean
  /** As it runs now. */
  readonly node: () => CassandraNode | undefined
}

/** Writes the configuration of all processes of the cell, and says how to start each. */
export function makeParts(options: PartsOptions): { parts: Part[]; cassandra: CassandraPart[] } {
  const { inventory, directory, certificates } = options
  const adminToken = join(directory.path, 'admin-token')
  directory.kept(['admin-token'], () => `${newKey('token')}\n`)
  const password = directory.kept(['nats', 'gateway-password'], () =>
    newKey('token').replaceAll(/[^\w.~-]/g, ''),
  )
  const cassandra = cassandraParts(options)
  const parts: Part[] = cassandra.map(({ part }) => part)
  for (const dc of inventory.dcs) {
    for (const host of hostsOf(inventory, dc, 'app')) {
      const seed = directory.kept(['keys', `${host.name}.seed`], newSeed)
      parts.push(natsPart(options, dc, host, publicKey(seed), password))
      const file = directory.write(
        ['config', `${host.name}.yaml`],
        stringify(memberFile(options, dc, host, adminToken)),
      )
      const member = (name: string, kind: 'broker' | 'api', at: string, args: string[]): Part =>
        new Part({
          ...partOptions(options, host, name, kind, at),
          launch: () =>
            launch({
              ...cinqueProcess([kind, '--cell', file, '--name', name, ...args, ...sets]),
              log: logOf(options, name),
              readyLine: /^ready /m,
              readyMs,
              gid: options.groupOf(dc.number),
            }),
        })
      const { mqtt, mqtts, http, https, metrics } = inventory.ports
      const { certFile, keyFile } = certificates.files[host.name]
      const sets = [`tls.cert=${certFile}`, `tls.key=${keyFile}`, ...options.sets].flatMap((set) => [
        '--set',
        set,
      ])
      for (let index = 0; index < host.brokers; index++) {
        const at = `${host.address}:${mqtt + index}`
        const page = `${host.address}:${metrics + index}`
        const secure = `tls://${host.address}:${mqtts}${host.brokers > 1 ? '?reuse_port=1' : ''}`
        const listen = ['--listen', `tcp://${at}`, '--listen', secure, '--metrics', page]
        parts.push(member(`${host.name}-broker${index + 1}`, 'broker', at, listen))
      }
      const at = `${host.address}:${http}`
      parts.push(member(`${host.name}-api`, 'api', at, ['--http', at, '--https', `${host.address}:${https}`]))
    }
  }
  const part: CheckerPartsOptions['part'] = (...rest) => partOptions(options, ...rest)
  parts.push(...checkerParts({ inventory, directory, groupOf: options.checkerGroupOf, part }))
  return { parts, cassandra }
}

/** Everything that the cell listens on. */
export function portsOf(inventory: Inventory): WantedPort[] {
  const { ports, hosts } = inventory
  return hosts.flatMap(({ address, roles, dc, brokers }) => {
    const want = (what: string, ...numbers: number[]): WantedPort[] =>
      numbers.map((port) => ({ host: address, port, what: `${dc} ${what}` }))
    return [
      ...(roles.includes('db') ? want('cassandra', cqlPort, storagePort) : []),
      ...(roles.includes('app')
        ? [
            ...want('nats', ports.nats, ports.gateway, ports.nats_http),
            ...Array.from({ length: brokers }, (_, at) =>
              want('broker', ports.mqtt + at, ports.metrics + at),
            ).flat(),
            ...want('broker', ports.mqtts),
            ...want('api', ports.http, ports.https),
          ]
        : []),
      ...(roles.includes('checker') ? want('checker', ports.checker, dnsPort) : []),
    ]
  })
}

function hostsOf(inventory: Inventory, dc: Dc, role: 'db' | 'app'): Host[] {
  return inventory.hosts.filter((host) => host.dc === dc.name && host.roles.includes(role))
}

function partOptions(
  { directory, say }: PartsOptions,
  host: Host,
  name: string,
  kind: PartOptions['kind'],
  at: string,
): Omit<PartOptions, 'launch'> {
  const log = directory.place('logs', `${name}.log`)
  return { name, kind, dc: host.dc, host: host.name, at, log, directory: directory.path, say }
}

function logOf({ directory }: PartsOptions, name: string): string {
  return directory.place('logs', `${name}.log`)
}

function cassandraParts(options: PartsOptions): CassandraPart[] {
  const { inventory, directory, cassandra: engine, heapMb, groupOf } = options
  const seeds = inventory.dcs.map((dc) => hostsOf(inventory, dc, 'db')[0].address)
  const all: CassandraPart[] = []
  for (const dc of inventory.dcs) {
    const hosts = hostsOf(inventory, dc, 'db')
    for (const [index, host] of hosts.entries()) {
      const name = `${host.name}-cassandra`
      const home = directory.place('cassandra', host.name)
      let node: CassandraNode | undefined
      const start = async (): Promise<Launched> => {
        // A node whose seeds do not answer waits ten seconds for them: the first of a new cell has only itself.
        const alone = !directory.has(bornFile) && name === all[0].part.options.name
        node = await startNode({
          engine,
          directory: home,
          ip: host.address,
          dc: dc.name,
          rack: `r${index + 1}`,
          seeds: alone ? [host.address] : seeds,
          token: tokenOf(dc, index, hosts.length),
          heapMb,
          clusterName: `cinque ${inventory.cell}`,
          spawnPrefix: prefix(groupOf(dc.number)),
        })
        linkLog(node.logFile, logOf(options, name))
        return { pid: node.pid, ready: node.cqlReady, ended: node.exited.then(() => 'ended') }
      }
      const at = `${host.address}:${cqlPort}`
      const part = new Part({ ...partOptions(options, host, name, 'cassandra', at), launch: start })
      all.push({ part, seed: index === 0, node: () => node })
    }
  }
  return all
}

/** Where a node's range begins: its DC's ring in equal parts, moved a little, as no two nodes may begin at the same. */
function tokenOf(dc: Dc, index: number, count: number): string {
  return String(-(2n ** 63n) + (2n ** 64n / BigInt(count)) * BigInt(index) + BigInt(dc.number) * 1000n)
}

function linkLog(file: string, link: string): void {
  if (!existsSync(link)) symlinkSync(file, link)
}

function natsPart(options: PartsOptions, dc: Dc, host: Host, user: string, password: string): Part {
  const { inventory, directory, certificates, natsServer } = options
  const { ports } = inventory
  const servers = inventory.hosts
    .filter(({ roles }) => roles.includes('app'))
    .map(({ name, address }) => ({ name, address: `${address}:${ports.gateway}` }))
  const config = natsConfig({
    name: host.name,
    clients: `${host.address}:${ports.nats}`,
    monitor: `${host.address}:${ports.nats_http}`,
    tls: { ...certificates.files[host.name], caFile: certificates.caFile },
    users: [user],
    gateway: { listen: `${host.address}:${ports.gateway}`, password, servers },
  })
  const file = directory.write(['nats', `${host.name}.conf`], config)
  const name = `${host.name}-nats`
  return new Part({
    ...partOptions(options, host, name, 'nats', `${host.address}:${ports.nats}`),
    launch: () =>
      launch({
        file: natsServer,
        args: ['-c', file],
        env: { GOMEMLIMIT: natsMemory },
        log: logOf(options, name),
        readyLine: /Server is ready/,
        readyMs: natsReadyMs,
        gid: options.groupOf(dc.number),
      }),
  })
}

function memberFile(
  { inventory, directory, certificates }: PartsOptions,
  dc: Dc,
  host: Host,
  adminToken: string,
): z.input<typeof memberConfig> {
  return {
    dc: dc.name,
    dc_number: dc.number,
    dc_kind: dc.kind,
    dc_numbers: inventory.dcs.map(({ number }) => number),
    cassandra: { contact_points: hostsOf(inventory, dc, 'db').map(({ address }) => address), keyspace },
    nats: {
      servers: [`${host.address}:${inventory.ports.nats}`],
      seed_file: join(directory.path, 'keys', `${host.name}.seed`),
      tls: { ca: certificates.caFile },
    },
    admin_token_file: adminToken,
  }
}

function newSeed(): string {
  return `${new TextDecoder().decode(nkeys.createUser().getSeed())}\n`
}

function publicKey(seed: string): string {
  return nkeys.fromSeed(new TextEncoder().encode(seed.trim())).getPublicKey()
}
