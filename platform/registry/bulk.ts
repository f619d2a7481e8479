import { createHmac } from 'node:crypto'
import { z } from 'zod'
import { PlatformError } from '../errors.ts'
import type { ItemResult, Task, TaskKind } from '../tasks/task.ts'
import type { Device, DeviceProperties } from './device-record.ts'
import { checkNew, checkProperties } from './device-record.ts'
import type { Registry } from './registry.ts'

/** Devices changed or deleted at a time; each needs some round trips. */
const atOnce = 32
/** Times that a change is made again because somebody else has made another. */
const maxTries = 5

/** How an import treats its rows. */
const importSpec = z.object({
  /** `create`: a device that is there is an error; `upsert`: it is changed. */
  mode: z.enum(['create', 'upsert']),
  /** `none`: devices without a key of their own get none, for those that have certificates. */
  keys: z.enum(['generate', 'none']),
  dryRun: z.boolean(),
})

/** A row of an import as it was read, or why it could not be. */
const importRow = z.union([
  z.object({
    row: z.object({
      name: z.string(),
      id: z.string().optional(),
      key: z.string().optional(),
      description: z.string().optional(),
      profile: z.string().nullish(),
      enabled: z.boolean().optional(),
      groups: z.array(z.string()).optional(),
      labels: z.record(z.string(), z.string()).optional(),
    }),
  }),
  z.object({ error: z.string(), name: z.string().optional() }),
])
type ImportRow = z.output<typeof importRow>
type Fields = Extract<ImportRow, { row: unknown }>['row']

/** What is done to many devices. */
export const bulkChange = z.strictObject({
  description: z.string().optional(),
  profile: z.string().nullable().optional(),
  enabled: z.boolean().optional(),
  set_labels: z.record(z.string(), z.string()).optional(),
  remove_labels: z.array(z.string()).max(32).optional(),
  add_groups: z.array(z.string()).max(16).optional(),
  remove_groups: z.array(z.string()).max(16).optional(),
})
type BulkChange = z.output<typeof bulkChange>

const bulkSpec = z.object({ dryRun: z.boolean(), change: bulkChange.optional() })
const bulkItem = z.object({ id: z.string(), name: z.string() })

/** Imports devices. */
export function importDevices(registry: Registry): TaskKind {
  const { devices } = registry
  async function plan(
    task: Task,
    item: unknown,
    number: number,
    secret: Uint8Array | null,
  ): Promise<Planned> {
    const spec = importSpec.parse(task.spec)
    const parsed = importRow.parse(item)
    if ('error' in parsed) {
      return {
        kind: 'done',
        result: { status: 'failed', counts: 'failed', name: parsed.name, error: parsed.error },
      }
    }
    const { row } = parsed
    const generated = row.key === undefined && spec.keys === 'generate' && secret !== null
    const id = row.id ?? idOf(task, number)
    const key = row.key ?? (generated ? keyOf(secret, number) : null)
    const input = { ...row, profile: row.profile ?? undefined, id, key }
    try {
      checkNew(row.name, id, row.key)
      checkProperties(input)
      await registry.groups.check(task.org, row.groups ?? [])
      const existing = await devices.find(task.org, row.name)
      if (existing === undefined || existing.id === id) {
        if (spec.dryRun) return { kind: 'done', result: ok('valid', row.name, { would: 'create' }) }
        return { kind: 'create', input, generated }
      }
      if (spec.mode === 'create') {
        throw new PlatformError('name_taken', `a device named "${row.name}" exists already`, 'name')
      }
      if (row.id !== undefined && row.id !== existing.id)
        throw new PlatformError('id_taken', `the device named "${row.name}" has another id`, 'id')
      if (spec.dryRun)
        return { kind: 'done', result: ok('valid', row.name, { would: 'update', id: existing.id }) }
      return { kind: 'update', existing, change: propertiesOf(row) }
    } catch (error) {
      return { kind: 'done', result: failure(row.name, error) }
    }
  }
  return {
    name: 'import',
    async run(task, items, first, secret) {
      const planned = await Promise.all(items.map((item, i) => plan(task, item, first + i, secret)))
      const results: ItemResult[] = planned.map((one) => (one.kind === 'done' ? one.result : later))
      const created = new Set<string>()
      const fresh: number[] = []
      for (const [i, one] of planned.entries()) {
        if (one.kind !== 'create') continue
        // Of two rows with one name in a lot the first counts.
        if (created.has(one.input.name)) {
          const twice = new PlatformError('name_taken', `"${one.input.name}" stands in a row above`, 'name')
          results[i] = failure(one.input.name, twice)
          continue
        }
        created.add(one.input.name)
        fresh.push(i)
      }
      const inputs = fresh.map((i) => planned[i] as Extract<Planned, { kind: 'create' }>)
      const outcomes = await devices.createMany(
        task.org,
        inputs.map(({ input }) => input),
      )
      for (const [n, i] of fresh.entries()) {
        const outcome = outcomes[n]
        const { input, generated } = inputs[n]
        if (outcome instanceof PlatformError && outcome.code === 'outcome_unknown') throw outcome
        results[i] =
          outcome instanceof PlatformError
            ? failure(input.name, outcome)
            : ok('created', input.name, { id: outcome.id, ...(generated ? { generated } : {}) })
      }
      await inTurns(planned, async (one, i) => {
        if (one.kind === 'update') results[i] = await updated(registry, one.existing, () => one.change)
      })
      return results
    },
    reveal(result, item, secret) {
      const { generated, ...rest } = result
      return generated === true ? { ...rest, key: keyOf(secret, item) } : rest
    },
  }
}

/** Changes devices. */
export function updateDevices(registry: Registry): TaskKind {
  return {
    name: 'update_devices',
    run: (task, items) => {
      const { dryRun, change = {} } = bulkSpec.parse(task.spec)
      return each(items, async ({ id, name }) => {
        if (dryRun) return ok('valid', name, { id, would: 'update' })
        const existing = await registry.devices.findById(task.org, id)
        if (existing === undefined) return gone(name, id)
        return updated(registry, existing, (device) => applied(device, change))
      })
    },
  }
}

/** Deletes devices with all their data. */
export function deleteDevices(registry: Registry): TaskKind {
  return {
    name: 'delete_devices',
    run: (task, items) => {
      const { dryRun } = bulkSpec.parse(task.spec)
      return each(items, async ({ id, name }) => {
        if (dryRun) return ok('valid', name, { id, would: 'delete' })
        try {
          await registry.deleteDevice(task.org, id)
          return ok('deleted', name, { id })
        } catch (error) {
          if (error instanceof PlatformError && error.code === 'device_not_found') return gone(name, id)
          return failure(name, error, id)
        }
      })
    },
  }
}

type Planned =
  | { kind: 'done'; result: ItemResult }
  | {
      kind: 'create'
      input: DeviceProperties & { name: string; id: string; key: string | null }
      generated: boolean
    }
  | { kind: 'update'; existing: Device; change: DeviceProperties }

const later: ItemResult = { status: 'failed', counts: 'failed' }

async function updated(
  registry: Registry,
  existing: Device,
  changeOf: (device: Device) => DeviceProperties,
): Promise<ItemResult> {
  const { org, id, name } = existing
  let device = existing
  for (let tries = 1; ; tries++) {
    const change = changeOf(device)
    if (!isChange(device, change)) return ok('unchanged', name, { id })
    try {
      // oxlint-disable-next-line no-await-in-loop -- until nobody else is in between
      await registry.devices.update(org, id, change, device.version)
      return ok('updated', name, { id })
    } catch (error) {
      const again = error instanceof PlatformError && error.code === 'conflict' && tries < maxTries
      if (!again) return failure(name, error, id)
      // oxlint-disable-next-line no-await-in-loop
      const now = await registry.devices.findById(org, id)
      if (now === undefined) return gone(name, id)
      device = now
    }
  }
}

function applied(device: Device, change: BulkChange): DeviceProperties {
  const { set_labels, remove_labels = [], add_groups, remove_groups = [], ...plain } = change
  const labels = Object.fromEntries(
    Object.entries({ ...device.labels, ...set_labels }).filter(([key]) => !remove_labels.includes(key)),
  )
  const groups = new Set([...device.memberOf, ...(add_groups ?? [])])
  for (const group of remove_groups) groups.delete(group)
  return { ...plain, labels, groups: Array.from(groups) }
}

function isChange(device: Device, change: DeviceProperties): boolean {
  const { description, profile, enabled, labels, groups } = change
  return (
    (description !== undefined && description !== device.description) ||
    (profile !== undefined && profile !== device.profile) ||
    (enabled !== undefined && enabled !== device.enabled) ||
    (labels !== undefined && textOf(labels) !== textOf(device.labels)) ||
    (groups !== undefined && groups.toSorted().join() !== device.memberOf.toSorted().join())
  )
}

function textOf(labels: Readonly<Record<string, string>>): string {
  return JSON.stringify(Object.entries(labels).toSorted(([a], [b]) => (a < b ? -1 : 1)))
}

function propertiesOf({ description, profile, enabled, groups, labels }: Fields): DeviceProperties {
  return { description, profile, enabled, groups, labels }
}

async function each(
  items: readonly unknown[],
  run: (item: z.output<typeof bulkItem>) => Promise<ItemResult>,
): Promise<ItemResult[]> {
  const results: ItemResult[] = []
  await inTurns(items, async (item, i) => {
    results[i] = await run(bulkItem.parse(item))
  })
  return results
}

async function inTurns<T>(items: readonly T[], run: (item: T, i: number) => Promise<void>): Promise<void> {
  for (let from = 0; from < items.length; from += atOnce)
    // oxlint-disable-next-line no-await-in-loop -- so many at a time
    await Promise.all(items.slice(from, from + atOnce).map((item, i) => run(item, from + i)))
}

function ok(status: string, name: string, more: object): ItemResult {
  return { status, counts: status === 'unchanged' ? 'skipped' : 'succeeded', name, ...more }
}

function gone(name: string, id: string): ItemResult {
  return { status: 'gone', counts: 'skipped', name, id }
}

/** Errors of the store are thrown on: the part is done again. */
function failure(name: string, error: unknown, id?: string): ItemResult {
  if (!(error instanceof PlatformError) || error.code === 'outcome_unknown') throw error
  const { code, message, field } = error
  return { status: 'failed', counts: 'failed', name, id, code, field, error: message }
}

/** The same for the same row of the same task, so that a row that is done again falls on itself. */
function idOf({ org, id }: Task, item: number): string {
  return createHmac('sha256', `${org}/${id}`)
    .update(`id ${item}`)
    .digest()
    .subarray(0, 16)
    .toString('base64url')
}

function keyOf(secret: Uint8Array, item: number): string {
  return `k_${createHmac('sha256', secret).update(`key ${item}`).digest().subarray(0, 16).toString('hex')}`
}
