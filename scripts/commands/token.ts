import type { Command } from 'commander'
import { defaultCellData, findTarget, type TargetOptions } from '#scripts/client/target.ts'
import { printJson, printLine } from '#scripts/output.ts'

export function addToken(program: Command): void {
  program
    .command('token')
    .description('print the API token of the running `cinque dev`')
    .addHelpText('after', '\nExample:\n  cinque token')
    .option('--data <dir>', 'its data directory (default: "./cinque-data")')
    .option('--dc <name>', `datacenter of \`cinque dev --dcs\` (its data: "${defaultCellData}")`)
    .option('--json', 'print JSON')
    .action((options: TargetOptions & { json?: true }) => {
      const { token, url } = findTarget(options)
      if (options.json === true) printJson({ url, token })
      else printLine(token)
    })
}
