import type { DeviceRef } from '../auth/principal.ts'
import { Batch, type Store } from '../store/store.ts'
import { classes } from './classes.ts'
import { latest, rollupMark, rollupMinute, rollupQuarter, rollupState } from './tables.ts'
import { monthOf } from './times.ts'

const daysPerBatch = 64

/**
 * Deletes all values and aggregates of a device. What is stored meanwhile may stay. Durable when it resolves; after an
 * error it can be called again. `progress` hears of the days that are done.
 */
export async function eraseDevice(
  store: Store,
  device: Pick<DeviceRef, 'org' | 'id'>,
  progress: (days: number) => void = () => undefined,
): Promise<void> {
  const owner = { org: device.org, device: device.id }
  // Lists of days go last of each batch, so that what a failed attempt left is found again.
  for (const { values, dayList } of classes) {
    await eachBatch(store, dayList, owner, (batch, days) => {
      for (const day of days) {
        batch.deletePartition(values, { ...owner, day })
        batch.deletePartition(rollupMinute, { ...owner, day })
      }
      for (const month of new Set(days.map(monthOf)))
        batch.deletePartition(rollupQuarter, { ...owner, month })
      progress(days.length)
    })
  }
  // Aggregates live longer than the values that they are of.
  await eachBatch(store, rollupState, owner, (batch, days) => {
    for (const day of days) batch.deletePartition(rollupMinute, { ...owner, day })
    for (const month of new Set(days.map(monthOf))) batch.deletePartition(rollupQuarter, { ...owner, month })
  })
  const batch = new Batch()
  batch.deletePartition(rollupMark, owner)
  batch.deletePartition(latest, owner)
  await store.write(batch)
}

type DayList = (typeof classes)[number]['dayList'] | typeof rollupState

async function eachBatch(
  store: Store,
  list: DayList,
  owner: { org: string; device: string },
  stage: (batch: Batch, days: readonly number[]) => void,
): Promise<void> {
  for (;;) {
    // oxlint-disable-next-line no-await-in-loop -- a bounded number at a time
    const rows = await store.range(list, owner, { limit: daysPerBatch })
    if (rows.length === 0) return
    const days = rows.map(({ day }) => day)
    const batch = new Batch()
    stage(batch, days)
    // oxlint-disable-next-line no-await-in-loop
    await store.write(batch)
    const done = new Batch()
    for (const day of days) done.delete(list, { ...owner, day })
    // oxlint-disable-next-line no-await-in-loop
    await store.write(done)
  }
}
