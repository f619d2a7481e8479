import type { DeviceRef } from '../auth/principal.ts'
import { hash128 } from '../hash.ts'
import type { RowOf } from '../store/table.ts'
import { type presence, type presenceEvent, presenceBuckets } from './tables.ts'

/** Why a client is not connected any more. */
export const endReasons = [
  /** It said DISCONNECT. */
  'client_disconnected',
  /** It said DISCONNECT, and wanted its will published. */
  'client_disconnected_with_will',
  /** Its network connection ended. */
  'connection_lost',
  'keep_alive_timeout',
  /** The same client id has connected again. */
  'taken_over',
  /** By an operator. */
  'kicked',
  /** Its key was replaced, or the device disabled or deleted. */
  'credentials_revoked',
  /** It sent what MQTT does not allow. */
  'protocol_error',
  'quota_exceeded',
  /** It did not read what was sent to it. */
  'too_slow',
  'server_shutdown',
  /** The process that had the connection is gone; since when exactly is not known. */
  'server_lost',
] as const
export type EndReason = (typeof endReasons)[number]

/** A client of a device, as the broker that has the connection describes it. */
export interface DeviceClient {
  readonly device: DeviceRef
  readonly clientId: string
  /** Stamp of the connection; a later one of the client has a greater one. */
  readonly epoch: number
  readonly address: string
  /** Of MQTT: 4 is 3.1.1. */
  readonly version: number
  /** Seconds; 0: none. */
  readonly keepAlive: number
  readonly cleanStart: boolean
  /** Seconds that its session outlives the connection. */
  readonly sessionExpiry: number
}

/** What happened to a connection; of two changes of one connection the greater counts. */
export const Change = {
  CONNECTED: 0,
  /** Others believe so. */
  LOST: 1,
  /** It was believed to be lost, and is not. */
  STILL_CONNECTED: 2,
  DISCONNECTED: 3,
} as const
export type Change = (typeof Change)[keyof typeof Change]

/** Who has connections. */
export interface Holder {
  /** Incarnation of the process. */
  readonly id: Uint8Array
  /** Null: there is one process only. */
  readonly process: string | null
  readonly dc: string | null
}

export type PresenceRow = RowOf<typeof presence>
export type EventRow = RowOf<typeof presenceEvent>

/** Slot of a device's last data: shorter than any hash. */
export const dataSlot = new Uint8Array(1)

export function slotOf(clientId: string): Uint8Array {
  return hash128(clientId)
}

export function bucketOf(device: string): number {
  return hash128(device)[0] % presenceBuckets
}

const monthMs = 30 * 86_400_000

export function monthOf(at: number): number {
  return Math.floor(at / monthMs)
}

/** Stamp of the hybrid clock at 2020-01-01, so that four times what came since is a safe integer until 2089. */
const since2020 = 1_577_836_800_000 * 1024

/** A later connection beats any change of an earlier one. */
export function stampOf(epoch: number, change: Change): number {
  return (epoch - since2020) * 4 + change
}

export function isConnected(change: Change): boolean {
  return change === Change.CONNECTED || change === Change.STILL_CONNECTED
}
