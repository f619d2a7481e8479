import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { chmodSync, copyFileSync, existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { dirname, join } from 'node:path'
import { userInfo } from 'node:os'
import pino from 'pino'
import { installPackages } from '#cassandra/local/java.ts'
import { checkInventory, type Inventory } from '#platform/inventory/inventory.ts'
import { must, run } from '#scripts/child-process.ts'
import { type Remote, sshRemote } from '#scripts/remote/remote.ts'
import { writeSshConfig } from '#scripts/remote/ssh-config.ts'

const program = '/usr/sbin/sshd'

/** sshd itself; installed where it is missing and we may. */
async function ensureSshd(): Promise<void> {
  // It says its version only as a complaint about how it was called.
  const { code } = await run(program, ['-V'])
  if (code === 127) await installPackages(pino({ level: 'silent' }), ['openssh-server'], 'sshd')
  if (process.getuid?.() === 0) mkdirSync('/run/sshd', { recursive: true, mode: 0o755 })
}

/**
 * Hosts that are an sshd each, at addresses of the loopback network, with host keys and people's keys signed by
 * authorities, as Puppet sets them up.
 */
export class SshHosts {
  readonly directory: string
  readonly inventory: Inventory
  readonly config: string
  readonly remote: Remote
  readonly port: number
  readonly #servers = new Map<string, ChildProcess>()

  private constructor(directory: string, inventory: Inventory, port: number) {
    this.directory = directory
    this.inventory = inventory
    this.port = port
    this.config = writeSshConfig(directory, {
      hosts: inventory.hosts,
      hostAuthorities: [join(directory, 'host-ca.pub')],
      user: userInfo().username,
      identity: join(directory, 'person'),
      port,
    })
    this.remote = sshRemote({ config: this.config })
  }

  static async start(directory: string): Promise<SshHosts> {
    await ensureSshd()
    for (const name of ['host-ca', 'people-ca', 'person']) await newKey(join(directory, name))
    await signPerson(directory, 'person', userInfo().username)
    const hosts = new SshHosts(directory, inventoryOf(await freePort()), await freePort())
    writeFileSync(join(directory, 'revoked.pub'), '')
    writeFileSync(join(directory, 'inventory.yaml'), JSON.stringify(hosts.inventory))
    for (const { name } of hosts.inventory.hosts) await hosts.boot(name)
    return hosts
  }

  /** A directory that stands for the host's disk. */
  home(name: string): string {
    return join(this.directory, 'hosts', name)
  }

  /** With a new key, as after a reinstallation. `authority`: who signs it, and `as`: for which host. */
  async boot(name: string, authority = 'host-ca', as = name): Promise<void> {
    const home = this.home(name)
    const key = hostKey(home)
    mkdirSync(dirname(key), { recursive: true })
    await must('rm', ['-f', key, `${key}.pub`, `${key}-cert.pub`])
    await newKey(key)
    await must('ssh-keygen', [
      '-q',
      '-s',
      join(this.directory, authority),
      '-I',
      as,
      '-h',
      '-n',
      as,
      `${key}.pub`,
    ])
    const { address } = this.inventory.hosts.find((host) => host.name === name) ?? { address: '' }
    const config = [
      `ListenAddress ${address}:${this.port}`,
      `HostKey ${key}`,
      `HostCertificate ${key}-cert.pub`,
      `TrustedUserCAKeys ${join(this.directory, 'people-ca.pub')}`,
      `RevokedKeys ${join(this.directory, 'revoked.pub')}`,
      'AuthorizedKeysFile none',
      `PidFile ${join(home, 'sshd.pid')}`,
      'UsePAM no',
      'PermitRootLogin prohibit-password',
      'PasswordAuthentication no',
      'KbdInteractiveAuthentication no',
      'AllowTcpForwarding local',
      // Programs of the host's own before those of the machine.
      `SetEnv PATH=${join(home, 'bin')}:/usr/sbin:/usr/bin:/sbin:/bin CINQUE_HOST=${name} CINQUE_ROOT=${home}`,
    ]
    writeFileSync(join(home, 'sshd_config'), `${config.join('\n')}\n`)
    const server = spawn(program, ['-D', '-e', '-f', join(home, 'sshd_config')], {
      stdio: ['ignore', 'ignore', 'pipe'],
    })
    this.#servers.set(name, server)
    if (!existsSync(join(home, 'bin', 'systemctl'))) {
      this.program(name, 'systemctl', `[ "$*" = 'reload ssh' ] && kill -HUP $(cat ${join(home, 'sshd.pid')})`)
    }
    await new Promise<void>((resolve, reject) => {
      let said = ''
      server.stderr.setEncoding('utf8').on('data', (text: string) => {
        said += text
        if (said.includes('Server listening')) resolve()
      })
      server.once('exit', () => reject(new Error(`sshd of ${name} ended: ${said}`)))
    })
  }

  /** Gives a host a program of its own, before the machine's of that name. */
  program(name: string, called: string, script: string): void {
    const bin = join(this.home(name), 'bin')
    mkdirSync(bin, { recursive: true })
    writeFileSync(join(bin, called), `#!/bin/sh\n${script}\n`)
    chmodSync(join(bin, called), 0o755)
  }

  async shutDown(name: string): Promise<void> {
    const server = this.#servers.get(name)
    this.#servers.delete(name)
    await this.remote.close([{ name }])
    if (server === undefined || server.exitCode !== null) return
    server.kill()
    await once(server, 'exit')
  }

  /** Ends what runs on it and connections of others to it, as a power failure does. */
  async hangUp(name: string): Promise<void> {
    const listed = await must('ps', ['-eo', 'pid=,args='])
    const mine = new RegExp(String.raw`^\s*(\d+) .*${this.home(name)}/`)
    const pids = listed.split('\n').flatMap((line) => mine.exec(line)?.[1] ?? [])
    for (const pid of pids) process.kill(Number(pid), 'SIGKILL')
  }

  async stop(): Promise<void> {
    for (const { name } of this.inventory.hosts) await this.shutDown(name)
  }
}

export function hostKey(home: string): string {
  return join(home, 'etc/ssh/ssh_host_ed25519_key')
}

/** Signs a key of a person for an account, by the hosts' authority for people or by `authority`. */
export async function signPerson(
  directory: string,
  key: string,
  account: string,
  authority = 'people-ca',
): Promise<void> {
  const sign = ['-q', '-s', join(directory, authority), '-I', 'test', '-n', account]
  await must('ssh-keygen', [...sign, join(directory, `${key}.pub`)])
}

export async function newKey(file: string): Promise<void> {
  await must('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-C', 'cinque test', '-f', file])
}

export function copyKey(from: string, to: string): void {
  for (const end of ['', '.pub', '-cert.pub']) copyFileSync(from + end, to + end)
  writeFileSync(to, readFileSync(from), { mode: 0o600 })
}

function inventoryOf(checker: number): Inventory {
  const dc = (name: string, number: number, kind: 'live' | 'backup') => ({
    name,
    number,
    kind,
    place: name,
    replicas: 1,
    location: [50, number],
  })
  const host = (name: string, inDc: string, roles: string[], at: number) => ({
    name,
    dc: inDc,
    roles,
    address: `127.60.0.${at}`,
  })
  return checkInventory(
    {
      cell: 'test',
      health: { quorum: 1 },
      ports: { checker },
      dcs: [dc('dc01', 1, 'live'), dc('dcb1', 4, 'backup')],
      hosts: [
        host('dc01-db1', 'dc01', ['db'], 1),
        host('dc01-app1', 'dc01', ['app', 'checker'], 2),
        host('dcb1-n1', 'dcb1', ['db', 'app'], 3),
      ],
    },
    'the inventory of the test',
  )
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.60.0.1')
  await once(server, 'listening')
  const address = server.address()
  server.close()
  await once(server, 'close')
  return typeof address === 'object' && address !== null ? address.port : 0
}
