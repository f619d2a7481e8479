import type { Command } from 'commander'
import { configHelp } from '#scripts/config/help.ts'
import { backupConfig } from '#scripts/backup/config.ts'
import { said } from '#scripts/backup/open.ts'
import type { VerbOptions } from '#scripts/backup/verbs.ts'

/** Loaded when they are used: other commands start without them. */
const verbs = () => import('#scripts/backup/verbs.ts')

export function addBackup(program: Command): void {
  const backup = program
    .command('backup')
    .summary('make, list, check and prune backups')
    .description('Makes, lists, checks and prunes backups of a cell, or of the data of one process.')
    .addHelpText('after', () => `\n${configHelp(backupConfig)}`)
  const verb = (name: string, description: string, words = ''): Command =>
    backup
      .command(name)
      .description(description)
      .requiredOption('--config <file>', 'what is backed up and where to, in YAML or JSON')
      .option('--json', 'print JSON')
      .addHelpText('after', `\nExample:\n  cinque backup ${name}${words} --config backup.yaml`)
  verb('init', 'make the repository, and the key if there is none').action((options: VerbOptions) =>
    said(async () => (await verbs()).init(options)),
  )
  verb('run', 'make a backup now; only what the storage does not have is sent')
    .option('--note', 'count and hash all rows, for a drill (without either: in the first backup of a day)')
    .option('--no-note', 'read no rows: where drills have a backup of their own')
    .action((options: VerbOptions & { note?: boolean }) => said(async () => (await verbs()).run(options)))
  verb('list', 'list backups and their age').action((options: VerbOptions) =>
    said(async () => (await verbs()).list(options)),
  )
  verb('show', 'show what is in a backup', ' 20261121T020000Z')
    .argument('<backup>', 'its id')
    .action((id: string, options: VerbOptions) =>
      said(async () => (await verbs()).show({ ...options, backup: id })),
    )
  verb('verify', 'see whether all that backups need is there')
    .option('--read', 'read and decrypt every byte')
    .option('--backup <id>', 'only this one')
    .action((options: VerbOptions & { read?: true; backup?: string }) =>
      said(async () => (await verbs()).check(options)),
    )
  verb('prune', 'forget backups that the retention does not keep, and delete what none needs')
    .option('--dry-run', 'only say which')
    .action((options: VerbOptions & { dryRun?: true }) => said(async () => (await verbs()).sweep(options)))
}
