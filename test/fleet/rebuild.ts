// Throws the disk of a test fleet's host away and boots it: node test/fleet/rebuild.ts FLEET HOST
import { createLogger } from '#platform/log.ts'
import { Fleet } from '#scripts/fleet/fleet.ts'

const [directory, name] = process.argv.slice(2)
const fleet = await Fleet.open({ directory, log: createLogger({ level: 'warn' }), say: () => undefined })
const host = fleet.host(name)
await fleet.machine(host).wipe()
await fleet.boot([host])
