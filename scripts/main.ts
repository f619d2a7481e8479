import { CommanderError } from 'commander'
import { errorCode, reportFailure } from './output.ts'

/** Runs the command line and ends the process: 0 done, 1 it failed, 2 it was asked for wrongly. */
export async function main(args: readonly string[]): Promise<never> {
  process.stdout.on('error', (error) => {
    // Whoever read it has seen enough: `cinque audit list | head`.
    if (errorCode(error) === 'EPIPE') process.exit(0)
    throw error
  })
  const code = await execute(args)
  process.exit(code === 0 ? process.exitCode : code)
}

/** Runs the command line, and gives its exit code. */
export async function execute(args: readonly string[]): Promise<number> {
  try {
    const { createProgram } = await (args[0] === 'healthcheck'
      ? import('./checker-program.ts')
      : import('./program.ts'))
    await createProgram().parseAsync(args, { from: 'user' })
    return 0
  } catch (error) {
    if (!(error instanceof CommanderError)) {
      const { failureOf } = await import('./client/failure.ts')
      return reportFailure(failureOf(error), args.includes('--json'))
    }
    return error.exitCode === 0 ? 0 : 2
  }
}
