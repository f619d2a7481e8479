import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Host } from '#platform/inventory/inventory.ts'
import { run } from '#scripts/child-process.ts'
import { CliError, plain } from '#scripts/output.ts'
import type { Remote } from '#scripts/remote/remote.ts'
import { sign } from '#scripts/remote/sign.ts'

const contactMs = 60_000
/** Standard input is its certificate; the variable is a host that is a directory. */
const install = `set -eu; umask 022; etc="\${CINQUE_ROOT-}/etc/ssh"; key="$etc/ssh_host_ed25519_key"
cat > "$key-cert.pub.new"; mv "$key-cert.pub.new" "$key-cert.pub"
mkdir -p "$etc/sshd_config.d"
printf 'HostKey %s\\nHostCertificate %s-cert.pub\\n' "$key" "$key" > "$etc/sshd_config.d/00-install.conf"
sshd -t; systemctl reload ssh`

export interface FirstContact {
  /** `SHA256:...`, as the provider's console shows it. */
  readonly hostKey: string
  /** Authority that signs host keys; its public key, while the private one is in ssh's agent. */
  readonly hostCa: string
}

/** Whether a host answers with a key that is signed for its name. CliError: it does not, and nobody has said which key it has. */
export async function isReached(
  remote: Remote,
  host: Host,
  contact: FirstContact | undefined,
): Promise<boolean> {
  const { code, failure } = await remote.run(host, 'true', { timeoutMs: contactMs })
  if (code === 0) return true
  if (contact !== undefined && failure?.includes('host key is refused') === true) return false
  throw new CliError(plain(failure ?? `${host.name}: its shell ended with ${code}`), {
    remedy:
      "Of a new host: its fingerprint from the provider's console, and who signs: --host-key SHA256:... --host-ca hosts-ca",
  })
}

/**
 * The first time: asks the address for its key, believes it only if it has the fingerprint that somebody has read elsewhere,
 * signs it, and gives the host its certificate. CliError.
 */
export async function introduce(
  remoteOf: (knownHosts: string) => Remote,
  host: Host,
  { hostKey, hostCa, port }: FirstContact & { readonly port: string },
): Promise<void> {
  const work = mkdtempSync(join(tmpdir(), 'cinque-contact-'))
  try {
    const file = join(work, 'host.pub')
    writeFileSync(file, `${await keyOf(host, port, hostKey, work)}\n`)
    const { certificate } = await sign(file, {
      authority: hostCa,
      id: host.name,
      principals: [host.name],
      kind: 'host',
    })
    const known = join(work, 'known_hosts')
    writeFileSync(known, `${host.name} ${readFileSync(file, 'utf8')}`)
    const { code, stderr, failure } = await remoteOf(known).run(host, install, {
      input: { file: certificate },
      timeoutMs: contactMs,
      fresh: true,
    })
    if (code !== 0) throw new CliError(plain(failure ?? `${host.name}: ${stderr.trim()}`))
  } finally {
    rmSync(work, { recursive: true, force: true })
  }
}

/** The public key that answers at its address, if it is the one that was named. */
async function keyOf({ name, address }: Host, port: string, wanted: string, work: string): Promise<string> {
  const { stdout } = await run('ssh-keyscan', ['-T', '10', '-t', 'ed25519', '-p', port, address], {
    timeoutMs: contactMs,
  })
  const found = /^\S+ (ssh-ed25519 \S+)$/m.exec(stdout)?.[1]
  if (found === undefined) throw new CliError(`${name}: nothing shows an ed25519 key at ${address}`)
  const file = join(work, 'shown.pub')
  writeFileSync(file, `${found}\n`)
  const shown = (await run('ssh-keygen', ['-lf', file])).stdout.split(' ')[1] ?? ''
  if (shown === wanted) return found
  throw new CliError(
    `${name}: at ${address} is the key ${shown}, and not ${wanted}; nothing was sent to it`,
    {
      remedy:
        "Read the fingerprint at the provider's console again; if it is as you said, somebody else answers there.",
    },
  )
}
