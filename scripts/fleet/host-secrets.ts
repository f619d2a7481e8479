import { copyFileSync, existsSync, mkdirSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { stringify } from 'yaml'
import type { Host, Inventory } from '#platform/inventory/inventory.ts'
import { must } from '#scripts/child-process.ts'
import type { FleetDirectory } from './directory.ts'

/**
 * Packs the secrets of a host into a file of `work`. What a checker or an operator has of the cell among them is as it is now,
 * whenever they were made: their inventory, and the values that an operator makes hosts from. Writes nothing but to `work`.
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
  for (const path of ['./checker/inventory.yaml', './operator/inventory.yaml']) {
    if (existsSync(join(from, path)))
      renew(path, (to) => writeFileSync(to, stringify(inventory), { mode: 0o600 }))
  }
  const local = join(fleet.path, 'local.yaml')
  if (existsSync(join(from, 'operator')) && existsSync(local))
    renew('./operator/local.yaml', (to) => copyFileSync(local, to))
  const without = renewed.map((path) => `--exclude=${path}`)
  await must('tar', ['--anchored', '--no-wildcards', ...without, '-C', from, '-cf', file, '.'])
  if (renewed.length > 0) await must('tar', ['-C', anew, '-rf', file, ...renewed])
  return file
}
