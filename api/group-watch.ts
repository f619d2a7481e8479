import type { Caller } from './callers.ts'
import { PlatformError } from '#platform/errors.ts'
import { groupsOf } from './access.ts'
import type { ApiDeps } from './deps.ts'
import { filterOf } from './resources/device-shape.ts'

/** Milliseconds after which it is looked who is in a group now. */
const refreshMs = 10_000
/** Devices that are looked at in one go. */
const lot = 10_000

interface Watch {
  devices: Set<string>
  users: number
  readonly timer: NodeJS.Timeout
}

/** Who is in some groups now, for as long as somebody needs it. */
export interface WatchedDevices {
  readonly devices: { has(device: string): boolean }
  release(): void
}

const watches = new WeakMap<ApiDeps, Map<string, Promise<Watch>>>()

/**
 * The devices of a group, with the groups inside it, within what was granted to the caller; undefined: all devices.
 * Streams about the same groups share it, and it is read from the index in memory, so that reads do not grow with streams.
 * PlatformError `group_not_found`.
 */
export async function watchDevices(
  deps: ApiDeps,
  caller: Caller | null,
  org: string,
  group: string | undefined,
): Promise<WatchedDevices | undefined> {
  const granted = caller === null ? null : groupsOf(caller)
  if (group === undefined && granted === null) return undefined
  const all = watches.get(deps) ?? new Map<string, Promise<Watch>>()
  watches.set(deps, all)
  const key = JSON.stringify([org, group, granted?.toSorted()])
  const read = async (): Promise<Set<string>> => {
    const filter = await filterOf(deps, caller, org, { group })
    const found = new Set<string>()
    for await (const devices of deps.platform.deviceIndex.all(org, filter, lot))
      for (const { id } of devices) found.add(id)
    return found
  }
  const begun = all.get(key) ?? begin(read, Math.min(refreshMs, deps.heartbeat ?? refreshMs))
  all.set(key, begun)
  const watch = await begun.catch((error: unknown) => {
    all.delete(key)
    throw error
  })
  watch.users++
  let released = false
  return {
    devices: { has: (device) => watch.devices.has(device) },
    release: () => {
      if (released) return
      released = true
      if (--watch.users > 0) return
      clearInterval(watch.timer)
      if (all.get(key) === begun) all.delete(key)
    },
  }
}

async function begin(read: () => Promise<Set<string>>, everyMs: number): Promise<Watch> {
  const watch: Watch = {
    devices: await read(),
    users: 0,
    timer: setInterval(() => {
      read().then(
        (devices) => (watch.devices = devices),
        (error: unknown) => {
          // The store may be away: as they were. A group that is gone has no devices.
          if (error instanceof PlatformError) watch.devices = new Set()
        },
      )
    }, everyMs).unref(),
  }
  return watch
}
