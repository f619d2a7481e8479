import type { RowOf } from '../store/table.ts'
import { labelsOf, membershipsOf } from './device-record.ts'
import { type ListedDevice, textOf } from './device-query.ts'
import type { deviceEntry, deviceSighting } from './tables.ts'

/** Neighbours whose texts are looked through together. */
const together = 256

/** The parts of a device that are known so far; it is listed when it has an entry. */
interface Known {
  listed: ListedDevice | null
  seenAt: number | null
  heardAt: number
  online: boolean
  firmware: string | null
  firmwareAt: number
}

/** All devices of an organisation in memory, in order of their names. Rows may come in any order and more than once. */
export class OrgDevices {
  readonly #known = new Map<string, Known>()
  /** In order unless `#unsorted`; what was replaced or removed since is left out by then. */
  #sorted: ListedDevice[] = []
  #unsorted = false
  /** Texts of so many neighbours in one, to find out fast that none of them has what is looked for; made when needed. */
  #texts: (string | undefined)[] = []

  get size(): number {
    return this.#known.size
  }

  /** False: an older version than the one that is there. */
  putEntry(row: RowOf<typeof deviceEntry>): void {
    const known = this.#of(row.device)
    if (known.listed !== null && known.listed.version > (row.version ?? 0)) return
    const name = row.name ?? row.device
    const description = row.description ?? ''
    const labels = labelsOf(row)
    this.#list(known, {
      id: row.device,
      name,
      description,
      labels,
      text: textOf(name, description, labels),
      memberOf: membershipsOf(row),
      profile: row.profile ?? null,
      enabled: row.disabled !== true,
      createdAt: row.created_at ?? 0,
      version: row.version ?? 0,
      online: known.online,
      seenAt: lastOf(known),
      firmware: known.firmware,
    })
  }

  putSighting(row: RowOf<typeof deviceSighting>): void {
    const known = this.#of(row.device)
    const at = row.at ?? 0
    if (row.kind === 'seen') {
      if (at < (known.seenAt ?? 0)) return
      known.seenAt = at
      known.online = row.online === true
    } else if (row.kind === 'heard') known.heardAt = Math.max(known.heardAt, at)
    else if (row.kind === 'firmware') {
      if (at < known.firmwareAt) return
      known.firmwareAt = at
      known.firmware = row.firmware ?? null
    }
    const { listed, online, firmware } = known
    if (listed !== null) this.#list(known, { ...listed, online, seenAt: lastOf(known), firmware })
  }

  delete(id: string): void {
    const known = this.#known.get(id)
    if (known === undefined) return
    this.#known.delete(id)
    if (known.listed !== null) this.#unsorted = true
  }

  get(id: string): ListedDevice | undefined {
    return this.#known.get(id)?.listed ?? undefined
  }

  ids(): IterableIterator<string> {
    return this.#known.keys()
  }

  /** At most `limit` devices after this name that match; `more`: there is another one. `text`: they have it for sure. */
  page(
    after: string | undefined,
    limit: number,
    matches: (device: ListedDevice) => boolean,
    text?: string,
  ): { devices: ListedDevice[]; more: boolean } {
    this.#sort()
    const sorted = this.#sorted
    const devices: ListedDevice[] = []
    for (let i = after === undefined ? 0 : firstAfter(sorted, after); i < sorted.length; i++) {
      if (text !== undefined && i % together === 0 && !this.#textAt(i).includes(text)) {
        i += together - 1
        continue
      }
      if (!matches(sorted[i])) continue
      if (devices.length === limit) return { devices, more: true }
      devices.push(sorted[i])
    }
    return { devices, more: false }
  }

  #textAt(at: number): string {
    const lot = at / together
    return (this.#texts[lot] ??= this.#sorted
      .slice(at, at + together)
      .map(({ text }) => text)
      .join('\n'))
  }

  #of(id: string): Known {
    let known = this.#known.get(id)
    if (known === undefined) {
      known = { listed: null, seenAt: null, heardAt: 0, online: false, firmware: null, firmwareAt: 0 }
      this.#known.set(id, known)
    }
    return known
  }

  #list(known: Known, device: ListedDevice): void {
    const before = known.listed
    known.listed = device
    if (before !== null && before.name === device.name && !this.#unsorted) {
      const at = firstAfter(this.#sorted, device.name) - 1
      if (this.#sorted[at] === before) {
        this.#sorted[at] = device
        this.#texts[Math.floor(at / together)] = undefined
        return
      }
    }
    this.#unsorted = true
  }

  /** What was in order before is merged fast by the engine's sort. */
  #sort(): void {
    if (!this.#unsorted) return
    const all: ListedDevice[] = []
    const fresh: ListedDevice[] = []
    const placed = new Set<string>()
    for (const old of this.#sorted) {
      const listed = this.#known.get(old.id)?.listed ?? null
      if (listed === null || listed.name !== old.name || placed.has(old.id)) continue
      placed.add(old.id)
      all.push(listed)
    }
    for (const [id, { listed }] of this.#known) if (listed !== null && !placed.has(id)) fresh.push(listed)
    fresh.sort(byName)
    this.#sorted = merged(all, fresh)
    this.#unsorted = false
    this.#texts = []
  }
}

/** When it was last heard of, by whatever way. */
function lastOf({ seenAt, heardAt, online }: Known): number | null {
  if (online || heardAt === 0) return seenAt
  return Math.max(seenAt ?? 0, heardAt)
}

function merged(one: readonly ListedDevice[], other: readonly ListedDevice[]): ListedDevice[] {
  const all: ListedDevice[] = []
  let i = 0
  let j = 0
  while (i < one.length && j < other.length) all.push(byName(one[i], other[j]) <= 0 ? one[i++] : other[j++])
  while (i < one.length) all.push(one[i++])
  while (j < other.length) all.push(other[j++])
  return all
}

function byName(a: ListedDevice, b: ListedDevice): number {
  if (a.name === b.name) return a.id < b.id ? -1 : 1
  return a.name < b.name ? -1 : 1
}

/** Index of the first device whose name is after this one. */
function firstAfter(sorted: readonly ListedDevice[], name: string): number {
  let low = 0
  let high = sorted.length
  while (low < high) {
    const middle = (low + high) >>> 1
    if (sorted[middle].name <= name) low = middle + 1
    else high = middle
  }
  return low
}
