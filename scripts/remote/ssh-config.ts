import { mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Inventory } from '#platform/inventory/inventory.ts'

export interface SshAccess {
  readonly hosts: Inventory['hosts']
  /** Files with the public keys of the authorities that sign host keys; two while one follows the other. */
  readonly hostAuthorities: readonly string[]
  /** Who comes. */
  readonly user: string
  /** Private key; a certificate beside it (`-cert.pub`) is shown as well. Undefined: those of ssh's agent. */
  readonly identity?: string | undefined
  /** Of their sshd; default 22. */
  readonly port?: number | undefined
  /** Name of a host of the inventory over which all others are reached. */
  readonly bastion?: string | undefined
}

/**
 * Writes `ssh_config` and `known_hosts` into a directory, for `ssh -F DIRECTORY/ssh_config HOST`. A host is believed if an
 * authority has signed its key for its name: a reinstalled one is known at once. Answers the configuration's path. `there`:
 * where the directory will be when it is used.
 */
export function writeSshConfig(directory: string, access: SshAccess, there = directory): string {
  const { hosts, hostAuthorities, user, identity, port, bastion } = access
  mkdirSync(directory, { recursive: true, mode: 0o700 })
  const known = join(directory, 'known_hosts')
  const names = hosts.map(({ name }) => name).join(',')
  const keys = hostAuthorities.flatMap((file) => readFileSync(file, 'utf8').trim().split('\n'))
  write(known, keys.map((key) => `@cert-authority ${names} ${key}\n`).join(''))
  const lines = [
    '# Written by cinque.',
    ...hosts.flatMap(({ name, address }) => [
      `Host ${name}`,
      `  HostName ${address}`,
      // What its certificate must be for, wherever it is.
      `  HostKeyAlias ${name}`,
      // The bastion itself is reached directly.
      ...(bastion === undefined || bastion === name ? [] : [`  ProxyJump ${bastion}`]),
    ]),
    'Host *',
    `  User ${user}`,
    ...(port === undefined ? [] : [`  Port ${port}`]),
    ...(identity === undefined ? [] : [`  IdentityFile "${identity}"`, '  IdentitiesOnly yes']),
    `  UserKnownHostsFile "${join(there, 'known_hosts')}"`,
    '  GlobalKnownHostsFile /dev/null',
    '  StrictHostKeyChecking yes',
    '  PasswordAuthentication no',
  ]
  const file = join(directory, 'ssh_config')
  write(file, `${lines.join('\n')}\n`)
  return file
}

/** Whole or not at all: another command may read it. */
function write(file: string, text: string): void {
  writeFileSync(`${file}.new`, text)
  renameSync(`${file}.new`, file)
}
