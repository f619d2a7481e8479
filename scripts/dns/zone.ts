import { readFileSync } from 'node:fs'
import type { RecordTree } from '#healthcheck/dns/record-set.ts'
import { findZone, type Live, readLive } from '#healthcheck/dns/route53/live.ts'
import type { Route53 } from '#healthcheck/dns/route53/port.ts'
import { withRetries } from '#healthcheck/dns/route53/retries.ts'
import { sdkRoute53 } from '#healthcheck/dns/route53/sdk.ts'
import { recordTree } from '#healthcheck/dns/tree.ts'
import type { Inventory } from '#platform/inventory/inventory.ts'
import { loadInventory } from '#platform/inventory/load.ts'
import { systemTimers } from '#platform/timers.ts'
import { CliError, errorLine } from '#scripts/output.ts'
import { dnsFailure } from './failure.ts'
import { type WeightOptions, weightsOf } from './weights.ts'

export interface ZoneOptions extends WeightOptions {
  inventory: string
  secretFile?: string
  hostChecks?: true
  zoneId?: string
  endpoint?: string
  json?: true
}

/** The zone in Route 53, and what the inventory wants of it. */
export interface OpenZone {
  readonly inventory: Inventory
  readonly tree: RecordTree
  readonly port: Route53
  readonly live: Live
  /** What people should know of how the tree came about. */
  readonly notes: readonly string[]
}

/** Reads both sides and lets `work` compare them. CliError. */
export async function withZone<T>(options: ZoneOptions, work: (zone: OpenZone) => Promise<T>): Promise<T> {
  if (options.endpoint !== undefined && !URL.canParse(options.endpoint))
    throw new CliError(`--endpoint ${options.endpoint}: expected a URL, as http://127.0.0.1:5000`, {
      exitCode: 2,
    })
  const client = sdkRoute53({ endpoint: options.endpoint })
  try {
    const inventory = loadNamed(options.inventory)
    const { percents, notes: weightNotes } = await weightsOf(options, inventory)
    const tree = recordTree(inventory, {
      secret: secretOf(options, inventory),
      hostChecks: options.hostChecks === true,
      percent: (subject) => percents.get(subject) ?? 100,
    })
    const port = withRetries(client, { timers: systemTimers })
    const zone = await findZone(port, { zone: inventory.dns.zone, id: options.zoneId })
    const live = await readLive(port, zone, inventory.cell)
    const notes = [...weightNotes]
    if (tree.checks.length === 0)
      notes.push('no host has the role checker: names are answered the same whatever fails')
    return await work({ inventory, tree, port, live, notes })
  } catch (error) {
    throw dnsFailure(error)
  } finally {
    client.close()
  }
}

/** An inventory that has a zone. InventoryError, CliError. */
export function loadNamed(file: string): Inventory & { dns: NonNullable<Inventory['dns']> } {
  const inventory = loadInventory(file)
  const { dns } = inventory
  if (dns !== undefined) return { ...inventory, dns }
  throw new CliError(`${file}: dns: is missing; say at least in which zone the names are`, {
    exitCode: 2,
    remedy: 'dns: { zone: iot.example.org }',
  })
}

/** Path parts of 16 characters at least, as checkers want it. */
const secretPattern = /^[A-Za-z0-9_-]{16,128}$/

function secretOf({ secretFile }: ZoneOptions, { hosts }: Inventory): string {
  if (!hosts.some(({ roles }) => roles.includes('checker'))) return '-'
  const remedy = '`cinque healthcheck provision` makes it: the file `secret` of any checker.'
  if (secretFile === undefined)
    throw new CliError('--secret-file is missing: Route 53 asks the checkers at a secret path', {
      exitCode: 2,
      remedy,
    })
  let secret: string
  try {
    secret = readFileSync(secretFile, 'utf8').trim()
  } catch (error) {
    throw new CliError(`--secret-file ${secretFile}: ${errorLine(error)}`, {
      exitCode: 2,
      remedy,
      cause: error,
    })
  }
  if (secretPattern.test(secret)) return secret
  throw new CliError(
    `--secret-file ${secretFile}: must hold 16 to 128 of A-Z, a-z, 0-9, - and _, and nothing else`,
    { exitCode: 2, remedy },
  )
}
