/** What may stand before the subjects of a cell. */
export const SUBJECT_PREFIX = /^[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)*$/

/** Subject of the frames for one process; `*` for any. */
export function directSubject(prefix: string | undefined, address: string): string {
  return prefix === undefined ? `n.${address}` : `${prefix}.n.${address}`
}

/** Subject of the frames for every process of the cell. */
export function broadcastSubject(prefix: string | undefined): string {
  return prefix === undefined ? 'all' : `${prefix}.all`
}
