import { randomBytes } from 'node:crypto'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Host } from '#platform/inventory/inventory.ts'
import type { Remote } from './remote.ts'
import { sign } from './sign.ts'

/** As puppet/modules/profile/templates/sshd.conf.epp has it; the variable is a host that is a directory. */
const key = '"${CINQUE_ROOT-}"/etc/ssh/ssh_host_ed25519_key'

/** Until sshd has read its keys again; connections that it takes before still have the old one. */
const shown = `
set -- $SSH_CONNECTION
tries=50
until ssh-keyscan -T 2 -t ed25519 -p "$4" "$3" 2>/dev/null | grep -qF "$(cut -d' ' -f2 "$key.pub")"; do
  tries=$((tries - 1)); [ $tries -gt 0 ] || { echo 'sshd does not show the key that it was given' >&2; exit 1; }
  sleep 0.2
done`

/**
 * Gives a host a new key, made there and signed here, and sees that it is known by it. Until then the connection with
 * the old key stays; a host that is not known by the new one gets the old one back. Rejects with an Error of one line.
 */
export async function renewHostKey(
  remote: Remote,
  host: Host,
  options: { authority: string; validFor?: string | undefined },
): Promise<{ fingerprint: string }> {
  const { name } = host
  const on = async (command: string, more: { input?: string; fresh?: boolean } = {}): Promise<string> => {
    const { code, stdout, stderr, failure } = await remote.run(host, `set -eu; key=${key}; ${command}`, more)
    if (failure !== null) throw new Error(failure)
    if (code === 0) return stdout.trim()
    throw new Error(`${name}: ${stderr.trim().split('\n').at(-1) ?? `sh ended with ${code}`}`)
  }
  // Two people at once do not take each other's.
  const own = `.new-${randomBytes(4).toString('hex')}`
  const publicKey = await on(
    `umask 077; ssh-keygen -q -t ed25519 -N '' -C ${name} -f "$key${own}"; cat "$key${own}.pub"`,
  )
  const certificate = await signed(publicKey, name, options)
  // What is there is kept as it was until the new one has proved itself.
  await on(
    `exec 9>"$key.lock"; flock -w 20 9
cat > "$key${own}-cert.pub"; chmod 644 "$key${own}.pub" "$key${own}-cert.pub"
for end in '' .pub -cert.pub; do [ ! -e "$key$end" ] || cp -p "$key$end" "$key.old$end"; done
for end in -cert.pub .pub ''; do mv -f "$key${own}$end" "$key$end"; done
sync; systemctl reload ssh`,
    { input: certificate },
  )
  try {
    await on(shown)
    const fingerprint = await on('ssh-keygen -lf "$key.pub"', { fresh: true })
    await on('rm -f "$key".old "$key".old.pub "$key".old-cert.pub')
    return { fingerprint: fingerprint.split(' ')[1] ?? fingerprint }
  } catch (error) {
    await on(
      `[ ! -e "$key.old" ] || { for end in -cert.pub .pub ''; do [ ! -e "$key.old$end" ] || mv -f "$key.old$end" "$key$end"; done; systemctl reload ssh; ${shown}
}`,
    )
    throw error
  }
}

async function signed(
  publicKey: string,
  name: string,
  { authority, validFor }: { authority: string; validFor?: string | undefined },
): Promise<string> {
  const work = mkdtempSync(join(tmpdir(), 'cinque-host-key-'))
  try {
    const file = join(work, 'key.pub')
    writeFileSync(file, `${publicKey}\n`)
    const { certificate } = await sign(file, {
      authority,
      id: name,
      principals: [name],
      kind: 'host',
      validFor,
    })
    return readFileSync(certificate, 'utf8')
  } finally {
    rmSync(work, { recursive: true, force: true })
  }
}
