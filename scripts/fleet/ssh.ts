import { existsSync, mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Host } from '#platform/inventory/inventory.ts'
import { type CommandOptions, type Finished, must, run } from './command.ts'
import type { FleetDirectory } from './directory.ts'
import { routers } from './network.ts'

/** How long a host may take to answer. */
const connectSeconds = 10

/**
 * ssh to the hosts of a fleet. Hosts prove themselves by certificates of the fleet's authority, so that a reinstalled one
 * with a new key is known at once, and any other is refused.
 */
export class FleetSsh {
  readonly #directory: string
  readonly #fleet: FleetDirectory

  constructor(fleet: FleetDirectory) {
    this.#fleet = fleet
    this.#directory = fleet.make('ssh')
  }

  async prepare(): Promise<void> {
    for (const name of ['hosts-ca', 'operator']) {
      const file = join(this.#directory, name)
      if (!existsSync(file)) {
        await must('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-C', `cinque fleet ${name}`, '-f', file])
      }
    }
    const authority = await must('cat', [join(this.#directory, 'hosts-ca.pub')])
    writeFileSync(join(this.#directory, 'known_hosts'), `@cert-authority 10.60.* ${authority}`)
  }

  /** Gives a host that is mounted but not booted a key with a certificate, and lets the operator in. */
  async install({ name, address }: Host, root: string): Promise<void> {
    const key = join(root, 'etc/ssh/ssh_host_ed25519_key')
    if (!existsSync(key)) await must('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-C', name, '-f', key])
    const sign = ['-q', '-s', join(this.#directory, 'hosts-ca'), '-I', name, '-h', '-n', address]
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

  /** Runs a shell command on a host as root. */
  run(host: Host, command: string, options: CommandOptions = {}): Promise<Finished> {
    return run('nsenter', [...this.command(host), command], options)
  }

  /** Arguments of nsenter up to the command: also for a session of a person. */
  command({ address }: Host, options: readonly string[] = ['-o', 'BatchMode=yes']): string[] {
    const control = join(this.#fleet.make('ssh', 'control'), '%h')
    return [
      `--net=/run/netns/${routers}`,
      'ssh',
      ...options,
      '-i',
      join(this.#directory, 'operator'),
      '-o',
      'IdentitiesOnly=yes',

      '-o',
      'StrictHostKeyChecking=yes',
      '-o',
      `UserKnownHostsFile=${join(this.#directory, 'known_hosts')}`,
      '-o',
      `ConnectTimeout=${connectSeconds}`,
      '-o',
      'ServerAliveInterval=5',
      '-o',
      'LogLevel=ERROR',
      '-o',
      'ControlMaster=auto',
      '-o',
      'ControlPersist=60',
      '-o',
      `ControlPath=${control}`,
      `root@${address}`,
    ]
  }

  /** Ends the connections that are kept open for the next command. */
  async close(hosts: readonly Host[]): Promise<void> {
    await Promise.all(
      hosts.map((host) => run('nsenter', this.command(host, ['-O', 'exit', '-o', 'BatchMode=yes']))),
    )
  }
}
