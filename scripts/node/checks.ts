import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Host, Inventory } from '#platform/inventory/inventory.ts'
import { racksOf } from '#platform/inventory/racks.ts'
import { CliError } from '#scripts/output.ts'
import { canonical } from '#scripts/remote/ring.ts'
import type { Place } from './place.ts'

const wrong = (message: string, remedy: string): CliError => new CliError(message, { exitCode: 2, remedy })

/** Whether one more host can be what the inventory says. CliError. */
export function checkAddition({ hosts, dcs }: Inventory, host: Host): void {
  checkNoChecker(host)
  if (!host.roles.includes('db')) return
  const dbs = hosts.filter(({ dc, roles }) => dc === host.dc && roles.includes('db'))
  if (dbs.length === 1)
    throw wrong(
      `${host.name} would be the first db host of ${host.dc}: a whole DC is made otherwise`,
      `Add it to one of ${dcs
        .map(({ name }) => name)
        .filter((name) => name !== host.dc)
        .join(', ')}.`,
    )
  // Cassandra asks the first ones who is there; such a one takes no rows when it comes.
  if (dbs[0] === host)
    throw wrong(
      `hosts: ${host.name} is the first db host of ${host.dc}: it would come without rows`,
      'Write it behind the others.',
    )
}

/** Checkers know each other's keys: one more or less is a change of all. */
export function checkNoChecker({ name, roles }: Host): void {
  if (!roles.includes('checker')) return
  throw wrong(
    `${name} is a checker: all checkers know each other's keys, and get new ones together`,
    'Change the inventory, then: cinque healthcheck provision (docs/health.md), then: cinque roll apply',
  )
}

/** What else of the cell's files says that a host is there. CliError. */
export function checkUnnamed(place: Place, { name }: Host): void {
  const word = new RegExp(String.raw`(?<![\w-])${name}(?![\w-])`)
  const local = join(place.directory.path, 'local.yaml')
  if (existsSync(local) && word.test(readFileSync(local, 'utf8')))
    throw wrong(`${local} names ${name}`, 'Give what it does to another host first, then: cinque roll apply')
  if (new RegExp(String.raw`^\s*ProxyJump ${name}$`, 'm').test(readFileSync(place.sshConfig, 'utf8')))
    throw wrong(
      `${place.sshConfig}: the others are reached over ${name}`,
      'Choose another one first: cinque ssh config --bastion',
    )
}

/**
 * Whether each Cassandra is in the rack that the inventory gives it, by what `nodetool status` prints: in another one it
 * would not start. CliError.
 */
export function checkRacks(inventory: Inventory, printed: string): void {
  const wanted = racksOf(inventory)
  for (const [, address, rack] of printed.matchAll(/^[UD][NLJM]\s+(\S+)\s.*\s(\S+)\s*$/gm)) {
    const host = inventory.hosts.find((one) => canonical(one.address) === canonical(address))
    const should = host === undefined ? undefined : wanted.get(host.name)
    if (host === undefined || should === undefined || rack === `r${should}`) continue
    throw wrong(
      `hosts: ${host.name} is in rack ${rack}, and would be in r${should}: its Cassandra would not start`,
      `Write \`rack: ${rack.replace(/^r/, '')}\` to it.`,
    )
  }
}
