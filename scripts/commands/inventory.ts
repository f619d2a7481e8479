import type { Command } from 'commander'
import { stringify } from 'yaml'
import { concernsOf } from '#platform/inventory/concerns.ts'
import { type Inventory, InventoryError } from '#platform/inventory/inventory.ts'
import { loadInventory } from '#platform/inventory/load.ts'
import { CliError, printJson, printLine } from '#scripts/output.ts'

/** Where a checkout of the cell's own files has it. */
export const defaultInventory = 'cell.yaml'

/** Reads it for a command. CliError with exit code 2. */
export function inventoryFrom(file: string): Inventory {
  try {
    return loadInventory(file)
  } catch (error) {
    if (!(error instanceof InventoryError)) throw error
    throw new CliError(error.message, { exitCode: 2, cause: error })
  }
}

export function addInventory(program: Command): void {
  const inventory = program
    .command('inventory')
    .summary('check and show the file that says what a cell is made of')
    .description(
      'Checks and shows the inventory: the one file that says which DCs and hosts a cell is made of.',
    )
  inventory
    .command('verify')
    .argument('[file]', 'the inventory', defaultInventory)
    .summary('what is wrong or doubtful about it')
    .description(
      'Says what is wrong with an inventory (exit code 2), and what is doubtful: one provider for two DCs, a DC that a\n' +
        'restart takes away, a DC whose checkers decide alone (exit code 0, with --strict 1).',
    )
    .addHelpText('after', '\nExample:\n  cinque inventory verify cell.yaml --strict')
    .option('--strict', 'what is doubtful is a failure as well')
    .option('--json', 'print JSON')
    .action((file: string, { strict = false, json = false }: { strict?: boolean; json?: boolean }) =>
      verify(file, strict, json),
    )
  inventory
    .command('show')
    .argument('[file]', 'the inventory', defaultInventory)
    .description('Prints it with all that is left out filled in.')
    .addHelpText('after', '\nExample:\n  cinque inventory show cell.yaml')
    .option('--json', 'print JSON')
    .action((file: string, { json = false }: { json?: boolean }) => {
      const all = inventoryFrom(file)
      if (json) printJson(all)
      else process.stdout.write(stringify(all, { lineWidth: 120, flowCollectionPadding: true }))
    })
  inventory
    .command('hiera')
    .argument('<dir>', 'as puppet/data/inventory')
    .summary('write what Puppet is told of the cell and its hosts')
    .description(
      'Writes what Puppet is told of the cell and of each of its hosts: cell.yaml and host/NAME.yaml. Files of hosts that are\n' +
        'gone go as well.',
    )
    .addHelpText('after', '\nExample:\n  cinque inventory hiera puppet/data/inventory --inventory cell.yaml')
    .option('--inventory <file>', 'the inventory', defaultInventory)
    .option('--json', 'print JSON')
    .action(async (directory: string, { inventory: file, json }: { inventory: string; json?: boolean }) => {
      const all = inventoryFrom(file)
      const { writeHiera } = await import('#scripts/fleet/hiera.ts')
      writeHiera(all, directory)
      if (json === true) printJson({ directory, hosts: all.hosts.length })
      else printLine(`${directory}: ${all.hosts.length} hosts`)
    })
}

function verify(file: string, strict: boolean, json: boolean): void {
  const inventory = inventoryFrom(file)
  const concerns = concernsOf(inventory)
  const { cell, dcs, hosts } = inventory
  if (json) printJson({ cell, dcs: dcs.length, hosts: hosts.length, concerns })
  else {
    for (const { field, message } of concerns) printLine(`${file}: ${field}: ${message}`)
    const doubts = concerns.length === 0 ? 'no doubts' : `doubts: ${concerns.length}`
    printLine(`cell ${cell}: ${dcs.length} DCs, ${hosts.length} hosts, ${doubts}`)
  }
  if (strict && concerns.length > 0) process.exitCode = 1
}
