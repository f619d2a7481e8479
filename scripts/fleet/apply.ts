import { cpSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { stringify } from 'yaml'
import type { Host, Inventory } from '#platform/inventory/inventory.ts'
import { must } from '#scripts/child-process.ts'
import type { Remote } from '#scripts/remote/remote.ts'
import type { FleetDirectory } from './directory.ts'
import { writeHiera } from './hiera.ts'
import { packSecrets } from './host-secrets.ts'

/** Of `puppet apply --detailed-exitcodes`. */
const outcomes = new Map([
  [0, 'unchanged'],
  [2, 'changed'],
] as const)

export interface Applied {
  readonly host: string
  readonly outcome: 'unchanged' | 'changed'
  readonly seconds: number
}

export interface ApplyOptions {
  readonly inventory: Inventory
  readonly fleet: FleetDirectory
  readonly remote: Remote
  /** Hiera's highest level. */
  readonly local: Readonly<Record<string, unknown>>
  /** Says what would change, and changes nothing. */
  readonly dryRun?: boolean
  /** Of one class only, and what is in it: `profile::firewall`. */
  readonly only?: string
  readonly onLine?: ((line: string) => void) | undefined
}

const tree = fileURLToPath(new URL('../../puppet', import.meta.url))
const there = '/opt/cinque/puppet'

/** Packs the tree for all hosts of a fleet, manifests and what the inventory says, into a file of a directory. */
export async function packTree(
  options: Pick<ApplyOptions, 'inventory' | 'local'>,
  directory: string,
): Promise<string> {
  const { inventory, local } = options
  const work = mkdtempSync(join(tmpdir(), 'cinque-puppet-'))
  try {
    cpSync(tree, work, { recursive: true })
    mkdirSync(join(work, 'data'), { recursive: true })
    writeHiera(inventory, join(work, 'data/inventory'))
    writeFileSync(join(work, 'data/local.yaml'), stringify(local))
    writeFileSync(join(work, 'inventory.yaml'), stringify(inventory))
    const file = join(directory, 'puppet.tar')
    await must('tar', ['-C', work, '-cf', `${file}.new`, '.'])
    await must('mv', [`${file}.new`, file])
    return file
  } finally {
    rmSync(work, { recursive: true, force: true })
  }
}

/**
 * Brings the tree and the host's secrets to a host by ssh, and lets Puppet make it so, without a server.
 * Rejects with an Error that has Puppet's own words.
 */
export async function apply(host: Host, packed: string, options: ApplyOptions): Promise<Applied> {
  const { inventory, fleet, remote, dryRun = false, only, onLine } = options
  const started = performance.now()
  const send = async (command: string, file: string): Promise<void> => {
    const { code, stderr, failure } = await remote.run(host, command, { input: { file } })
    if (code !== 0) throw new Error(failure ?? `${host.name}: ${stderr.trim() || `ended with ${code}`}`)
  }
  // Whole or not at all: a run on half of a tree would take things away.
  await send(
    `set -e; mkdir -p ${there}.new; tar -xf - -C ${there}.new --no-same-owner; rm -rf ${there}.old; [ ! -e ${there} ] || mv ${there} ${there}.old; mv ${there}.new ${there}`,
    packed,
  )
  // An operator may read its directory only.
  const work = mkdtempSync(join(tmpdir(), 'cinque-secrets-'))
  try {
    const secrets = await packSecrets(host, { inventory, fleet }, work)
    await send(
      'set -e; umask 077; mkdir -p /etc/cinque/secrets; chmod 755 /etc/cinque; tar -xf - -C /etc/cinque/secrets --no-same-owner',
      secrets,
    )
  } finally {
    rmSync(work, { recursive: true, force: true })
  }
  const puppet = [
    'puppet apply --detailed-exitcodes --strict=error --strict_variables --color=false',
    `--modulepath=${there}/modules:/usr/share/puppet/modules --hiera_config=${there}/hiera.yaml`,
    `--certname=${host.name}${dryRun ? ' --noop' : ''}${only === undefined ? '' : ` --tags ${only}`} ${there}/manifests/site.pp`,
  ].join(' ')
  const { code, stdout, stderr, failure } = await remote.run(host, `LANG=C.UTF-8 ${puppet}`, { onLine })
  if (failure !== null) throw new Error(failure)
  const outcome = outcomes.get(code as 0 | 2)
  if (outcome === undefined) {
    const errors = `${stdout}\n${stderr}`.split('\n').filter((line) => line.startsWith('Error'))
    throw new Error(`${host.name}: puppet: ${errors.slice(0, 5).join('; ') || `ended with ${code}`}`)
  }
  return { host: host.name, outcome, seconds: (performance.now() - started) / 1000 }
}
