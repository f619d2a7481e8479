import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { enginesDirectory } from '#platform/engines/directory.ts'
import { must, run } from '#scripts/child-process.ts'
import { isMounted } from './disk.ts'

/** Its name, and the Java that Cassandra runs on there. */
const releases = {
  12: { name: 'bookworm', java: 17 },
  13: { name: 'trixie', java: 21 },
} as const
export type Debian = keyof typeof releases
export const debians: readonly Debian[] = [12, 13]

/** What a host has before Puppet comes, and what it would install: hosts of a test fleet reach no mirror. */
const packagesFor = (java: number): readonly string[] => [
  'systemd',
  'systemd-sysv',
  'dbus',
  'libpam-systemd',
  'iproute2',
  'netbase',
  'procps',
  'openssh-server',
  'puppet-agent',
  'puppet-module-puppetlabs-stdlib',
  'ca-certificates',
  'curl',
  'python3-minimal',
  'chrony',
  'nftables',
  'unattended-upgrades',
  'prometheus-node-exporter',
  `openjdk-${java}-jre-headless`,
  'gdnsd',
  'prometheus',
  'sudo',
  'zstd',
  'rsync',
]

/** Puppet starts what it wants; time and updates are the machine's own affair. */
const notStarted = [
  'puppet',
  'chrony',
  'gdnsd',
  'prometheus',
  'prometheus-node-exporter',
  'unattended-upgrades',
  'apt-daily.timer',
  'apt-daily-upgrade.timer',
  'dpkg-db-backup.timer',
  'e2scrub_all.timer',
  'fstrim.timer',
]

/** A minute; on a machine that is busy with a fleet much longer. */
const makeMs = 3_600_000
const left = ['doc', 'man', 'locale'].map((one) => `--dpkgopt=path-exclude=/usr/share/${one}/*`)

/**
 * A tree with Debian as hosting companies deliver it, made once (about a minute, 550 MB) and shared by all hosts, which
 * write into layers of their own. Needs root on a Debian machine. Rejects with an Error of one line.
 */
export async function ensureImage(debian: Debian, say: (line: string) => void): Promise<string> {
  const { name: release, java } = releases[debian]
  const packages = packagesFor(java)
  const key = createHash('sha256')
    .update([release, packages, notStarted].join('\n'))
    .digest('hex')
    .slice(0, 12)
  const image = join(enginesDirectory(), `debian-${release}-${key}`)
  if (existsSync(image)) return image
  await ensureTools(say)
  say('making the image of the hosts (once, about a minute)')
  mkdirSync(enginesDirectory(), { recursive: true })
  const work = mkdtempSync(join(enginesDirectory(), '.image-'))
  try {
    const tree = join(work, 'tree')
    const disable = notStarted.map((unit) => `chroot "$1" systemctl disable ${unit} 2>/dev/null || true`)
    const hooks = [
      'rm -f "$1"/etc/ssh/ssh_host_*; : > "$1"/etc/machine-id',
      'echo "nameserver 127.0.0.1" > "$1"/etc/resolv.conf',
      ...disable,
    ]
    const args = [
      '--quiet',
      '--variant=minbase',
      '--mode=root',
      '--aptopt=APT::Install-Recommends "false"',
      ...left,
      // Java's package fails without it.
      '--essential-hook=mkdir -p "$1"/usr/share/man/man1',
      `--include=${packages.join(',')}`,
      ...hooks.map((hook) => `--customize-hook=${hook}`),
      release,
      tree,
      ...sources(release, work),
    ]
    await must('mmdebstrap', args, { timeoutMs: makeMs })
    renameSync(tree, image)
  } finally {
    // One that was cut off has left them: this machine's own must not be removed with the tree.
    for (const one of ['dev/pts', 'dev', 'sys', 'proc']) {
      const path = join(work, 'tree', one)
      if (await isMounted(path)) await must('umount', [path])
    }
    rmSync(work, { recursive: true, force: true })
  }
  return image
}

/** The mirror that this machine uses, if it says so in the new form. */
function sources(release: string, work: string): string[] {
  const file = '/etc/apt/sources.list.d/debian.sources'
  if (!existsSync(file)) return []
  const own = join(work, 'debian.sources')
  const names = new RegExp(
    Object.values(releases)
      .map(({ name }) => name)
      .join('|'),
    'g',
  )
  writeFileSync(own, readFileSync(file, 'utf8').replaceAll(names, release))
  return [own]
}

/** Programs that make, boot and look after hosts, with their Debian packages. */
const tools = [
  ['mmdebstrap', 'mmdebstrap'],
  ['systemd-nspawn', 'systemd-container'],
  ['iptables-restore', 'iptables'],
  ['ip', 'iproute2'],
  ['ssh', 'openssh-client'],
] as const

async function ensureTools(say: (line: string) => void): Promise<void> {
  const found = await Promise.all(tools.map(([program]) => run(program, ['--version'])))
  const missing = tools.filter((_, at) => found[at].code === 127).map(([, name]) => name)
  if (missing.length === 0) return
  say(`installing ${missing.join(', ')} (apt, once)`)
  const apt = ['-qq', '-o', 'DPkg::Lock::Timeout=600']
  const options = { env: { ...process.env, DEBIAN_FRONTEND: 'noninteractive' } }
  await must('apt-get', [...apt, 'update'], options)
  await must('apt-get', [...apt, 'install', '-y', '--no-install-recommends', ...missing], options)
}
