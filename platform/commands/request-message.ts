import type { DeviceMessage } from '../messages.ts'
import type { Command } from './command.ts'

/** The message that brings a command to its device. `attempt`: 1 for the first. */
export function requestMessage(
  { org, device, id, name, params, expiresAt }: Command,
  attempt: number,
): DeviceMessage {
  const method = JSON.stringify(name)
  return {
    org,
    topic: `v1/devices/${device}/rpc/request/${id}`,
    payload: Buffer.from(
      params === undefined ? `{"method":${method}}` : `{"method":${method},"params":${params}}`,
    ),
    expiresAt,
    // In the device's own words.
    responseTopic: `v1/devices/me/rpc/response/${id}`,
    correlation: attempt === 1 ? id : `${id}~${attempt}`,
  }
}

/** Which command, and which attempt of it, a message is; undefined: it is none. */
export function attemptOf(correlation: string): { id: string; attempt: number } | undefined {
  const match = /^([A-Za-z0-9_-]{1,64})(?:~(\d{1,3}))?$/.exec(correlation)
  return match === null ? undefined : { id: match[1], attempt: Number(match[2] ?? 1) }
}
