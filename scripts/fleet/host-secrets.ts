import { copyFileSync, existsSync, mkdirSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { stringify } from 'yaml'
import type { Host, Inventory } from '#platform/inventory/inventory.ts'
import { must } from '#scripts/child-process.ts'
import type { FleetDirectory } from './directory.ts'
import { isOperator } from './operators.ts'

/**
 * Packs the secrets of a host into a file of `work`. What a checker or an operator has of the cell among them is as it is now,
 * whenever they were made: their inventory, and the values that an operator makes hosts from. A host that is no operator any
 * more gets nothing of one. Writes nothing but to `work`.
 */
export async function packSecrets(
  { name }: Host,
  { inventory, fleet }: { readonly inventory: Inventory; readonly fleet: FleetDirectory },
  work: string,
): Promise<string> {
  const from = join(fleet.path, 'secrets', name)
  const file = join(work, 'secrets.tar')
  const anew = join(work, 'anew')
  const renewed: string[] = []
  const renew = (path: string, write: (to: string) => void): void => {
    mkdirSync(dirname(join(anew, path)), { recursive: true, mode: 0o700 })
    write(join(anew, path))
    renewed.push(path)
  }
  const operates = existsSync(join(from, 'operator')) && isOperator(fleet, name)
  for (const path of ['./checker/inventory.yaml', ...(operates ? ['./operator/inventory.yaml'] : [])]) {
    if (existsSync(join(from, path)))
      renew(path, (to) => writeFileSync(to, stringify(inventory), { mode: 0o600 }))
  }
  const local = join(fleet.path, 'local.yaml')
  if (operates) renew('./operator/local.yaml', (to) => copyFileSync(local, to))
  const without = [...renewed, ...(operates ? [] : ['./operator'])].map((path) => `--exclude=${path}`)
  await must('tar', ['--anchored', '--no-wildcards', ...without, '-C', from, '-cf', file, '.'])
  if (renewed.length > 0) await must('tar', ['-C', anew, '-rf', file, ...renewed])
  return file
}
