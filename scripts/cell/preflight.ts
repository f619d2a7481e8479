import { readFileSync } from 'node:fs'
import { createServer, type Server } from 'node:net'
import { freemem } from 'node:os'
import type { Inventory } from '#platform/inventory/inventory.ts'
import { CliError, errorCode } from '#scripts/output.ts'

const MB = 1_048_576
/** Measured with a little load; a Java heap of 256 MB more or less comes on top. */
const cassandraMb = 200
const natsMb = 40
const nodeMb = 120

/** CliError if the cell would not fit into the memory that is free. */
export function checkMemory({ hosts }: Inventory, heapMb: number): void {
  const nodes = hosts.filter(({ roles }) => roles.includes('db')).length
  const apps = hosts.filter(({ roles }) => roles.includes('app'))
  const checkers = hosts.filter(({ roles }) => roles.includes('checker')).length
  const processes = apps.reduce((sum, { brokers }) => sum + brokers + 1, checkers)
  const needed = nodes * (cassandraMb + heapMb) + apps.length * natsMb + processes * nodeMb
  const free = Math.floor(availableBytes() / MB)
  if (free >= needed) return
  throw new CliError(
    `not enough memory: ${nodes} Cassandra nodes and ${processes} processes need about ${needed} MB, ${free} MB are free`,
    {
      remedy: 'Stop other programs, or start a smaller cell: without --full, with fewer --brokers.',
    },
  )
}

/** What processes may still take, caches that would give way included. */
function availableBytes(): number {
  if (process.platform !== 'linux') return freemem()
  const kb = /MemAvailable:\s+(\d+)/.exec(readFileSync('/proc/meminfo', 'utf8'))
  return kb === null ? freemem() : Number(kb[1]) * 1024
}

export interface WantedPort {
  readonly host: string
  readonly port: number
  /** `dc01 cassandra` */
  readonly what: string
}

/** CliError if one of the ports is in use. */
export async function checkPorts(wanted: readonly WantedPort[]): Promise<void> {
  const taken = await Promise.all(wanted.map(async (one) => ((await isFree(one)) ? [] : [one])))
  const lines = taken.flat().map(({ host, port, what }) => `${host}:${port} (${what}) is in use`)
  if (lines.length === 0) return
  throw new CliError(lines.join('\n'), {
    remedy: `\`ss -ltnp\` shows by whom. A cell on other addresses: --data with a new directory and --net.`,
  })
}

async function isFree({ host, port, what }: WantedPort): Promise<boolean> {
  try {
    const server = await hold(host, port)
    await new Promise((closed) => server.close(closed))
    return true
  } catch (error) {
    if (errorCode(error) === 'EADDRINUSE') return false
    throw new CliError(`cannot listen on ${host}:${port} (${what}): ${errorCode(error) ?? String(error)}`, {
      remedy: 'A cell needs loopback addresses in 127.0.0.0/8; on macOS: sudo ifconfig lo0 alias ADDRESS.',
      cause: error,
    })
  }
}

/** Keeps a port; the operating system lets it go when this process ends, however it does. */
function hold(host: string, port: number): Promise<Server> {
  return new Promise((resolve, reject) => {
    const server = createServer((socket) => socket.destroy())
    server.once('error', reject)
    server.listen({ host, port, exclusive: true }, () => resolve(server))
  })
}

/** Port that says "a cell is here" on the first address of its net; nothing is served there. */
const guardPort = 7999

/** Takes the addresses 127.{net}.x.x for this process; undefined: another cell has them. */
export async function takeNet(net: number): Promise<Server | undefined> {
  try {
    const server = await hold(`127.${net}.0.1`, guardPort)
    server.unref()
    return server
  } catch (error) {
    if (errorCode(error) === 'EADDRINUSE') return undefined
    throw new CliError(`cannot listen on 127.${net}.0.1: ${errorCode(error) ?? String(error)}`, {
      remedy: 'A cell needs loopback addresses in 127.0.0.0/8; on macOS: sudo ifconfig lo0 alias ADDRESS.',
      cause: error,
    })
  }
}
