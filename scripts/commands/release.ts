import type { Command } from 'commander'
import { ownTree, packRelease } from '#scripts/fleet/release.ts'
import { printJson, printLine } from '#scripts/output.ts'

interface PackOptions {
  tree?: string
  out: string
  json?: true
}

/** What hosts get by `cinque roll upgrade`. */
export function addRelease(program: Command): void {
  program
    .command('release')
    .description('releases of cinque, as hosts get them')
    .command('pack')
    .description(
      'Packs a checkout with what it needs to run as cinque-RELEASE.tar, and prints the name of the release.',
    )
    .summary('make a tar file of this checkout')
    .option('--tree <dir>', 'another checkout, with its packages installed (default: this one)')
    .option('--out <dir>', 'where to; `artifacts` beside the inventory is where upgrades look', 'artifacts')
    .option('--json', 'print JSON')
    .addHelpText('after', '\nExample:\n  cinque release pack --out artifacts')
    .action(async ({ tree = ownTree, out, json }: PackOptions) => {
      const release = await packRelease(tree, out)
      if (json === true) printJson({ release })
      else printLine(release)
    })
}
