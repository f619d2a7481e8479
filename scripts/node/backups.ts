import { createHash } from 'node:crypto'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Host, Inventory } from '#platform/inventory/inventory.ts'
import { CliError } from '#scripts/output.ts'
import type { Remote } from '#scripts/remote/remote.ts'
import { quote } from '#scripts/remote/shell.ts'
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

/**
 * What a host says of the backups that it makes, or has made while it was its part, whoever has set them up: their
 * directories, and their keys, first the one that it goes by. A line each, none where there is nothing.
 */
const question = (directory: string): string => `file=/etc/cinque/backup.yaml
secret=/etc/cinque/secrets/backup.key
value() { [ ! -e $file ] || sed -n "s/^$1: *//p" $file; }
place() { type=$(findmnt -nro FSTYPE --target "$1" | tail -n 1); echo "directory \${type:--} $1"; }
key() { [ -s "$1" ] && sum=$(tr -d '[:space:]' < "$1" | sha256sum | cut -d' ' -f1) || sum=-; echo "key $sum $1"; }
made=$(value directory)
[ -z "$made" ] || place "$made"
had=${quote(directory)}
[ -z "$had" ] || [ "$had" = "$made" ] || [ ! -e "$had/repository.json" ] || place "$had"
used=$(value key_file)
[ -z "$used" ] || key "$used"
[ "$used" = $secret ] || [ ! -e $secret ] || key $secret`

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
  const secretOf = (name: string, secret: string): string => join(place.path, 'secrets', name, secret)
  const directory = place.local()['profile::backup::directory']
  const { directories, keys } = dead
    ? { directories: [], keys: [] }
    : await told(remote, host, typeof directory === 'string' ? directory : '')
  if (dead && moved !== null && moved.directory !== null)
    throw refused(
      `whether ${moved.directory} with the backups is on its own disk cannot be told, as it does not answer`,
      'If it is mounted from elsewhere, or there is a copy: --leave-backups.',
    )
  const own = directories.find(({ is }) => !networked.test(is))
  if (own !== undefined)
    throw refused(
      `its own disk has the backups, in ${own.path} (${own.is === unknown ? 'of no known kind' : own.is}): they would leave with it`,
      `Copy ${own.path} elsewhere, then: --leave-backups.`,
    )
  const unread = keys.find(({ is }) => is === unknown)
  if (unread !== undefined)
    throw refused(
      `the key of its backups cannot be read: there is nothing in ${unread.path}`,
      'See on it: key_file of /etc/cinque/backup.yaml.',
    )
  const used = keys.at(0)
  if (moved !== null && (used !== undefined || dead)) {
    const file = secretOf(moved.to.name, 'backup.key')
    if (!existsSync(file) || (used !== undefined && hashOf(file) !== used.is))
      throw refused(
        `without the key of the backups ${moved.to.name} can make none, and nobody can read them: it is not in ${file}`,
        `Copy it there: ${used?.path ?? '/etc/cinque/secrets/backup.key'} of ${host.name}.`,
      )
  }
  if (moved !== null && moved.directory === null) {
    const file = secretOf(moved.to.name, 's3.secret')
    if (!existsSync(file))
      throw refused(
        `without the secret of the bucket ${moved.to.name} can make no backups: there is no ${file}`,
        `Copy it there: /etc/cinque/secrets/s3.secret of ${host.name}.`,
      )
  }
  const kept = keptKeys(place.path)
  const only = keys.find(({ is }) => !kept.has(is))
  if (only !== undefined) {
    const file = secretOf(host.name, 'backup.key')
    throw refused(
      `${only.path} would leave with it, and nobody can read backups without their key: it is in no ${secretOf('*', 'backup.key')}`,
      existsSync(file) ? 'Copy it elsewhere, then: --leave-backups.' : `Copy it to ${file}.`,
    )
  }
}

const unknown = '-'

interface Told {
  /** The kind of its file system, or the hash of what is in it. */
  readonly is: string
  readonly path: string
}

async function told(
  remote: Remote,
  host: Host,
  directory: string,
): Promise<{ readonly directories: readonly Told[]; readonly keys: readonly Told[] }> {
  const { code, stdout, stderr, failure } = await remote.run(host, question(directory), {
    timeoutMs: lookMs,
  })
  if (code !== 0) throw new CliError(failure ?? `${host.name}: ${stderr.trim() || `ended with ${code}`}`)
  const lines = (name: string): Told[] =>
    Array.from(stdout.matchAll(new RegExp(`^${name} (\\S+) (.+)$`, 'gm')), ([, is, path]) => ({ is, path }))
  return { directories: lines('directory'), keys: lines('key') }
}

/** Keys of backups that are beside the inventory, of whichever host. */
function keptKeys(path: string): ReadonlySet<string> {
  const secrets = join(path, 'secrets')
  const names = existsSync(secrets) ? readdirSync(secrets) : []
  const files = [join(path, 'backup.key'), ...names.map((name) => join(secrets, name, 'backup.key'))]
  return new Set(files.filter((file) => existsSync(file)).map(hashOf))
}

function hashOf(file: string): string {
  return createHash('sha256').update(readFileSync(file, 'utf8').replaceAll(/\s/g, '')).digest('hex')
}
