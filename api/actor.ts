import type { Caller } from './callers.ts'

/** Who an administrator of the platform is, as other administrators know him. */
export function actorOf(caller: Caller | null): string {
  return caller !== null && 'user' in caller ? caller.user.email : "the platform's token"
}
