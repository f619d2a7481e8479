import { type Command, InvalidArgumentError } from 'commander'
import type { Host } from '#platform/inventory/inventory.ts'
import { wholeNumber } from '#scripts/options.ts'
import { CliError } from '#scripts/output.ts'
import { withHosts } from '#scripts/remote/hosts.ts'
import { addNode } from '#scripts/node/add.ts'
import type { NodeOptions } from '#scripts/node/place.ts'
import { removeNode, type RemoveOptions } from '#scripts/node/remove.ts'
import { begin, type PlanOptions } from '#scripts/roll/begin.ts'

interface AddGiven extends NodeOptions {
  dc?: string
  address?: string
  roles?: Host['roles']
  brokers?: number
  hostKey?: string
  hostCa?: string
}

/** Hosts that come and go. */
export function addNodeVerbs(program: Command): void {
  const group = program
    .command('node')
    .summary('add a host to the cell, remove one, make one anew')
    .description(
      'Adds a host to the cell, removes one, makes one anew, while the platform goes on. Each may be called again after it was\n' +
        'interrupted, and goes on where it was.',
    )
  withCell(
    group,
    'add',
    'make a host a member of the cell',
    'dc01-app3 --dc dc01 --address 192.0.2.9 --roles app',
  )
    .option('--dc <name>', 'of a host that the inventory does not have yet: it is written there')
    .option('--address <ip>', 'likewise')
    .option('--roles <names>', 'likewise: app, db, or db,app', roles)
    .option('--brokers <n>', 'likewise: broker processes, one for each core', wholeNumber(1, 64))
    .option(
      '--host-key <fingerprint>',
      "of a host that was never met: SHA256:..., from the provider's console",
    )
    .option(
      '--host-ca <file>',
      'the authority that signs its key then; or its public key, the other in the agent',
    )
    .action((name: string, given: AddGiven) => {
      const { dc, address, roles: given_roles, brokers, hostKey, hostCa, ...options } = given
      if ((hostKey === undefined) !== (hostCa === undefined))
        throw new CliError('--host-key and --host-ca belong together', { exitCode: 2 })
      const named = [dc, address, given_roles].filter((one) => one !== undefined).length
      if (named !== 0 && named !== 3)
        throw new CliError('--dc, --address and --roles belong together', { exitCode: 2 })
      const host =
        dc === undefined || address === undefined || given_roles === undefined
          ? undefined
          : { dc, address, roles: given_roles, ...(brokers === undefined ? {} : { brokers }) }
      const contact = hostKey === undefined || hostCa === undefined ? undefined : { hostKey, hostCa }
      return addNode(name, { ...options, host, contact })
    })
  withCell(group, 'remove', 'take a host out of the cell for good', 'dc01-app3')
    .option('--dead', 'it does not answer, and will not come back')
    .option(
      '--leave-backups',
      'the backups, or the key of them, that only it has are copied elsewhere, or may be lost',
    )
    .option('--yes', 'do not ask')
    .action((name: string, options: RemoveOptions) => removeNode(name, options))
  withCell(
    group,
    'rebuild',
    'wipe a host and make it anew: as `cinque roll reinstall --on NAME`',
    'dc01-app3',
  )
    .option('--rebuild <command>', 'has the provider of a rented host make $CINQUE_HOST anew')
    .option('--reason <text>', 'for those who read what was done', 'asked for by hand')
    .action((name: string, options: Omit<PlanOptions, 'on'>) => {
      // Without either of both a roll is about processes of this machine.
      const { fleet, inventory = fleet === undefined ? 'cell.yaml' : undefined } = options
      const where = inventory === undefined ? {} : { inventory }
      return begin('reinstall', { ...options, ...where, on: `host=${name}` })
    })
}

function withCell(group: Command, verb: string, text: string, example: string): Command {
  return withHosts(
    group
      .command(verb)
      .argument('<name>', 'of the host, as in the inventory')
      .summary(text)
      .description(`${text.charAt(0).toUpperCase()}${text.slice(1)}.`)
      .addHelpText('after', `\nExample:\n  cinque node ${verb} ${example}`),
  )
    .option('--context <name>', 'for the REST API: one that `cinque login` made (default: the one in use)')
    .option('--plan', 'only print what would be done')
}

function roles(text: string): Host['roles'] {
  const all = text.split(',').map((one) => one.trim())
  const known = (['db', 'app', 'checker'] as const).filter((one) => all.includes(one))
  if (known.length === all.length) return [...known]
  throw new InvalidArgumentError('Roles are db, app, checker, with commas between.')
}
