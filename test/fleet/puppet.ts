import { cpSync, mkdtempSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import pino from 'pino'
import { stringify } from 'yaml'
import { installPackages } from '#cassandra/local/java.ts'
import type { Inventory } from '#platform/inventory/inventory.ts'
import { must, run } from '#scripts/child-process.ts'
import { writeHiera } from '#scripts/fleet/hiera.ts'

/** A resource of a catalogue, with what Puppet would make of it. */
export interface Resource {
  readonly type: string
  readonly title: string
  readonly parameters: Readonly<Record<string, string>>
}

export type Catalogue = readonly Resource[]

const tools = [
  ['puppet', 'puppet-agent'],
  ['puppet-lint', 'puppet-lint'],
  ['nft', 'nftables'],
  ['systemd-analyze', 'systemd'],
] as const

/** What reads the files; installed where it is missing and we may. EngineError says what is missing. */
export async function ensurePuppet(): Promise<void> {
  const found = await Promise.all(
    tools.map(async ([program, name]) => [name, (await run(program, ['--version'])).code] as const),
  )
  const missing: string[] = found.filter(([, code]) => code === 127).map(([name]) => name)
  for (const name of ['puppet-strings', 'puppet-module-puppetlabs-stdlib']) {
    if ((await run('dpkg-query', ['--show', name])).code !== 0) missing.push(name)
  }
  if (missing.length > 0) await installPackages(pino({ level: 'silent' }), missing, 'Puppet')
}

/** As a rented host has them, as far as the manifests look. */
const factsOf = (debian: number): object => ({
  virtual: 'kvm',
  os: { name: 'Debian', family: 'Debian', release: { full: `${debian}.1`, major: String(debian) } },
})

/** The tree as it would be on hosts of this cell. */
export function treeFor(
  inventory: Inventory,
  local: Readonly<Record<string, unknown>> = {},
  debian = 12,
): string {
  const tree = mkdtempSync(join(tmpdir(), 'cinque-puppet-test-'))
  cpSync('puppet', tree, { recursive: true })
  writeHiera(inventory, join(tree, 'data/inventory'))
  writeFileSync(join(tree, 'data/local.yaml'), stringify({ 'profile::cinque::release': '1.0.0', ...local }))
  writeFileSync(join(tree, 'facts.json'), JSON.stringify(factsOf(debian)))
  return tree
}

/** Catalogues by host. Rejects with an Error that has Puppet's words. */
export async function compile(
  tree: string,
  hosts: readonly string[],
): Promise<ReadonlyMap<string, Catalogue>> {
  const printed = await must('ruby', ['test/fleet/compile.rb', tree, join(tree, 'facts.json'), ...hosts])
  return new Map(Object.entries(JSON.parse(printed) as Record<string, Catalogue>))
}

/** What a file of a catalogue would say. */
export function contentOf(catalogue: Catalogue, path: string): string {
  const found = catalogue.find(({ type, title }) => type === 'File' && title === path)
  if (found?.parameters.content === undefined)
    throw new Error(`the catalogue has no file ${path} with contents`)
  return found.parameters.content
}
