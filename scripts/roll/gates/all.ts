import type { CinqueClient } from '#client/index.ts'
import type { Inventory } from '#platform/inventory/inventory.ts'
import { apis } from './apis.ts'
import { backup } from './backup.ts'
import { bus } from './bus.ts'
import { cassandraNodes } from './cassandra-nodes.ts'
import { disk } from './disk.ts'
import type { Gate } from './gate.ts'
import { hints } from './hints.ts'
import { HostPages } from './host-pages.ts'
import { schema } from './schema.ts'
import { standing } from './standing.ts'

/** What every fleet is asked before a host is taken out, over HTTP alone. Who reaches hosts otherwise adds his own. */
export function fleetGates({
  client,
  inventory,
}: {
  readonly client: CinqueClient
  readonly inventory: Inventory
}): readonly Gate[] {
  const pages = new HostPages(inventory)
  return [
    apis(pages),
    standing(client, inventory),
    cassandraNodes(pages, inventory),
    schema(pages),
    hints(pages),
    bus(pages),
    disk(pages),
    backup(client),
  ]
}
