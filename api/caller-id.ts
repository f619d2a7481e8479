import type { Caller } from './callers.ts'

/** Names a caller in rows and counters. */
export interface CallerId {
  /** `*`: the platform's own. */
  readonly org: string
  readonly id: string
}

/** Stays the same when a token is replaced. */
export function callerId(caller: Caller): CallerId {
  switch (caller.kind) {
    case 'platform':
      return { org: '*', id: 'platform' }
    case 'stranger':
      return { org: '*', id: `user:${caller.user.id}` }
    case 'organisation':
      return { org: caller.organisation.id, id: 'token' }
    case 'user':
      return { org: caller.organisation.id, id: `user:${caller.user.id}` }
    case 'key':
      return { org: caller.organisation.id, id: `key:${caller.key.id}` }
    default:
      return { org: caller.organisation.id, id: `device:${caller.device.id}` }
  }
}
