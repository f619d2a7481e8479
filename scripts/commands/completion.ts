import { Argument, type Command } from 'commander'
import { completionScript, type Shell, shells } from '#scripts/rest/completion.ts'

export function addCompletion(program: Command): void {
  program
    .command('completion')
    .addArgument(new Argument('<shell>').choices(shells))
    .description('print what makes the shell complete commands and options')
    .addHelpText(
      'after',
      '\nExample:\n  cinque completion bash > ~/.local/share/bash-completion/completions/cinque',
    )
    .action((shell: Shell) => {
      process.stdout.write(completionScript(program, shell))
    })
}
