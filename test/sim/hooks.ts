import crypto from 'node:crypto'
import { syncBuiltinESMExports } from 'node:module'
import timers from 'node:timers/promises'
import type { Random } from './random.ts'

/** What of Node the code under test uses beside its ports: immediates and chance. */
export interface Hooks {
  readonly random: Random
  soon(then: () => void): void
}

let world: Hooks | null = null
const real = {
  setImmediate: globalThis.setImmediate,
  turn: timers.setImmediate,
  randomBytes: crypto.randomBytes,
  randomUUID: crypto.randomUUID,
  random: Math.random,
}

/** Has immediates and random bytes come from `hooks`, until the function returned is called. */
export function installHooks(hooks: Hooks): () => void {
  if (world !== null) throw new Error('one world at a time')
  world = hooks
  replace({
    setImmediate: ((then: (...args: unknown[]) => void, ...args: unknown[]) => {
      hooks.soon(() => then(...args))
    }) as unknown as typeof setImmediate,
    turn: (<T>(value: T) => new Promise<T>((done) => hooks.soon(() => done(value)))) as typeof real.turn,
    randomBytes: ((length: number) => hooks.random.bytes(length)) as typeof crypto.randomBytes,
    randomUUID: (() => hooks.random.bytes(16).toString('hex')) as unknown as typeof crypto.randomUUID,
    random: () => hooks.random.fraction(),
  })
  return () => {
    world = null
    replace(real)
  }
}

function replace(by: typeof real): void {
  globalThis.setImmediate = by.setImmediate
  timers.setImmediate = by.turn
  crypto.randomBytes = by.randomBytes
  crypto.randomUUID = by.randomUUID
  Math.random = by.random
  syncBuiltinESMExports()
}
