import { createHash, randomBytes } from 'node:crypto'
import type { HealthCheckConfig } from '@aws-sdk/client-route-53'
import type { HealthCheck } from '#healthcheck/dns/record-set.ts'
import { canonicalAddress } from './address.ts'
import type { LiveCheck, Tags } from './port.ts'

/** Seconds between two looks of one prober; about 15 probers look. 10 is the other choice, at USD 2 a month and check. */
const interval = 30
/** Looks in a row; a checker's answer is a decision already, which waited long enough. */
const failureThreshold = 1

/** Which checks of an account are ours: those of one cell in one zone. */
export interface Owner {
  readonly cell: string
  readonly zone: string
}

/**
 * A CallerReference says whose a check is, and which one: it is there from the creation on and never changes, while
 * tags come by a second request, which may be lost. It ends at random, as those of deleted checks are not taken again.
 */
export function newReference(owner: Owner, name: string): string {
  return referencePrefix(owner, name) + randomBytes(4).toString('hex')
}

export function isOurs({ reference }: LiveCheck, owner: Owner): boolean {
  return reference.startsWith(ownerPrefix(owner))
}

export function isNamed({ reference }: LiveCheck, owner: Owner, name: string): boolean {
  return reference.startsWith(referencePrefix(owner, name))
}

function ownerPrefix({ cell, zone }: Owner): string {
  return `cinque:${digest(`${zone} ${cell}`, 12)}:`
}

function referencePrefix(owner: Owner, name: string): string {
  return `${ownerPrefix(owner)}${digest(name, 16)}:`
}

function digest(text: string, length: number): string {
  return createHash('sha256').update(text).digest('hex').slice(0, length)
}

/** The check in the API's form; the children of a counted one by `idOf`. */
export function toConfig(check: HealthCheck, idOf: (name: string) => string): HealthCheckConfig {
  if (check.kind === 'http') {
    return {
      Type: 'HTTP',
      IPAddress: canonicalAddress(check.address),
      Port: check.port,
      ResourcePath: check.path,
      RequestInterval: interval,
      FailureThreshold: failureThreshold,
      Inverted: false,
      Disabled: false,
    }
  }
  return {
    Type: 'CALCULATED',
    HealthThreshold: check.atLeast,
    ChildHealthChecks: check.children.map(idOf).toSorted(),
    Inverted: check.inverted,
    Disabled: false,
  }
}

/** Whether one can become the other: type and interval are for ever. */
export function canBecome(live: HealthCheckConfig, wanted: HealthCheckConfig): boolean {
  return live.Type === wanted.Type && live.RequestInterval === wanted.RequestInterval
}

/** Fields in which a check is not as wanted. Those that the platform does not set are a person's, and left. */
export function differences(live: HealthCheckConfig, wanted: HealthCheckConfig): (keyof HealthCheckConfig)[] {
  const keys = Object.keys(wanted) as (keyof HealthCheckConfig)[]
  return keys.filter((key) => JSON.stringify(plain(live, key)) !== JSON.stringify(plain(wanted, key)))
}

function plain(config: HealthCheckConfig, key: keyof HealthCheckConfig): unknown {
  const value = config[key]
  if (key === 'ChildHealthChecks') return (config.ChildHealthChecks ?? []).toSorted()
  if (key === 'IPAddress') return canonicalAddress(config.IPAddress ?? '')
  return value ?? ((key === 'Inverted' || key === 'Disabled') && false)
}

/** For people who look at the account, and for its bills. */
export function checkTags({ cell, zone }: Owner, name: string): Tags {
  return { Name: `${cell} ${name}`, 'cinque:cell': cell, 'cinque:zone': zone, 'cinque:check': name }
}

export function zoneTags(cell: string): Tags {
  return { [`cinque:cell:${cell}`]: 'dns' }
}
