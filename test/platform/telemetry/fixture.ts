import { Writable } from 'node:stream'
import type { DeviceRef } from '#platform/auth/principal.ts'
import { createLogger } from '#platform/log.ts'
import { Metrics } from '#platform/metrics.ts'
import { openPlatform, type Platform, type PlatformOptions } from '#platform/platform.ts'
import { MemoryStore } from '#platform/store/memory.ts'

/** 2026-11-21T12:00:00Z */
export const noon = 1_795_262_400_000

export class TestClock {
  time = noon
  now(): number {
    return this.time
  }
}

export interface TestPlatform extends Platform {
  readonly store: MemoryStore
  readonly metrics: Metrics
  readonly clock: TestClock
  /** What was logged, a line each. */
  readonly lines: string[]
}

export async function openTestPlatform(options: Partial<PlatformOptions> = {}): Promise<TestPlatform> {
  const clock = new TestClock()
  const store = new MemoryStore({ clock })
  const metrics = new Metrics()
  const lines: string[] = []
  const destination = new Writable({
    write(chunk: Buffer, _encoding, done) {
      lines.push(chunk.toString())
      done()
    },
  })
  const log = createLogger({ level: 'debug', destination })
  const platform = await openPlatform({ store, log, metrics, clock, ...options })
  return { ...platform, store, metrics, clock, lines }
}

export function bytes(value: unknown): Uint8Array {
  return Buffer.from(typeof value === 'string' ? value : JSON.stringify(value))
}

export async function newDevice(platform: Platform, name = 'thermo-1'): Promise<DeviceRef> {
  const { device } = await platform.registry.devices.create(platform.organisation, { name })
  return device
}
