import { CommanderError } from 'commander'
import { failureOf } from './client/failure.ts'
import { reportFailure } from './output.ts'
import { createProgram } from './program.ts'

/** Runs the command line and ends the process: 0 done, 1 it failed, 2 it was asked for wrongly. */
export async function main(args: readonly string[]): Promise<never> {
  try {
    await createProgram().parseAsync(args, { from: 'user' })
  } catch (error) {
    if (!(error instanceof CommanderError))
      process.exit(reportFailure(failureOf(error), args.includes('--json')))
    process.exit(error.exitCode === 0 ? 0 : 2)
  }
  process.exit()
}
