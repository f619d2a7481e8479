import type { Logger } from '../log.ts'
import type { Store } from '../store/store.ts'
import { twinLimits } from './document.ts'
import type { ReportedRow } from './reported.ts'
import { twinReported } from './tables.ts'

/** Devices whose paths are remembered; one more costs a read. */
const maxDevices = 20_000
/** Paths of a device, deleted ones included, which stay so that older words cannot bring them back. */
const maxPaths = 4000

/** What a device has reported: bytes by path, by document. */
interface Extent {
  readonly documents: Map<string, Map<string, number>>
  paths: number
}

/** Keeps what devices report within its limits, also when one process after the other takes it. */
export class Extents {
  readonly #store: Store
  readonly #log: Logger
  readonly #extents = new Map<string, Extent>()

  constructor(store: Store, log: Logger) {
    this.#store = store
    this.#log = log
  }

  /** Takes the rows in; else says why they are too many. What is stored is known a moment after the first of a device. */
  grow(org: string, device: string, name: string, rows: readonly ReportedRow[]): string | undefined {
    const extent = this.#extentOf(org, device)
    const known = extent.documents.get(name)
    if (known === undefined && extent.documents.size >= twinLimits.documents)
      return `a device may have ${twinLimits.documents} twins`
    const sizes = known ?? new Map<string, number>()
    const fresh = rows.filter(({ path }) => !sizes.has(path)).length
    if (extent.paths + fresh > maxPaths)
      return `a device may have ${maxPaths} paths in all, deleted ones included`
    const bytes = rows.reduce((sum, row) => sum + sizeOf(row) - (sizes.get(row.path) ?? 0), total(sizes))
    if (bytes > twinLimits.bytes) return `is longer than ${twinLimits.bytes} bytes in all`
    extent.documents.set(name, sizes)
    this.#take(extent, sizes, rows)
    return undefined
  }

  forget(org: string, device: string): void {
    this.#extents.delete(`${org}/${device}`)
  }

  #take(extent: Extent, sizes: Map<string, number>, rows: readonly ReportedRow[]): void {
    for (const row of rows) {
      if (!sizes.has(row.path)) extent.paths++
      sizes.set(row.path, sizeOf(row))
    }
  }

  #extentOf(org: string, device: string): Extent {
    const key = `${org}/${device}`
    let extent = this.#extents.get(key)
    if (extent === undefined) {
      if (this.#extents.size >= maxDevices) this.#extents.delete(this.#extents.keys().next().value ?? '')
      extent = { documents: new Map(), paths: 0 }
      this.#learn(org, device, extent)
    } else this.#extents.delete(key)
    this.#extents.set(key, extent)
    return extent
  }

  #learn(org: string, device: string, extent: Extent): void {
    this.#store.range(twinReported, { org, device }, { limit: maxPaths }).then(
      (rows) => {
        for (const { name, path, value } of rows) {
          const sizes = extent.documents.get(name) ?? new Map<string, number>()
          extent.documents.set(name, sizes)
          if (!sizes.has(path)) this.#take(extent, sizes, [{ path, value, stamp: 0 }])
        }
      },
      (error: unknown) => {
        // What it says is taken all the same; only the limit counts from nothing until it is read.
        this.#log.warn({ event: 'twin.unread', device, err: error }, 'paths of a device not read')
        this.forget(org, device)
      },
    )
  }
}

/** A deleted value takes no room in the document. */
function sizeOf({ path, value }: ReportedRow): number {
  return value === undefined ? 0 : path.length + value.length
}

function total(sizes: ReadonlyMap<string, number>): number {
  let sum = 0
  for (const size of sizes.values()) sum += size
  return sum
}
