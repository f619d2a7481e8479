import { existsSync, rmSync } from 'node:fs'
import { loadavg } from 'node:os'
import { parseArgs } from 'node:util'
import { createLogger } from '#platform/log.ts'
import { FleetDirectory } from '#scripts/fleet/directory.ts'
import { debians } from '#scripts/fleet/image.ts'
import { inventoryFrom } from '#scripts/commands/inventory.ts'
import { Fleet } from '#scripts/fleet/fleet.ts'
import { fleetInventory, fleetSizes, valuesOf } from '#scripts/fleet/inventory.ts'
import { byItself } from './by-itself.ts'
import { faults } from './faults.ts'
import { profiles } from './profiles.ts'
import type { Seen } from './step.ts'

const steps = { ...faults, ...byItself, ...profiles }

const usage = `node bench/fleet/run.ts [options] [step...]

Boots a fleet of real hosts on this machine (root, Debian; docs/operations/fleet.md), and does to it what happens to hosts.
Prints what was seen and how long it took; wipes the fleet at the end.

  --debian N       ${debians.join(', ')} (12)
  --size SIZE      ${fleetSizes.join(', ')} (small)
  --inventory FILE hosts of one's own instead
  --data DIR       directory of the fleet (/var/lib/cinque-fleet-bench)
  --megabytes N    rows that a db host gets anew (300)
  --keep           leaves the fleet as it is at the end; one that is there is used
  --json           everything as JSON
  --help           prints this

Steps, in this order. Of size whole, which has what cells have besides: ${Object.keys(profiles).join(', ')}.
Of the others: ${Object.keys(faults).join(', ')}. Default: all of the size.
Of each, if they are named: ${Object.keys(byItself).join(', ')}.
`

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    debian: { type: 'string', default: '12' },
    size: { type: 'string', default: 'small' },
    inventory: { type: 'string' },
    data: { type: 'string', default: '/var/lib/cinque-fleet-bench' },
    megabytes: { type: 'string', default: '300' },
    keep: { type: 'boolean', default: false },
    json: { type: 'boolean', default: false },
    help: { type: 'boolean', default: false },
  },
})
const size = fleetSizes.find((one) => one === values.size)
const debian = debians.find((one) => String(one) === values.debian)
const unknown = positionals.filter((name) => !Object.hasOwn(steps, name))
const megabytes = Number(values.megabytes)
if (values.help || size === undefined || debian === undefined || unknown.length > 0 || !(megabytes > 0)) {
  process.stdout.write(usage)
  process.exit(values.help ? 0 : 2)
}

const began = performance.now()
const say = (line: string): void => {
  const seconds = ((performance.now() - began) / 1000).toFixed(1).padStart(6)
  if (!values.json) process.stdout.write(`${seconds} s  ${line}\n`)
}
const directory = new FleetDirectory(values.data)
if (!directory.exists) {
  const { inventory } = values
  if (inventory === undefined) directory.create(fleetInventory(size), debian, valuesOf(size))
  else directory.create(inventoryFrom(inventory), debian, {})
}
const fleet = await Fleet.open({ directory: values.data, log: createLogger({ level: 'warn' }), say })
const seen: Record<string, Seen> = {}

async function timed(name: string, step: () => Promise<Omit<Seen, 'seconds'>>): Promise<void> {
  const started = performance.now()
  const outcome = await step().catch((error: Error) => ({ what: `FAILED: ${error.message}`, good: false }))
  seen[name] = { seconds: (performance.now() - started) / 1000, ...outcome }
  say(`${name}: ${outcome.what}`)
}

try {
  await timed('up', async () => {
    await fleet.up()
    return { what: `${fleet.inventory.hosts.length} hosts serve`, good: true }
  })
  const { hosts } = fleet.inventory
  const far = hosts.find(({ roles }) => roles.includes('app'))
  const app = hosts.findLast(({ roles }) => roles.includes('app') && !roles.includes('db')) ?? far
  const db = hosts.find(({ roles, dc }) => roles.includes('db') && dc !== far?.dc)
  if (far === undefined || app === undefined || db === undefined) {
    throw new Error('the steps need app hosts, and db hosts in two DCs')
  }
  const wanted =
    positionals.length === 0
      ? Object.keys(size === 'whole' ? profiles : faults)
      : Object.keys(steps).filter((name) => positionals.includes(name))
  if (seen.up.good) {
    for (const name of wanted)
      await timed(name, () => steps[name]({ fleet, data: values.data, app, db, far, megabytes }))
  }
} finally {
  if (!values.keep) {
    await fleet.down(true)
    if (existsSync(values.data)) rmSync(values.data, { recursive: true })
  }
}
const result = { size, hosts: fleet.inventory.hosts.length, load: loadavg()[0], seen }
if (values.json) process.stdout.write(`${JSON.stringify(result)}\n`)
else {
  process.stdout.write('\n')
  for (const [name, { seconds, what, good }] of Object.entries(seen)) {
    process.stdout.write(
      `${name.padEnd(9)} ${seconds.toFixed(0).padStart(4)} s  ${good ? 'good' : 'BAD '}  ${what}\n`,
    )
  }
}
process.exit(Object.values(seen).every(({ good }) => good) ? 0 : 1)
