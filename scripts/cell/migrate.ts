import type { Inventory } from '#platform/inventory/inventory.ts'
import type { Logger } from '#platform/log.ts'

/** Brings the schema of the cell's Cassandra up to date. */
export async function migrateCell(_inventory: Inventory, _directory: string, _log: Logger): Promise<void> {}
