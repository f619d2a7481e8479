import type { DeviceRef, Principal } from '../auth/principal.ts'
import { jsonOf } from '../json.ts'
import type { Conventions, Refusal, Sink } from '../telemetry/conventions.ts'
import { commandId, commandLimits } from './command.ts'
import type { Ending } from './facts.ts'
import type { Tracker } from './tracker.ts'

const responses = 'v1/devices/me/rpc/response/'
const progresses = 'v1/devices/me/rpc/progress/'

/**
 * What devices say of commands: `v1/devices/me/rpc/response/{id}` ends one, `.../{id}/failed` and `.../{id}/rejected` say that it
 * was not done, `v1/devices/me/rpc/progress/{id}` that the device is at it.
 */
export class CommandSinks implements Conventions {
  readonly #tracker: Tracker

  constructor(tracker: Tracker) {
    this.#tracker = tracker
  }

  sinkFor({ device }: Principal, topic: string): Sink | null {
    if (device === null) return null
    if (topic.startsWith(progresses)) {
      const id = topic.slice(progresses.length)
      return commandId.test(id) ? { accept: (payload) => this.#progress(device, id, payload) } : unknownTopic
    }
    if (!topic.startsWith(responses)) return null
    const [id, how, ...rest] = topic.slice(responses.length).split('/')
    if (!commandId.test(id) || rest.length > 0) return unknownTopic
    switch (how) {
      case undefined:
        return { accept: (payload) => this.#answer(device, id, endingOf(payload), payload) }
      case 'failed':
      case 'rejected':
        return { accept: (payload) => this.#answer(device, id, how, payload) }
      default:
        return unknownTopic
    }
  }

  #answer(device: DeviceRef, id: string, ending: Ending, payload: Uint8Array): Refusal | undefined {
    if (payload.length > commandLimits.result) {
      return refusal(`the answer has ${payload.length} bytes, at most ${commandLimits.result} are taken`)
    }
    return this.#about(device, id, (entry) => this.#tracker.end(entry, ending, payload))
  }

  #progress(device: DeviceRef, id: string, payload: Uint8Array): Refusal | undefined {
    const said = progressOf(payload)
    if (typeof said === 'string') return refusal(said)
    return this.#about(device, id, (entry) => this.#tracker.running(entry, said.progress, said.message))
  }

  #about(
    { org, id: device }: DeviceRef,
    id: string,
    say: (entry: ReturnType<Tracker['meet']>) => boolean,
  ): Refusal | undefined {
    if (this.#tracker.find(org, device, id) === undefined && this.#tracker.refuses(org, device)) {
      return {
        code: 'quota_exceeded',
        explanation: 'too many answers to commands that do not exist; try again in a minute',
      }
    }
    return say(this.#tracker.meet(org, device, id)) ? undefined : refusal(`there is no command "${id}"`)
  }
}

const unknownTopic: Sink = {
  accept: () => refusal('an answer goes to v1/devices/me/rpc/response/{id}, also with /failed or /rejected'),
}

function refusal(explanation: string): Refusal {
  return { code: 'payload_format_invalid', explanation }
}

/** An object with `error` is a failure, wherever it is sent. */
function endingOf(payload: Uint8Array): Ending {
  // `{`; most answers need not be parsed.
  if (
    payload[0] !== 0x7b ||
    !Buffer.from(payload.buffer, payload.byteOffset, payload.length).includes('"error"')
  )
    return 'succeeded'
  const value = jsonOf(payload, commandLimits.depth)
  if (typeof value !== 'object' || value === null || !('error' in value)) return 'succeeded'
  return value.error === null || value.error === false ? 'succeeded' : 'failed'
}

function progressOf(payload: Uint8Array): { progress?: number; message?: string } | string {
  if (payload.length === 0) return {}
  if (payload.length > 4 * commandLimits.message + 64) return 'progress: is too long'
  const value = jsonOf(payload, 2)
  if (typeof value === 'number') return progressOf(Buffer.from(JSON.stringify({ progress: value })))
  if (typeof value !== 'object' || value === null)
    return 'progress: must be {"progress": 0 to 100, "message": text}'
  const { progress, message } = value as { progress?: unknown; message?: unknown }
  if (progress !== undefined && !(typeof progress === 'number' && progress >= 0 && progress <= 100))
    return 'progress: must be a number from 0 to 100'
  if (message !== undefined && !(typeof message === 'string' && message.length <= commandLimits.message))
    return `message: must be a text of at most ${commandLimits.message} characters`
  if (typeof message === 'string' && !message.isWellFormed()) return 'message: holds half of a surrogate pair'
  return {
    ...(progress === undefined ? {} : { progress }),
    ...(message === undefined ? {} : { message }),
  }
}
