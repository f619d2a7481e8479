import { createHash } from 'node:crypto'
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Host, Inventory } from '#platform/inventory/inventory.ts'
import { CliError } from '#scripts/output.ts'
import type { Remote } from '#scripts/remote/remote.ts'
import type { Place } from './place.ts'

/** Who makes backups, once a host has left that does so now. */
export interface MovedBackups {
  readonly to: Host
  /** Null: in a bucket. */
  readonly directory: string | null
}

const lookMs = 20_000
/** What lies there outlives the host. */
const networked =
  /^(nfs4?|cifs|smb3?|smbfs|9p|ceph|glusterfs|lustre|fuse\.(sshfs|s3fs|rclone|glusterfs|ceph))$/

/** What a host says of the backups that it makes, whoever has set them up; a line each, none where it makes none. */
const question = `file=/etc/cinque/backup.yaml
[ -e $file ] || exit 0
directory=$(sed -n 's/^directory: *//p' $file)
echo "directory $directory"
[ -z "$directory" ] || echo "type $(findmnt -nro FSTYPE --target "$directory")"
echo "key $(sha256sum < "$(sed -n 's/^key_file: *//p' $file)" | cut -d' ' -f1)"`

/** As profile::backup finds who makes them. Null: another one does, or nobody. CliError: nobody could. */
export function movedBackups(
  { directory: place }: Place,
  before: Inventory,
  host: Host,
): MovedBackups | null {
  const values = place.local()
  const directory = values['profile::backup::directory']
  if ((directory ?? values['profile::backup::s3']) === undefined) return null
  if (values['profile::backup::shipper'] !== undefined) return null
  const backupDcs = new Set(before.dcs.filter(({ kind }) => kind === 'backup').map(({ name }) => name))
  const [first, next] = before.hosts.filter(({ dc, roles }) => backupDcs.has(dc) && roles.includes('db'))
  if (first?.name !== host.name) return null
  if (next !== undefined) return { to: next, directory: typeof directory === 'string' ? directory : null }
  throw new CliError(`${host.name} makes the backups, and no other db host is in a backup DC`, {
    exitCode: 2,
    remedy: `Say in ${join(place.path, 'local.yaml')} who makes them then: profile::backup::shipper: NAME, of a DC whose every db host has all rows.`,
  })
}

/** For people. */
export function backupSteps({ to, directory }: MovedBackups, { name }: Host, isTestFleet: boolean): string[] {
  const makes = `${to.name} makes the backups from then on, instead of ${name}`
  const first = `the others wait for its first backup: systemctl start cinque-backup on ${to.name}`
  if (directory === null) return [`${makes}, into the same bucket; ${first}`]
  return [
    `${makes}, into ${directory} of its own: mount or copy there what ${name} has in ${directory}, or begin anew on ${to.name}: cinque backup init --config /etc/cinque/backup.yaml; ${first}`,
    isTestFleet
      ? `${directory} of ${name} is thrown away with its disk`
      : `${directory} of ${name} is left as it is: keep it before the disk is wiped`,
  ]
}

/**
 * Whether no backup is lost with a host: neither the only copy nor the only key of them. CliError: it would be, or that cannot
 * be told.
 */
export async function checkBackups(
  { directory: place }: Place,
  remote: Remote,
  host: Host,
  { dead = false, moved }: { readonly dead?: boolean; readonly moved: MovedBackups | null },
): Promise<void> {
  const refused = (message: string, remedy: string): CliError =>
    new CliError(`${host.name}: ${message}`, {
      exitCode: 2,
      remedy: `${remedy} Or, if they may be lost: --leave-backups`,
    })
  const has = dead ? new Map<string, string>() : await told(remote, host)
  if (dead && moved !== null && moved.directory !== null)
    throw refused(
      `whether ${moved.directory} with the backups is on its own disk cannot be told, as it does not answer`,
      'If it is mounted from elsewhere, or there is a copy: --leave-backups.',
    )
  const directory = has.get('directory') ?? ''
  if (directory !== '' && !networked.test(has.get('type') ?? ''))
    throw refused(
      `its own disk has the backups, in ${directory} (${has.get('type') || 'of no known kind'}): they would leave with it`,
      `Copy ${directory} elsewhere, then: --leave-backups.`,
    )
  const to = moved?.to.name
  const key = has.get('key')
  if (to === undefined || (key === undefined && !dead)) return
  const file = join(place.path, 'secrets', to, 'backup.key')
  if (!existsSync(file) || (key !== undefined && hashOf(file) !== key))
    throw refused(
      `without the key of the backups ${to} can make none, and nobody can read them: it is not in ${file}`,
      `Copy it there: /etc/cinque/secrets/backup.key of ${host.name}.`,
    )
}

async function told(remote: Remote, host: Host): Promise<ReadonlyMap<string, string>> {
  const { code, stdout, stderr, failure } = await remote.run(host, question, { timeoutMs: lookMs })
  if (code !== 0) throw new CliError(failure ?? `${host.name}: ${stderr.trim() || `ended with ${code}`}`)
  const lines = stdout.split('\n').map((line) => /^(\w+) (.*)$/.exec(line))
  return new Map(lines.flatMap((line) => (line === null ? [] : [[line[1], line[2]] as const])))
}

function hashOf(file: string): string {
  return createHash('sha256').update(readFileSync(file)).digest('hex')
}
