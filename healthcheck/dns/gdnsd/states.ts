import { chmodSync, renameSync, writeFileSync } from 'node:fs'
import type { Standing } from '#healthcheck/votes/vote.ts'
import type { Inventory } from '#platform/inventory/inventory.ts'
import { quote } from './vscf.ts'

/** gdnsd gives a DC all of its clients or none: all from this percent on. */
const enoughPercent = 50

/**
 * What gdnsd's extfile reads: each app host's address, up or down. A host is down with its DC. Who serves a small part
 * only (while it comes back, or by a person's word) is down, unless nobody serves more.
 */
export function gdnsdStates({ hosts }: Inventory, standings: readonly Standing[]): string {
  const bySubject = new Map(standings.map((one) => [one.subject, one]))
  const serving = (subject: string): boolean => bySubject.get(subject)?.serving !== false
  const share = (subject: string): number => bySubject.get(subject)?.percent ?? 100
  const apps = hosts.filter(({ roles }) => roles.includes('app'))
  const up = apps.filter(({ name, dc }) => serving(name) && serving(dc))
  const full = up.filter(({ name, dc }) => Math.min(share(name), share(dc)) >= enoughPercent)
  const counted = new Set(full.length > 0 ? full : up)
  return apps.map((host) => `${quote(host.address)} => ${counted.has(host) ? 'UP' : 'DOWN'}\n`).join('')
}

/**
 * Puts the states where gdnsd reads them, at once or not at all. gdnsd has them about two seconds later. Error: the
 * directory is not there or not to be written.
 */
export function writeGdnsdStates(file: string, states: string): void {
  const whole = `${file}.new`
  writeFileSync(whole, states)
  // gdnsd is another user, and our umask may keep others out.
  chmodSync(whole, 0o644)
  renameSync(whole, file)
}
