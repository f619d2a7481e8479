import { existsSync } from 'node:fs'
import { basename, dirname, resolve } from 'node:path'
import type { Command } from 'commander'
import { collect, wholeNumber } from '#scripts/options.ts'
import { CliError, errorLine, plain, printJson, printLine } from '#scripts/output.ts'
import { type HostsOptions, openHosts, withHosts } from '#scripts/remote/hosts.ts'
import { renewHostKey } from '#scripts/remote/host-keys.ts'
import { sign } from '#scripts/remote/sign.ts'
import { writeSshConfig } from '#scripts/remote/ssh-config.ts'
import { chosenHosts } from '#scripts/roll/fleet.ts'
import { defaultInventory, inventoryFrom } from './inventory.ts'

interface ConfigOptions {
  inventory: string
  hostCa: readonly string[]
  user: string
  identity?: string
  bastion?: string
  port?: number
  out?: string
  json?: true
}

interface SignOptions {
  ca: string
  as: readonly string[]
  for: string
  id?: string
  json?: true
}

interface RenewOptions extends HostsOptions {
  on?: string
  hostCa: string
  for?: string
  json?: true
}

/** Who may come to hosts, and by what they are known. */
export function addSsh(program: Command): void {
  const ssh = program
    .command('ssh')
    .summary('how people come to hosts: configuration, certificates, new host keys')
    .description(
      'How people and commands come to hosts: by plain OpenSSH, where authorities sign the keys of hosts and people. No key is\n' +
        'learnt at first sight, and none is copied to hosts.',
    )
  addConfig(ssh)
  addSign(ssh)
  addRenew(ssh)
}

function addConfig(ssh: Command): void {
  ssh
    .command('config')
    .summary('write what ssh needs to reach the hosts of an inventory')
    .description(
      'Writes `ssh_config` and `known_hosts` for the hosts of an inventory: `ssh -F ssh_config dc01-app1`.',
    )
    .option('--inventory <file>', 'the inventory', defaultInventory)
    .requiredOption(
      '--host-ca <file.pub>',
      'public key of the authority that signs host keys; repeatable, while one follows the other',
      collect,
    )
    .option('--user <name>', 'your account on the hosts', 'root')
    .option(
      '--identity <file>',
      "your private key, its certificate beside it (default: those of ssh's agent)",
    )
    .option('--bastion <host>', 'host of the inventory over which all others are reached')
    .option('--port <number>', 'of their sshd', wholeNumber(1, 65_535))
    .option('--out <dir>', 'default: that of the inventory')
    .option('--json', 'print JSON')
    .addHelpText(
      'after',
      '\nExample:\n  cinque ssh config --inventory cell.yaml --host-ca hosts-ca.pub --user ada --identity ~/.ssh/id_ed25519',
    )
    .action((options: ConfigOptions) => {
      const { inventory: file, hostCa, user, identity, bastion, port, out = dirname(file), json } = options
      const { hosts } = inventoryFrom(file)
      if (bastion !== undefined && !hosts.some(({ name }) => name === bastion)) {
        throw new CliError(`--bastion ${bastion}: the inventory has no such host`, { exitCode: 2 })
      }
      const missing = [...hostCa, ...(identity === undefined ? [] : [identity])].find(
        (path) => !existsSync(path),
      )
      if (missing !== undefined) throw new CliError(`cannot read ${missing}`, { exitCode: 2 })
      const written = writeSshConfig(resolve(out), {
        hosts,
        hostAuthorities: hostCa,
        user,
        identity: identity === undefined ? undefined : resolve(identity),
        bastion,
        port,
      })
      if (json === true) printJson({ file: written, hosts: hosts.length })
      else printLine(`${written}: ${hosts.length} hosts`)
    })
}

function addSign(ssh: Command): void {
  ssh
    .command('sign')
    .argument('<key.pub>', 'public key of a person')
    .summary('let a person in for some time')
    .description(
      'Signs the public key of a person, who then comes to all hosts that believe the authority (profile::ssh::authority) as\n' +
        'one of these accounts (profile::base::operators), until it ends. Nothing is changed on any host.',
    )
    .requiredOption(
      '--ca <file>',
      'private key of the authority for people; or its public one, the other in the agent',
    )
    .requiredOption('--as <account>', 'repeatable', collect)
    .option('--for <time>', 'how long: 12h, 7d', '1d')
    .option('--id <name>', 'who it is, in the logs of hosts (default: the name of the file)')
    .option('--json', 'print JSON')
    .addHelpText('after', '\nExample:\n  cinque ssh sign ada.pub --ca people-ca --as ada --for 12h')
    .action(async (key: string, { ca, as, for: validFor, id, json }: SignOptions) => {
      const { certificate, serial } = await sign(key, {
        authority: ca,
        id: id ?? basename(key, '.pub'),
        principals: as,
        kind: 'person',
        validFor,
      })
      if (json === true) printJson({ certificate, serial })
      else printLine(`${certificate}: ${as.join(', ')} for ${validFor}, serial ${serial}`)
    })
}

function addRenew(ssh: Command): void {
  withHosts(
    ssh
      .command('renew')
      .summary('give hosts new keys')
      .description(
        'Gives hosts new keys, one host after the other: made on the host, signed here, tried by a new connection while the old\n' +
          'one stays. A host that is not known by its new key gets the old one back, and the others are not touched.',
      )
      .addHelpText('after', "\nExample:\n  cinque ssh renew --on 'role=app' --host-ca hosts-ca"),
  )
    .requiredOption(
      '--host-ca <file>',
      'private key of the authority; or its public one, the other in the agent',
    )
    .option('--on <hosts>', "which: 'dc01 & role=app' (default: all)")
    .option('--for <time>', 'how long the certificate is good: 52w (default: without an end)')
    .action(async (options: RenewOptions) => {
      const { on, hostCa, for: validFor, json } = options
      const { inventory, remote } = openHosts(options)
      for (const host of chosenHosts(inventory, on)) {
        try {
          // oxlint-disable-next-line no-await-in-loop -- what goes wrong is to be seen on one host
          const { fingerprint } = await renewHostKey(remote, host, { authority: hostCa, validFor })
          if (json === true) printJson({ host: host.name, fingerprint })
          else printLine(`${host.name}  ${fingerprint}`)
        } catch (error) {
          if (error instanceof CliError) throw error
          throw new CliError(plain(errorLine(error)), { cause: error })
        }
      }
    })
}
