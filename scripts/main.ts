import { CommanderError } from 'commander'
import { createProgram } from '#scripts/program.ts'
import { reportFailure } from '#scripts/output.ts'

/** Runs the command line and ends the process: 0 done, 1 it failed, 2 it was asked for wrongly. */
export async function main(args: readonly string[]): Promise<void> {
  try {
    await createProgram().parseAsync(args, { from: 'user' })
  } catch (error) {
    if (error instanceof CommanderError) process.exitCode = error.exitCode === 0 ? 0 : 2
    else process.exitCode = reportFailure(error, args.includes('--json'))
  }
}
