import { hash128 } from '../hash.ts'
import type { RowOf } from '../store/table.ts'
import type { Command } from './command.ts'
import {
  batchBuckets,
  commandBuckets,
  commandDays,
  type commandDue,
  type commandOpen,
  dueShards,
} from './tables.ts'

const hourMs = 3_600_000
export const dayMs = 86_400_000
const weekMs = 7 * dayMs

/** Where a command stands in each of the tables that list it. */
export function openKey({ org, device, createdAt, id }: Command): RowOf<typeof commandOpen> {
  return { org, device, created_at: createdAt, id }
}

export function dueKey({ org, id, expiresAt }: Command): RowOf<typeof commandDue> {
  return { hour: hourOf(expiresAt), shard: hash128(id)[0] % dueShards, due: expiresAt, org, id }
}

export function hourOf(at: number): number {
  return Math.floor(at / hourMs)
}

export function weekOf(at: number): number {
  return Math.floor(at / weekMs)
}

export function dayOf(at: number): number {
  return Math.floor(at / dayMs)
}

/** Weeks that may hold commands, newest first. */
export function weeksBefore(at: number): number[] {
  const count = weekOf(at) - weekOf(at - commandDays * dayMs) + 1
  return Array.from({ length: count }, (_, i) => weekOf(at) - i)
}

/** Of an organisation's day. */
export function dayBucket(id: string): number {
  return hash128(id)[1] % commandBuckets
}

/** Of a batch. */
export function batchBucket(device: string): number {
  return hash128(device)[0] % batchBuckets
}
