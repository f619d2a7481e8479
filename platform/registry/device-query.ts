import type { Labels, LabelTerm } from './labels.ts'
import { selects } from './labels.ts'

/** A device as lists show it. */
export interface ListedDevice {
  readonly id: string
  readonly name: string
  readonly description: string
  readonly labels: Labels
  /** Groups that it was put into. */
  readonly memberOf: readonly string[]
  readonly profile: string | null
  readonly enabled: boolean
  /** Milliseconds since 1970. */
  readonly createdAt: number
  readonly version: number
  /** Whether it has a connection, as far as is known. */
  readonly online: boolean
  /** When it was last heard of; null: never. Of one that is online: when it was found to be. */
  readonly seenAt: number | null
  /** What it said that it runs. */
  readonly firmware: string | null
  /** What a text is looked for in. */
  readonly text: string
}

/** Which devices are meant; all that is given must hold. */
export interface DeviceFilter {
  readonly prefix?: string | undefined
  /** In the name, the description or a label's value; upper and lower case are the same. */
  readonly text?: string | undefined
  readonly labels?: readonly LabelTerm[] | undefined
  /** In one of these groups, directly. */
  readonly groups?: ReadonlySet<string> | undefined
  /** Also in one of these: what the asker was granted. */
  readonly granted?: ReadonlySet<string> | undefined
  readonly profile?: string | undefined
  readonly enabled?: boolean | undefined
  readonly online?: boolean | undefined
  /** Not heard of since, and made before; milliseconds since 1970. */
  readonly seenBefore?: number | undefined
  readonly seenAfter?: number | undefined
  readonly firmware?: string | undefined
}

/** Compiles a filter. */
export function matcherOf(filter: DeviceFilter): (device: ListedDevice) => boolean {
  const tests: ((device: ListedDevice) => boolean)[] = []
  const { prefix, text, labels, groups, granted, profile, enabled, online, seenBefore, seenAfter, firmware } =
    filter
  if (enabled !== undefined) tests.push((device) => device.enabled === enabled)
  if (online !== undefined) tests.push((device) => device.online === online)
  if (profile !== undefined) tests.push((device) => device.profile === profile)
  if (firmware !== undefined) tests.push((device) => device.firmware === firmware)
  if (prefix !== undefined) tests.push(({ name }) => name.startsWith(prefix))
  if (seenBefore !== undefined) {
    tests.push(
      (device) => !device.online && (device.seenAt ?? 0) < seenBefore && device.createdAt < seenBefore,
    )
  }
  if (seenAfter !== undefined) tests.push((device) => device.online || (device.seenAt ?? 0) >= seenAfter)
  for (const wanted of [groups, granted])
    if (wanted !== undefined) tests.push(({ memberOf }) => memberOf.some((id) => wanted.has(id)))
  if (labels !== undefined) tests.push((device) => selects(labels, device.labels))
  if (text !== undefined) {
    const low = text.toLowerCase()
    tests.push((device) => device.text.includes(low))
  }
  if (tests.length === 1) return tests[0]
  return (device) => tests.every((test) => test(device))
}

/** What a text is looked for in. */
export function textOf(name: string, description: string, labels: Labels): string {
  return [name, description, ...Object.values(labels)].join('\0').toLowerCase()
}
