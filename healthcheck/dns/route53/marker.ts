import { createHash } from 'node:crypto'
import type { ResourceRecordSet, RRType } from '@aws-sdk/client-route-53'
import { canonical, canonicalName, keyOf } from './records.ts'

/**
 * Whose the record sets at a name are: a TXT record beside them, at `_cinque.<name>`, made and removed in the same
 * batch. What has none is somebody else's, and is never touched.
 */
export interface Marker {
  readonly cell: string
  /** Only these are the cell's: a TXT at the same name may be another's. */
  readonly types: readonly string[]
  /** Digest of what was applied: what is there and is not this was changed by hand. */
  readonly applied: string
}

const prefix = '_cinque.'
const ttl = 300

export function markerName(name: string): string {
  return prefix + name
}

/** The name that a marker is about; undefined: no marker by its name. */
export function markedName({ Name = '', Type }: ResourceRecordSet): string | undefined {
  const name = canonicalName(Name)
  return Type === 'TXT' && name.startsWith(prefix) ? name.slice(prefix.length) : undefined
}

export function markerRecord(name: string, { cell, types, applied }: Marker): ResourceRecordSet {
  const value = `"heritage=cinque,cell=${cell},types=${types.join('+')},applied=${applied}"`
  return canonical({ Name: markerName(name), Type: 'TXT', TTL: ttl, ResourceRecords: [{ Value: value }] })
}

/** Null: it is not one of the platform's. */
export function parseMarker({ ResourceRecords = [] }: ResourceRecordSet): Marker | null {
  const pattern = /^"heritage=cinque,cell=([a-z0-9-]+),types=([A-Z+]+),applied=([0-9a-f]+)"$/
  const match = ResourceRecords.length === 1 ? pattern.exec(ResourceRecords[0].Value ?? '') : null
  return match === null ? null : { cell: match[1], types: match[2].split('+'), applied: match[3] }
}

/** `records` of one name, with their checks by name. */
export function markerOf(cell: string, records: readonly ResourceRecordSet[]): Marker {
  const types = [...new Set(records.map(({ Type }) => Type as RRType))].toSorted()
  return { cell, types, applied: fingerprint(records) }
}

export function fingerprint(records: readonly ResourceRecordSet[]): string {
  const all = records
    .map(canonical)
    .toSorted((a, b) => (keyOf(a) < keyOf(b) ? -1 : 1))
    .map((one) => JSON.stringify(one))
  return createHash('sha256').update(all.join('\n')).digest('hex').slice(0, 12)
}
