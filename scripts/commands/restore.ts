import type { Command } from 'commander'
import { said } from '#scripts/backup/open.ts'
import type { RestoreOptions } from '#scripts/backup/restore.ts'

/** Loaded when they are used: other commands start without them. */
const verbs = () => import('#scripts/backup/restore.ts')

export function addRestore(program: Command): void {
  const restore = program
    .command('restore')
    .summary('restore backups, or try whether they can be')
    .description(
      'Restores a backup, or one table or organisation of it. What has data already is refused, and left as it is.',
    )
  const verb = (name: string, description: string, words = ''): Command =>
    restore
      .command(name)
      .description(description)
      .requiredOption('--config <file>', 'that of `cinque backup`')
      .option('--backup <id>', 'which one (default: the newest)')
      .option('--json', 'print JSON')
      .addHelpText('after', `\nExample:\n  cinque restore ${name}${words} --config backup.yaml`)
  const into = '--into <dir>'
  verb('all', 'restore everything')
    .option(into, 'empty directory for the data of one process (of a cell: the cluster in the configuration)')
    .action((options: RestoreOptions) => said(async () => (await verbs()).restoreAll(options)))
  verb('table', 'restore one table, which must be empty', ' device')
    .argument('<table>', 'its name')
    .option(into, 'directory with the data of one process (without it: the cluster in the configuration)')
    .action((table: string, options: RestoreOptions) =>
      said(async () => (await verbs()).restoreTable({ ...options, table })),
    )
  verb('organisation', 'restore one organisation, which must not be there', ' acme')
    .argument('<organisation>', 'its id')
    .option(into, 'directory with the data of one process (without it: the cluster in the configuration)')
    .action((organisation: string, options: RestoreOptions) =>
      said(async () => (await verbs()).restoreOrganisation({ ...options, organisation })),
    )
  verb('files', 'restore inventory and secrets', ' --into secrets')
    .requiredOption(into, 'empty directory')
    .action((options: RestoreOptions) => said(async () => (await verbs()).restoreFiles(options)))
  verb('drill', 'restore into a scratch place, compare all rows, remove it').action(
    (options: RestoreOptions) => said(async () => (await verbs()).drill(options)),
  )
}
