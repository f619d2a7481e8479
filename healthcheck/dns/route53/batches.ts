import type { Change, ResourceRecordSet } from '@aws-sdk/client-route-53'
import { markerName, markerRecord } from './marker.ts'
import type { NameStep } from './plan.ts'
import { batchLimits } from './port.ts'
import { isSame, keyOf, withIds } from './records.ts'

/**
 * The changes of a plan, as few batches as possible, in its order; what happens at one name is never torn apart.
 *
 * @throws Error when one name alone is too much for a batch
 */
export function toBatches(
  steps: readonly NameStep[],
  checkIds: ReadonlyMap<string, string>,
  limits = batchLimits,
): Change[][] {
  const batches: Change[][] = []
  let open: Change[] = []
  let size = { records: 0, characters: 0 }
  for (const step of steps) {
    const changes = changesOf(step, checkIds)
    const own = sizeOf(changes)
    if (own.records > limits.records || own.characters > limits.characters) {
      throw new Error(
        `${step.name}: ${own.records} records with ${own.characters} characters are more than Route 53 takes at once (${limits.records}, ${limits.characters})`,
      )
    }
    const full =
      size.records + own.records > limits.records || size.characters + own.characters > limits.characters
    if (full && open.length > 0) {
      batches.push(open)
      open = []
      size = { records: 0, characters: 0 }
    }
    open.push(...changes)
    size = { records: size.records + own.records, characters: size.characters + own.characters }
  }
  if (open.length > 0) batches.push(open)
  return batches
}

function changesOf(
  { name, records, markerBefore, markerAfter }: NameStep,
  ids: ReadonlyMap<string, string>,
): Change[] {
  const add = records.flatMap(({ after }) => (after === undefined ? [] : [withIds(after, ids)]))
  if (markerAfter !== undefined) add.push(markerRecord(name, markerAfter))
  const made = new Set(add.map(keyOf))
  const there = records.flatMap(({ before }) => (before === undefined ? [] : [before]))
  if (markerBefore !== undefined) there.push(markerBefore)
  return [
    ...there
      .filter((one) => !made.has(keyOf(one)))
      .map((one): Change => ({ Action: 'DELETE', ResourceRecordSet: one })),
    ...add.map((one): Change => ({ Action: 'UPSERT', ResourceRecordSet: one })),
  ]
}

/** Name and type of something that is not any more what the plan was made of; undefined: all is. */
export function changedSince(
  steps: readonly NameStep[],
  now: readonly ResourceRecordSet[],
): string | undefined {
  const there = new Map(now.map((one) => [keyOf(one), one]))
  const isAsRead = (key: string, before: ResourceRecordSet | undefined): boolean => {
    const found = there.get(key)
    return found === undefined || before === undefined ? found === before : isSame(found, before)
  }
  for (const { name, records, markerBefore } of steps) {
    const marker = [markerName(name), 'TXT'].join(' ')
    if (!isAsRead(marker, markerBefore)) return marker
    for (const { before, after } of records) {
      const keys = new Set([before, after].flatMap((one) => (one === undefined ? [] : [keyOf(one)])))
      for (const key of keys) if (!isAsRead(key, before)) return key
    }
  }
  return undefined
}

/** As Route 53 counts: each value of each change; an alias is one (Developer Guide, "Maximums on API requests"). */
export function sizeOf(changes: readonly Change[]): { records: number; characters: number } {
  let records = 0
  let characters = 0
  for (const { Action, ResourceRecordSet: record } of changes) {
    const times = Action === 'UPSERT' ? 2 : 1
    const values = record?.ResourceRecords ?? []
    records += times * Math.max(1, values.length)
    characters += times * values.reduce((sum, { Value = '' }) => sum + Value.length, 0)
  }
  return { records, characters }
}
