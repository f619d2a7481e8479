import { z } from 'zod'
import type { Device } from '#platform/registry/device-record.ts'
import { deviceName, maxDescription, maxMemberships, profileName } from '#platform/registry/device-record.ts'
import type { DeviceFilter, ListedDevice } from '#platform/registry/device-query.ts'
import { groupId } from '#platform/registry/groups.ts'
import { labelKey, labelValue, maxLabels, parseSelector } from '#platform/registry/labels.ts'
import { groupsOf } from '../access.ts'
import type { Caller } from '../callers.ts'
import type { ApiDeps } from '../deps.ts'
import { Problem } from '../problems.ts'

export const name = z
  .string()
  .regex(deviceName, 'must be 1 to 64 of A-Z, a-z, 0-9, ., _, : and -, a letter or digit first')
  .describe('unique in the organisation; also the MQTT user name')

const labels = z
  .record(
    z.string().regex(labelKey, 'must be 1 to 63 of A-Z, a-z, 0-9, ., _, / and -, a letter or digit first'),
    z.string().regex(labelValue, 'must be at most 128 characters without commas and control characters'),
  )
  .refine((all) => Object.keys(all).length <= maxLabels, `must be at most ${maxLabels}`)
const group = z.string().regex(groupId, 'must be the id of a group')

/** What people say of a device. */
export const properties = {
  description: z.string().max(maxDescription).optional(),
  labels: labels.optional().describe('replace those that it had'),
  groups: z
    .array(group)
    .max(maxMemberships)
    .optional()
    .describe('ids of the groups that it is in; replace those that it had'),
  profile: z
    .string()
    .regex(profileName, 'must be 1 to 64 of A-Z, a-z, 0-9, ., _ and -, a letter or digit first')
    .nullable()
    .optional()
    .describe('what kind of device it is'),
  enabled: z.boolean().optional().describe('whether it may connect; false closes its connections'),
}

export const device = z
  .object({
    id: z.string().describe('never changes; also the device short id of the IoT Guru library'),
    name,
    organisation: z.string(),
    description: z.string(),
    labels: z.record(z.string(), z.string()),
    groups: z.array(z.string()).describe('ids of the groups that it was put into'),
    profile: z.string().nullable(),
    enabled: z.boolean(),
    created_at: z.iso.datetime(),
  })
  .meta({ id: 'Device' })

export const listedDevice = device
  .extend({
    online: z.boolean().describe('whether it has a connection'),
    seen_at: z.iso.datetime().nullable().describe('when it was last heard of; online: since when'),
    firmware: z.string().nullable().describe('what it last said that it runs'),
  })
  .meta({ id: 'ListedDevice' })

const flag = z.enum(['true', 'false']).transform((text) => text === 'true')
const time = z.iso.datetime({ offset: true }).transform((text) => Date.parse(text))

/** Query parameters that say which devices are meant. */
export const filterQuery = {
  prefix: z.string().min(1).max(64).optional().describe('only names that begin with this'),
  q: z
    .string()
    .min(1)
    .max(64)
    .optional()
    .describe('only with this text in the name, the description or the value of a label'),
  label: z
    .string()
    .min(1)
    .max(1024)
    .optional()
    .describe('only with these labels: `site=berlin,env!=test,floor,!retired`'),
  group: group.optional().describe('only in this group or one inside it'),
  profile: z.string().min(1).max(64).optional(),
  enabled: flag.optional(),
  online: flag.optional(),
  seen_before: time.optional().describe('only offline, made before, and not heard of since'),
  seen_after: time.optional().describe('only online or heard of since'),
  firmware: z.string().min(1).max(64).optional(),
}

export interface FilterInput {
  prefix?: string | undefined
  q?: string | undefined
  label?: string | undefined
  group?: string | undefined
  profile?: string | undefined
  enabled?: boolean | undefined
  online?: boolean | undefined
  seen_before?: number | undefined
  seen_after?: number | undefined
  firmware?: string | undefined
}

/** The filter of these parameters, within what was granted to the caller. Problem or PlatformError for a wrong one. */
export async function filterOf(
  { platform }: ApiDeps,
  caller: Caller | null,
  org: string,
  input: FilterInput,
): Promise<DeviceFilter> {
  const { groups } = platform.registry
  const granted = caller === null ? [] : groupsOf(caller)
  return {
    prefix: input.prefix,
    text: input.q,
    labels: input.label === undefined ? undefined : parseSelector(input.label),
    groups: input.group === undefined ? undefined : await groups.withDescendants(org, input.group),
    granted: granted === null ? undefined : await insideOf(groups, org, granted),
    profile: input.profile,
    enabled: input.enabled,
    online: input.online,
    seenBefore: input.seen_before,
    seenAfter: input.seen_after,
    firmware: input.firmware,
  }
}

async function insideOf(
  groups: ApiDeps['platform']['registry']['groups'],
  org: string,
  ids: readonly string[],
): Promise<Set<string>> {
  const existing = await groups.existing(org, ids)
  const sets = await Promise.all(existing.map((id) => groups.withDescendants(org, id)))
  return new Set(sets.flatMap((set) => Array.from(set)))
}

export function shownDevice(one: Device): z.input<typeof device> {
  return shown(one.org, one)
}

export function shownListed(org: string, one: ListedDevice): z.input<typeof listedDevice> {
  return {
    ...shown(org, one),
    online: one.online,
    seen_at: one.seenAt === null ? null : new Date(one.seenAt).toISOString(),
    firmware: one.firmware,
  }
}

type Shown = Pick<
  Device,
  'id' | 'name' | 'description' | 'labels' | 'memberOf' | 'profile' | 'enabled' | 'createdAt'
>

function shown(organisation: string, one: Shown): z.input<typeof device> {
  const { id, name: called, description, labels: all, memberOf, profile, enabled, createdAt } = one
  return {
    id,
    name: called,
    organisation,
    description,
    labels: { ...all },
    groups: [...memberOf],
    profile,
    enabled,
    created_at: new Date(createdAt).toISOString(),
  }
}

/** Who was granted some groups only may neither put a device into others nor out of all of his. */
export async function gateGroupsKept(
  { platform }: ApiDeps,
  caller: Caller | null,
  org: string,
  wanted: readonly string[],
): Promise<void> {
  const granted = caller === null ? [] : groupsOf(caller)
  if (granted === null) return
  const { groups } = platform.registry
  const around = await Promise.all(wanted.map((id) => groups.withAncestors(org, [id])))
  if (wanted.length > 0 && around.every((ids) => ids.some((id) => granted.includes(id)))) return
  throw new Problem('forbidden', 'only groups that were granted to you can be given to a device')
}
