import type { DeviceRef } from '../auth/principal.ts'
import { Batch, type Store } from '../store/store.ts'
import { classes } from './classes.ts'
import { marksOf } from './rollups/compute.ts'
import type { Mark } from './rollups/state.ts'
import { latest, rollupMark, rollupMinute, rollupQuarter, rollupState } from './tables.ts'
import { dayMs, hourMs, minuteMs, monthOf } from './times.ts'

const daysPerBatch = 64
/** Hours since 1970 of any value. */
const anyHour = { first: 0, last: Math.floor((2 ** 31 * minuteMs) / hourMs) }
/** For how long processes remember to have put down a day, and some more. */
const rememberedMs = dayMs + hourMs

/**
 * Deletes all values and aggregates of a device. Durable when it resolves; after an error it can be called again.
 *
 * `now`: the device goes on. What processes remember to have written down about days and hours that they are writing to
 * stays then, or they would not write it again; that tells nothing but on which of the last two days there was a value.
 * What is stored meanwhile may stay. Null: the device is deleted as well, and nothing stays.
 */
export async function eraseDevice(
  store: Store,
  device: Pick<DeviceRef, 'org' | 'id'>,
  now: number | null,
): Promise<void> {
  const owner = { org: device.org, device: device.id }
  const written = now === null ? new Set<number>() : await daysInUse(store, owner, now)
  for (const { values, dayList } of classes) {
    await eachBatch(store, dayList, owner, written, (batch, days) => {
      for (const day of days) {
        batch.deletePartition(values, { ...owner, day })
        batch.deletePartition(rollupMinute, { ...owner, day })
      }
      for (const month of new Set(days.map(monthOf)))
        batch.deletePartition(rollupQuarter, { ...owner, month })
    })
  }
  // Aggregates live longer than the values that they are of.
  await eachBatch(store, rollupState, owner, new Set(), (batch, days) => {
    for (const day of days) batch.deletePartition(rollupMinute, { ...owner, day })
    for (const month of new Set(days.map(monthOf))) batch.deletePartition(rollupQuarter, { ...owner, month })
  })
  const batch = new Batch()
  batch.deletePartition(latest, owner)
  if (now === null) batch.deletePartition(rollupMark, owner)
  await store.write(batch)
}

/** Days that some process may be writing values of. */
async function daysInUse(
  store: Store,
  owner: { org: string; device: string },
  now: number,
): Promise<Set<number>> {
  const marks = [...(await marksOf(store, owner, anyHour.first, anyHour.last)).values()].flat()
  const isRecent = ({ until }: Mark): boolean => until * minuteMs > now - rememberedMs
  const batch = new Batch()
  for (const mark of marks) if (!isRecent(mark)) batch.delete(rollupMark, { ...owner, ...mark })
  if (batch.size > 0) await store.write(batch)
  const recent = marks.filter(isRecent)
  return new Set(recent.map(({ hour }) => Math.floor((hour * hourMs) / dayMs)))
}

type DayList = (typeof classes)[number]['dayList'] | typeof rollupState

/** Lists of days go last of each batch, so that what a failed attempt left is found again. */
async function eachBatch(
  store: Store,
  list: DayList,
  owner: { org: string; device: string },
  kept: ReadonlySet<number>,
  stage: (batch: Batch, days: readonly number[]) => void,
): Promise<void> {
  let start = {}
  for (;;) {
    // oxlint-disable-next-line no-await-in-loop -- a bounded number at a time
    const rows = await store.range(list, owner, { ...start, limit: daysPerBatch })
    if (rows.length === 0) return
    const days = rows.map(({ day }) => day)
    const batch = new Batch()
    stage(batch, days)
    // oxlint-disable-next-line no-await-in-loop
    await store.write(batch)
    const done = new Batch()
    for (const day of days) if (!kept.has(day)) done.delete(list, { ...owner, day })
    // oxlint-disable-next-line no-await-in-loop
    if (done.size > 0) await store.write(done)
    start = { after: { day: days[days.length - 1] } }
  }
}
