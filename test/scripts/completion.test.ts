import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import { expect } from 'chai'
import { createProgram } from '#scripts/program.ts'
import { completionScript } from '#scripts/rest/completion.ts'
import { runHere } from './cli-runner.ts'

describe('completion', () => {
  /** What bash offers for the last word. */
  async function offered(...words: string[]): Promise<string[]> {
    const script = `${completionScript(createProgram(), 'bash')}
COMP_WORDS=(${words.map((word) => `'${word}'`).join(' ')})
COMP_CWORD=${words.length - 1}
_cinque
printf '%s\\n' "\${COMPREPLY[@]}"`
    const { stdout } = await promisify(execFile)('bash', ['-c', script])
    return stdout.trimEnd().split('\n')
  }

  it('offers commands, verbs and options in bash', async () => {
    expect(await offered('cinque', 'devi')).to.deep.equal(['devices'])
    expect(await offered('cinque', 'devices', 'r')).to.deep.equal(['rm', 'rotate', 'rm-many'])
    expect(await offered('cinque', 'devices', 'list', '--seen')).to.deep.equal([
      '--seen-before',
      '--seen-after',
    ])
    expect(await offered('cinque', 'twins', 'show', 'pump-1', '--con')).to.deep.equal(['--context'])
  })

  it('knows every verb in each shell, and no other shell', async () => {
    for (const shell of ['bash', 'zsh', 'fish']) {
      const { code, stdout } = await runHere('completion', shell)
      expect(code).to.equal(0)
      for (const path of ['devices list', 'telemetry history', 'context use'])
        expect(stdout, shell).to.include(`'${path}'`)
    }
    const other = await runHere('completion', 'tcsh')
    expect(other.code).to.equal(2)
    expect(other.stderr).to.include('Allowed choices are bash, zsh, fish')
  })

  it('has an example in the help of every verb', async () => {
    for (const command of createProgram().commands) {
      for (const { parent, name } of command.commands.map((verb) => ({
        parent: command.name(),
        name: verb.name(),
      }))) {
        if (['dc', 'schema'].includes(parent)) continue
        const { stdout } = await runHere(parent, name, '--help')
        expect(stdout, `${parent} ${name}`).to.include(`\nExample:\n  cinque ${parent} ${name}`)
      }
    }
  })
})
