import type { Command } from 'commander'
import { addHealthcheck } from './commands/healthcheck.ts'
import { emptyProgram } from './empty-program.ts'

/** The command line of a checker, which runs on the smallest machines: without the code of all other commands, 40 MB. */
export function createProgram(): Command {
  const program = emptyProgram()
  addHealthcheck(program)
  return program
}
