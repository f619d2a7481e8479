import { readFileSync } from 'node:fs'
import { InvalidArgumentError, Option } from 'commander'
import type { FieldDescription } from '#scripts/codegen/operations.ts'
import { collect } from '#scripts/options.ts'
import { CliError, errorLine } from '#scripts/output.ts'

/** Names that mean something else on every command. */
const taken: ReadonlySet<string> = new Set([
  'url',
  'token',
  'data',
  'dc',
  'json',
  'context',
  'body',
  'columns',
  'output',
])

/** A field with the name of its option. */
export interface Asked extends FieldDescription {
  readonly flag: string
}

/** Fields of a query and a body with different flags: what a filter asks for is `--where-profile` if the body has it. */
export function flagged(
  query: readonly FieldDescription[],
  body: readonly FieldDescription[],
): { query: Asked[]; body: Asked[] } {
  const inBody = new Set(body.map(({ name }) => name))
  return {
    query: query.map((field) => ({
      ...field,
      flag: flagOf(inBody.has(field.name) ? `where_${field.name}` : field.name),
    })),
    body: body.map((field) => ({ ...field, flag: flagOf(field.name) })),
  }
}

/** `--seen-before`; `--by-dc` where the plain name has another meaning. */
function flagOf(name: string): string {
  return `--${taken.has(name) ? 'by-' : ''}${name.replaceAll('_', '-')}`
}

/** Commander's name of the option. */
export function attributeOf({ flag }: Asked): string {
  return flag.slice(2).replaceAll(/-(\w)/g, (_, letter: string) => letter.toUpperCase())
}

/** The option of a field of a query or body. */
export function optionOf({ flag, kind, choices, text = '', nullable }: Asked): Option {
  const hint = {
    text: 'text',
    integer: 'number',
    number: 'number',
    boolean: 'true|false',
    list: 'text',
    labels: 'key=value',
    json: 'json',
  }[kind]
  const more = [
    ...(kind === 'list' || kind === 'labels' ? ['repeatable'] : []),
    ...(nullable === true ? ['"null": none'] : []),
  ]
  const description = [text, more.length === 0 ? '' : `(${more.join('; ')})`]
    .filter((part) => part !== '')
    .join(' ')
  const option = new Option(`${flag} <${hint}>`, description)
  if (kind === 'list' || kind === 'labels') return option.argParser(collect)
  const allowed = kind === 'boolean' ? ['true', 'false'] : choices
  if (allowed !== undefined) option.choices(nullable === true ? [...allowed, 'null'] : allowed)
  else if (kind === 'integer' || kind === 'number') option.argParser(numberText)
  return option
}

function numberText(text: string): string {
  if (text === 'null' || (text.trim() !== '' && Number.isFinite(Number(text)))) return text
  throw new InvalidArgumentError('Expected a number.')
}

/** The JSON value of a field of a body from what was written on the command line. */
export function valueOf({ flag, kind, nullable }: Asked, given: unknown): unknown {
  if (nullable === true && (given === 'null' || (Array.isArray(given) && given.join() === 'null')))
    return null
  switch (kind) {
    case 'integer':
    case 'number':
      return Number(given)
    case 'boolean':
      return given === 'true'
    case 'labels':
      return Object.fromEntries((given as string[]).map((pair) => pairOf(flag, pair)))
    case 'json':
      return jsonOf(flag, String(given))
    default:
      return given
  }
}

function pairOf(flag: string, text: string): [string, string] {
  const at = text.indexOf('=')
  if (at > 0) return [text.slice(0, at), text.slice(at + 1)]
  throw new CliError(`${flag} ${text}: expected key=value`, { exitCode: 2 })
}

/** JSON, or that of a file: `@file`; `-`: of the standard input. */
export function jsonOf(flag: string, text: string): unknown {
  try {
    return JSON.parse(textOf(text))
  } catch (error) {
    throw new CliError(`${flag} ${text}: ${errorLine(error)}`, {
      exitCode: 2,
      remedy: 'Expected JSON, as \'{"on":true}\', or @FILE, or - for the standard input.',
      cause: error,
    })
  }
}

function textOf(text: string): string {
  if (text === '-') return readFileSync(0, 'utf8')
  return text.startsWith('@') ? readFileSync(text.slice(1), 'utf8') : text
}
