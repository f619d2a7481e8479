import type { Host, Inventory } from '#platform/inventory/inventory.ts'
import { readPage } from './gates/host-pages.ts'

/**
 * MQTT clients that are connected to each app host now, which are those that notice something; hosts that do not tell
 * are not in it. The pages of brokers are for hosts of the cell: from elsewhere nobody tells.
 */
export async function connectionsOf({
  hosts,
  ports,
}: Pick<Inventory, 'hosts' | 'ports'>): Promise<ReadonlyMap<string, number>> {
  const apps = hosts.filter(({ roles }) => roles.includes('app'))
  const counts = await Promise.all(apps.map((host) => countOf(host, ports.metrics)))
  return new Map(counts.flatMap((count, i) => (count === undefined ? [] : [[apps[i].name, count] as const])))
}

async function countOf({ address, brokers }: Host, first: number): Promise<number | undefined> {
  try {
    const pages = await Promise.all(
      Array.from({ length: brokers }, (_, index) => readPage(address, first + index)),
    )
    return pages.reduce((sum, page) => {
      const samples = page.get('cinque_mqtt_connections') ?? []
      return sum + samples.reduce((all, { value }) => all + value, 0)
    }, 0)
  } catch {
    return undefined
  }
}
