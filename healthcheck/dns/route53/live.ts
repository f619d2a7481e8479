import type { ResourceRecordSet } from '@aws-sdk/client-route-53'
import { isOurs, type Owner } from './checks.ts'
import { type HostedZone, type LiveCheck, type Route53, Route53Error, type Tags } from './port.ts'

/** What is there. */
export interface Live {
  readonly zone: HostedZone
  readonly zoneTags: Tags
  readonly records: readonly ResourceRecordSet[]
  /** Ours, and those of others: one of theirs may count one of ours. */
  readonly checks: readonly LiveCheck[]
  /** Of ours. */
  readonly checkTags: ReadonlyMap<string, Tags>
}

export async function readLive(port: Route53, zone: HostedZone, cell: string): Promise<Live> {
  const owner: Owner = { cell, zone: zone.id }
  const records = await port.records(zone.id)
  const checks = await port.checks()
  const zoneTags = (await port.tags('hostedzone', [zone.id])).get(zone.id) ?? {}
  const ours = checks.filter((one) => isOurs(one, owner)).map(({ id }) => id)
  const checkTags = await port.tags('healthcheck', ours)
  return { zone, zoneTags, records, checks, checkTags }
}

/** Which zone is meant, and why it can't be told; `remedy` says what to do. */
export class ZoneError extends Error {
  readonly remedy: string

  constructor(message: string, remedy: string) {
    super(message)
    this.name = 'ZoneError'
    this.remedy = remedy
  }
}

/**
 * The hosted zone in which the names of `zone` are. By name it must be that very zone; by id it may be one above it.
 *
 * @throws ZoneError when there is none, or several
 */
export async function findZone(
  port: Route53,
  wanted: { zone: string; id?: string | undefined },
): Promise<HostedZone> {
  if (wanted.id !== undefined) return zoneById(port, wanted.zone, wanted.id)
  const found = await port.zonesNamed(wanted.zone)
  if (found.length === 1) return found[0]
  if (found.length > 1) {
    const ids = found.map(({ id }) => id).join(', ')
    throw new ZoneError(
      `there are ${found.length} hosted zones named ${wanted.zone}: ${ids}`,
      'Say which one is delegated to, by --zone-id.',
    )
  }
  for (const above of parents(wanted.zone)) {
    const [parent] = await port.zonesNamed(above)
    if (parent === undefined) continue
    throw new ZoneError(
      `there is no hosted zone ${wanted.zone}, but one above it: ${parent.name} (${parent.id})`,
      `To put the names there: --zone-id ${parent.id}. Else make the zone: aws route53 create-hosted-zone --name ${wanted.zone} --caller-reference ${wanted.zone}-1`,
    )
  }
  throw new ZoneError(
    `there is no hosted zone ${wanted.zone} in this account`,
    `Make it, and delegate to it: aws route53 create-hosted-zone --name ${wanted.zone} --caller-reference ${wanted.zone}-1; or check dns.zone and the account of the credentials.`,
  )
}

async function zoneById(port: Route53, zone: string, id: string): Promise<HostedZone> {
  const plain = id.replace(/^\/hostedzone\//, '')
  if (!/^[A-Z0-9]{1,32}$/.test(plain)) {
    throw new ZoneError(
      `--zone-id ${id}: is no id of a hosted zone, which looks like Z0123456789ABCDEFGHIJ`,
      'Leave it out: the zone is found by its name, dns.zone of the inventory.',
    )
  }
  let found: HostedZone
  try {
    found = await port.zone(plain)
  } catch (error) {
    if (!(error instanceof Route53Error && error.code === 'NoSuchHostedZone')) throw error
    throw new ZoneError(
      `--zone-id ${plain}: there is no such hosted zone in this account`,
      'Check the id and the account of the credentials: aws route53 list-hosted-zones',
    )
  }
  if (found.name === zone || zone.endsWith(`.${found.name}`)) return found
  throw new ZoneError(
    `--zone-id ${plain}: that is ${found.name}, and the names are in ${zone}`,
    'Check dns.zone of the inventory, or the id.',
  )
}

function* parents(zone: string): Generator<string> {
  const labels = zone.split('.')
  for (let skip = 1; skip < labels.length - 1; skip++) yield labels.slice(skip).join('.')
}
