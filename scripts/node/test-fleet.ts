import { Metrics } from '#platform/metrics.ts'
import type { Host } from '#platform/inventory/inventory.ts'
import type { Fleet } from '#scripts/fleet/fleet.ts'
import { stderrLogger } from '#scripts/run/logger.ts'

/** Boots a host that the inventory of a test fleet has. One that is up stays so. */
export async function bootHere(
  directory: string,
  { name }: Host,
  say: (line: string) => void,
): Promise<void> {
  const fleet = await open(directory, say)
  await fleet.prepare({ sameRelease: true })
  await fleet.boot([fleet.host(name)])
}

/** Powers a host off and throws its disk away, for good. */
export async function discardHere(directory: string, { name }: Host): Promise<void> {
  const fleet = await open(directory, () => undefined)
  await fleet.discard(fleet.host(name))
}

async function open(directory: string, say: (line: string) => void): Promise<Fleet> {
  const { Fleet: TestFleet } = await import('#scripts/fleet/fleet.ts')
  return TestFleet.open({ directory, log: stderrLogger('warn', new Metrics()), say })
}
