import { existsSync, mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Host, Inventory } from '#platform/inventory/inventory.ts'
import { must } from '#scripts/child-process.ts'
import { type Remote, sshRemote } from '#scripts/remote/remote.ts'
import { writeSshConfig } from '#scripts/remote/ssh-config.ts'
import type { FleetDirectory } from './directory.ts'
import { routers } from './network.ts'

/**
 * ssh to the hosts of a fleet. Hosts prove themselves by certificates of the fleet's authority, so that a reinstalled one
 * with a new key is known at once, and any other is refused.
 */
export class FleetSsh {
  readonly remote: Remote
  readonly #directory: string

  constructor(fleet: FleetDirectory) {
    this.#directory = fleet.make('ssh')
    this.remote = sshRemote({
      config: join(this.#directory, 'ssh_config'),
      through: ['nsenter', `--net=/run/netns/${routers}`],
    })
  }

  async prepare({ hosts }: Inventory): Promise<void> {
    for (const name of ['hosts-ca', 'operator']) {
      const file = join(this.#directory, name)
      if (!existsSync(file)) {
        await must('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-C', `cinque fleet ${name}`, '-f', file])
      }
    }
    writeSshConfig(this.#directory, {
      hosts,
      hostAuthorities: [join(this.#directory, 'hosts-ca.pub')],
      user: 'root',
      identity: join(this.#directory, 'operator'),
    })
  }

  /** Gives a host that is mounted but not booted a key with a certificate, and lets the operator in. */
  async install({ name }: Host, root: string): Promise<void> {
    const key = join(root, 'etc/ssh/ssh_host_ed25519_key')
    if (!existsSync(key)) await must('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-C', name, '-f', key])
    const sign = ['-q', '-s', join(this.#directory, 'hosts-ca'), '-I', name, '-h', '-n', name]
    await must('ssh-keygen', [...sign, `${key}.pub`])
    mkdirSync(join(root, 'etc/ssh/sshd_config.d'), { recursive: true })
    writeFileSync(
      join(root, 'etc/ssh/sshd_config.d/00-install.conf'),
      'HostKey /etc/ssh/ssh_host_ed25519_key\nHostCertificate /etc/ssh/ssh_host_ed25519_key-cert.pub\n',
    )
    mkdirSync(join(root, 'root/.ssh'), { recursive: true, mode: 0o700 })
    const operator = await must('cat', [join(this.#directory, 'operator.pub')])
    writeFileSync(join(root, 'root/.ssh/authorized_keys'), operator, { mode: 0o600 })
  }
}
