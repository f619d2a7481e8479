import { readFileSync } from 'node:fs'
import { parse } from 'yaml'
import { checkInventory, type Inventory, InventoryError } from './inventory.ts'

/** Reads an inventory in YAML or JSON. InventoryError: it can't be read, or something in it is wrong. */
export function loadInventory(file: string): Inventory {
  let value: unknown
  try {
    value = parse(readFileSync(file, 'utf8'))
  } catch (error) {
    const reason = error instanceof Error ? error.message.split('\n')[0] : String(error)
    throw new InventoryError([`cannot read the inventory ${file}: ${reason}`], { cause: error })
  }
  return checkInventory(value, file)
}
