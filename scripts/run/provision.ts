import { createClient } from '#client/index.ts'
import { provision } from '#healthcheck/checker/provision.ts'
import { InventoryError } from '#platform/inventory/inventory.ts'
import { loadInventory } from '#platform/inventory/load.ts'
import { clientOf } from '#scripts/client/connect.ts'
import { findTarget, type TargetOptions } from '#scripts/client/target.ts'
import { CliError, printJson, printLine } from '#scripts/output.ts'

/** Of the checkers, unless another is named. */
const defaultOrganisation = 'healthcheck'

/** Provisions all checkers of an inventory, and prints what was made. Rejects with CliError, or an error of the API. */
export async function provisionCheckers(options: {
  inventory: string
  inventoryAt: string
  directory: string
  target: TargetOptions
  json: boolean
}): Promise<void> {
  const { inventory: file, inventoryAt, directory, json } = options
  const { organisation = defaultOrganisation, ...target } = findTarget(options.target)
  const made = await provision({
    admin: clientOf(target),
    clientOf: (credential) => createClient({ urls: target.urls, ...credential }),
    inventory: inventoryOf(file),
    inventoryFile: inventoryAt,
    directory,
    organisation,
  })
  if (json) return printJson({ organisation, checkers: made })
  for (const { checker, config, made: what } of made) {
    printLine(`${checker}: ${what.length === 0 ? 'nothing to do' : `made ${what.join(', ')}`}; ${config}`)
  }
}

function inventoryOf(file: string): ReturnType<typeof loadInventory> {
  try {
    return loadInventory(file)
  } catch (error) {
    if (error instanceof InventoryError) throw new CliError(error.message, { exitCode: 2, cause: error })
    throw error
  }
}
