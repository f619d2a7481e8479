import { importedKey } from '../auth/keys.ts'
import type { DeviceRef } from '../auth/principal.ts'
import { PlatformError } from '../errors.ts'
import { hash128 } from '../hash.ts'
import type { RowOf } from '../store/table.ts'
import { checkLabels, type Labels } from './labels.ts'
import { type device, deviceBuckets, type deviceEntry } from './tables.ts'

export interface Device extends DeviceRef {
  /** Milliseconds since 1970. */
  readonly createdAt: number
  /** Counts its changes; a device made later with its id has a greater one. */
  readonly version: number
  /** Connections made with an older one must go. */
  readonly keyVersion: number
  readonly description: string
  readonly labels: Labels
  /** Groups that it was put into. */
  readonly memberOf: readonly string[]
  /** Those, and the groups around them: what is granted for one of these is granted for the device. */
  readonly groups: readonly string[]
  readonly profile: string | null
  /** Whether it may connect. */
  readonly enabled: boolean
}

/** What people say of a device. */
export interface DeviceProperties {
  readonly description?: string | undefined
  readonly labels?: Labels | undefined
  /** Ids of groups. */
  readonly groups?: readonly string[] | undefined
  readonly profile?: string | null | undefined
  readonly enabled?: boolean | undefined
}

/** Names are also user names and topic levels. */
export const deviceName = /^[A-Za-z0-9][A-Za-z0-9._:-]{0,63}$/
export const deviceId = /^[A-Za-z0-9_-]{1,36}$/
export const profileName = /^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/
/** All of them are in memory for searches. */
export const maxDescription = 256
export const maxMemberships = 16

type Row = RowOf<typeof device>

/** PlatformError `invalid_field`. */
export function checkNew(name: string, id: string, key: string | undefined): void {
  checkName(name)
  if (!deviceId.test(id))
    throw new PlatformError('invalid_field', 'must be 1 to 36 of A-Z, a-z, 0-9, _ and -', 'id')
  if (key !== undefined && !importedKey.test(key)) {
    throw new PlatformError('invalid_field', 'must be 22 to 128 of A-Z, a-z, 0-9, _ and -', 'key')
  }
}

export function checkName(name: string): void {
  if (deviceName.test(name)) return
  throw new PlatformError(
    'invalid_field',
    'must be 1 to 64 of A-Z, a-z, 0-9, ., _, : and -, a letter or digit first',
    'name',
  )
}

export function checkProperties({ description, labels, groups, profile }: DeviceProperties): void {
  if (labels !== undefined) checkLabels(labels)
  if ((description?.length ?? 0) > maxDescription) {
    throw new PlatformError('invalid_field', `must have at most ${maxDescription} characters`, 'description')
  }
  if ((groups?.length ?? 0) > maxMemberships) {
    throw new PlatformError('invalid_field', `must be at most ${maxMemberships}`, 'groups')
  }
  if (typeof profile === 'string' && !profileName.test(profile)) {
    throw new PlatformError(
      'invalid_field',
      'must be 1 to 64 of A-Z, a-z, 0-9, ., _ and -, a letter or digit first',
      'profile',
    )
  }
}

/** The columns of these properties; what is absent stays as it is. */
export function columnsOf(properties: DeviceProperties): Partial<Row> {
  const { description, labels, groups, profile, enabled } = properties
  return {
    ...(description === undefined ? {} : { description: description === '' ? undefined : description }),
    ...(labels === undefined ? {} : { labels: jsonOf(labels, Object.keys(labels).length) }),
    ...(groups === undefined ? {} : { groups: jsonOf(Array.from(new Set(groups)), groups.length) }),
    ...(profile === undefined ? {} : { profile: profile ?? undefined }),
    ...(enabled === undefined ? {} : { disabled: enabled ? undefined : true }),
  }
}

/** `groups`: those of `memberOf` with the ones around them. */
export function record(row: Row, memberOf: readonly string[], groups: readonly string[]): Device {
  return {
    ...refOf(row),
    createdAt: row.created_at ?? 0,
    version: row.version ?? 0,
    keyVersion: row.key_version ?? row.version ?? 0,
    description: row.description ?? '',
    labels: labelsOf(row),
    memberOf,
    groups,
    profile: row.profile ?? null,
    enabled: row.disabled !== true,
  }
}

/** The row of the list for a device's row. */
export function entryOf(row: Row): RowOf<typeof deviceEntry> {
  return {
    org: row.org,
    bucket: deviceBucket(row.id),
    device: row.id,
    name: row.name,
    description: row.description,
    labels: row.labels,
    groups: row.groups,
    profile: row.profile,
    disabled: row.disabled,
    created_at: row.created_at,
    version: row.version,
  }
}

export function refOf({ org, id, name }: Row): DeviceRef {
  return { org, id, name: name ?? id }
}

export function labelsOf({ labels }: { readonly labels?: string | undefined }): Labels {
  // What was written from `Labels`.
  return labels === undefined ? noLabels : (JSON.parse(labels) as Labels)
}

export function membershipsOf({ groups }: { readonly groups?: string | undefined }): readonly string[] {
  return groups === undefined ? noGroups : (JSON.parse(groups) as string[])
}

const noLabels: Labels = Object.freeze({})
const noGroups: readonly string[] = Object.freeze([])

export function deviceBucket(id: string): number {
  return hash128(id)[0] % deviceBuckets
}

function jsonOf(value: unknown, size: number): string | undefined {
  return size === 0 ? undefined : JSON.stringify(value)
}
