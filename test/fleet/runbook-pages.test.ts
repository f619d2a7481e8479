import { existsSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { expect } from 'chai'
import type { Command } from 'commander'
import { createProgram } from '#scripts/program.ts'
import { runbookPages, wordsOf } from './runbook-pages.ts'

const program = createProgram()

/** Why a command line would be refused before anything is done; null: it would not be. */
function refusalOf(words: readonly string[]): string | null {
  let command: Command = program
  const left = [...words]
  for (;;) {
    const next = command.commands.find((one) => one.name() === left[0])
    if (next === undefined) break
    command = next
    left.shift()
  }
  if (command.commands.length > 0) return `there is no command "${left[0]}" of ${command.name()}`
  let given = 0
  while (left.length > 0) {
    const word = left.shift() ?? ''
    if (word === '--') {
      given += left.length
      break
    }
    if (!word.startsWith('--')) {
      given++
      continue
    }
    const option = command.options.find(({ long }) => long === word)
    if (option === undefined) return `${command.name()} has no option ${word}`
    if (!option.required && !option.optional) continue
    const value = left.shift()
    if (value === undefined) return `${word} has no value`
    if (option.argChoices?.includes(value) === false) return `${word} cannot be ${value}`
    option.parseArg?.(value, undefined)
  }
  const wanted = command.registeredArguments
  const least = wanted.filter(({ required }) => required).length
  const most = wanted.some(({ variadic }) => variadic) ? Infinity : wanted.length
  if (given < least || given > most) return `${command.name()} does not take ${given} arguments`
  const missing = command.options.find(({ mandatory, long }) => mandatory && !words.includes(long ?? ''))
  return missing === undefined ? null : `${command.name()} needs ${missing.long}`
}

describe('pages about what to do', () => {
  it('have commands that there are: who is called at night types them as they stand', () => {
    const wrong = runbookPages().flatMap(({ name, commands }) =>
      commands.flatMap((line) => {
        const [first, ...words] = wordsOf(line)
        const refusal = first === 'cinque' ? refusalOf(words) : 'it is no command of cinque'
        return refusal === null ? [] : [`${name}: ${line}: ${refusal}`]
      }),
    )
    expect(wrong).to.deep.equal([])
  })

  it('name no other command that there is not', () => {
    const wrong = runbookPages().flatMap(({ name, text }) =>
      Array.from(text.matchAll(/`cinque ([a-z][^`]*)`/g)).flatMap(([, line]) => {
        const nouns = wordsOf(line).filter((word) => /^[a-z-]+$/.test(word))
        let command: Command = program
        for (const word of nouns) {
          const next = command.commands.find((one) => one.name() === word)
          if (next === undefined) break
          command = next
        }
        return command.parent === null ? [`${name}: cinque ${line}`] : []
      }),
    )
    expect(wrong).to.deep.equal([])
  })

  it('say for an alert what it means, where to look, what to do, and when it is over', () => {
    for (const { name, text, commands } of runbookPages()) {
      if (!name.startsWith('alerts/')) continue
      const headings = Array.from(text.matchAll(/^#+ (.*)$/gm), ([, heading]) => heading)
      expect(headings, name).to.deep.equal([name.slice(7, -3), 'Look', 'Do', 'Over'])
      expect(commands, name).not.to.deep.equal([])
    }
  })

  it('lead to pages that there are', () => {
    const lost = runbookPages().flatMap(({ name, path, text }) =>
      Array.from(text.matchAll(/\]\(([^)#:]+)(?:#[^)]*)?\)/g)).flatMap(([, link]) =>
        existsSync(join(dirname(path), link)) ? [] : [`${name}: ${link}`],
      ),
    )
    expect(lost).to.deep.equal([])
  })
})
