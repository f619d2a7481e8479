import { type Command, Option } from 'commander'
import type { AnyRequest, CinqueClient, EventPath, PathsOf } from '#client/index.ts'
import type { OperationDescription } from '#scripts/codegen/operations.ts'
import { withTarget } from '#scripts/client/target.ts'
import { wholeNumber } from '#scripts/options.ts'
import { CliError, printJson, printLine } from '#scripts/output.ts'
import { connectTo, type PlatformOptions, withTestFleet } from '#scripts/remote/hosts.ts'
import { type Asked, attributeOf, flagged, jsonOf, optionOf, valueOf } from './fields.ts'
import { operations } from './operations.ts'
import { showList, showOne } from './show.ts'
import { printEvents, sendFile, writeStream } from './transfer.ts'

type OperationId = keyof typeof operations

/** A verb of the command line: an operation of the API, whose parameters are its arguments and options. */
interface Verb {
  readonly name: string
  readonly operation: OperationId
  /** What is written after the command. */
  readonly example: string
  /** Fields of the body or query that are arguments after those of the path. */
  readonly args?: readonly string[]
  /** Argument that is a file, for operations that take one. */
  readonly file?: true
  /** Columns of a list. */
  readonly columns?: readonly string[]
  /** Name of a list in JSON, if it is not that of the noun. */
  readonly list?: string
  /** What happened to the thing named by the last argument: `removed`. */
  readonly done?: string
  /** What a list without items says. */
  readonly empty?: string
  /** Prints an answer that is no list, unless as JSON. */
  readonly print?: (answer: never) => void
  /** Instead of the summary of the operation. */
  readonly text?: string
}

export interface Noun {
  readonly name: string
  readonly text: string
  readonly verbs: readonly Verb[]
  /** Adds verbs that are more than one operation. */
  readonly more?: (command: Command) => void
}

interface Given extends PlatformOptions {
  json?: true
  limit?: number
  body?: string
  columns?: string
  output?: string
  ifMatch?: string
  [field: string]: unknown
}

/** Adds the noun with its verbs to the command line. */
export function addNoun(program: Command, { name, text, verbs, more }: Noun): Command {
  const command = program.command(name).description(text).helpCommand(false)
  for (const verb of verbs) addVerb(command, name, verb)
  more?.(command)
  return command
}

function addVerb(parent: Command, noun: string, verb: Verb): void {
  const operation: OperationDescription = operations[verb.operation]
  const { args = [] } = verb
  const inPath = Array.from(operation.path.matchAll(/\{(\w+)\}/g), ([, name]) => name)
  const asked = flagged(operation.query, operation.body ?? [])
  const fields = [...asked.query, ...asked.body]
  const command = parent
    .command(verb.name)
    .description(verb.text ?? lowerFirst(operation.summary))
    .addHelpText('after', `\nExample:\n  cinque ${noun} ${verb.name}${verb.example && ` ${verb.example}`}`)
  for (const name of inPath) command.argument(`<${name}>`)
  for (const name of args) command.argument(`<${name}>`, fieldNamed(fields, name).text)
  if (verb.file === true) command.argument('<file>', '"-": the standard input')
  const paged = operation.answer === 'page'
  for (const field of fields) {
    // What is secret is not for the list of processes: --body has it, from a file.
    if (args.includes(field.name) || field.name.endsWith('password')) continue
    if (paged && (field.name === 'cursor' || field.name === 'limit')) continue
    command.addOption(optionOf(field))
  }
  addOwnOptions(command, operation, verb)
  withTestFleet(withTarget(command)).action(async (...called: unknown[]) => {
    const given = (called.at(-1) as Command).opts<Given>()
    const words = called.slice(0, -2) as string[]
    await run(noun, verb, operation, { words, inPath, given })
  })
}

function addOwnOptions(command: Command, { answer, body, ifMatch }: OperationDescription, verb: Verb): void {
  if (answer === 'page')
    command.option('--limit <n>', 'at most this many (default: all)', wholeNumber(1, 1e9))
  if (verb.columns !== undefined)
    command.option('--columns <names>', `with commas between (default: ${verb.columns.join(',')})`)
  if (body !== null)
    command.addOption(
      new Option('--body <json>', 'the whole body, or more of it; @FILE; "-": standard input'),
    )
  if (ifMatch) command.option('--if-match <etag>', 'only if it is still this version')
  if (isFile(answer)) command.option('--output <file>', 'write into this file')
}

interface Call {
  readonly words: readonly string[]
  readonly inPath: readonly string[]
  readonly given: Given
}

async function run(noun: string, verb: Verb, operation: OperationDescription, call: Call): Promise<void> {
  const { given, words } = call
  const json = given.json === true
  const client = connectTo(given)
  const request = requestOf(operation, verb, call)
  const path = operation.path as PathsOf<'get'>
  if (operation.answer === 'text/event-stream')
    return printEvents(client, operation.path as EventPath, request, json)
  if (isFile(operation.answer)) return writeStream(await client.stream(path, request), given.output)
  if (operation.answer === 'page' || operation.answer === 'list') {
    const columns = given.columns?.split(',') ?? verb.columns ?? []
    const { organisation: _, ...filter } = request.query ?? {}
    const filtered = Object.values(filter).some((value) => value !== undefined)
    const empty = (filtered ? undefined : verb.empty) ?? `no ${noun}`
    return showList(itemsOf(client, operation, request, given.limit), {
      name: verb.list ?? noun,
      columns,
      json,
      empty,
    })
  }
  const data =
    verb.file === true
      ? await sendFile(client, operation.path as PathsOf<'post'>, request, words.at(-1) ?? '-')
      : (await client.request(operation.method as 'GET', path, request)).data
  if (data === undefined) {
    const done = verb.done ?? 'done'
    const name = words.at(-1) ?? ''
    return json ? printJson({ [done]: name === '' ? true : name }) : printLine(`${done} ${name}`.trimEnd())
  }
  if (!json && verb.print !== undefined) verb.print(data as never)
  else showOne(data, json)
}

async function* itemsOf(
  client: CinqueClient,
  { path, method, answer, query: asked }: OperationDescription,
  request: AnyRequest,
  limit = Infinity,
): AsyncGenerator {
  if (answer === 'list') {
    const { data } = await client.request(method as 'GET', path as PathsOf<'get'>, request)
    yield* (data as { items: unknown[] }).items
    return
  }
  let count = 0
  const pageSize = limit < 1000 && asked.some(({ name }) => name === 'limit') ? { limit } : {}
  const query = { ...request.query, ...pageSize }
  for await (const item of client.pages(path as PathsOf<'get'>, { ...request, query })) {
    yield item
    if (++count >= limit) return
  }
}

function requestOf(operation: OperationDescription, verb: Verb, { words, inPath, given }: Call): AnyRequest {
  const { args = [] } = verb
  const values = new Map<string, unknown>(args.map((name, i) => [name, words[inPath.length + i]]))
  const givenOf = (field: Asked): unknown => {
    const word = values.get(field.name)
    if (word !== undefined) return field.kind === 'list' || field.kind === 'labels' ? [word] : word
    return given[attributeOf(field)]
  }
  const asked = flagged(operation.query, operation.body ?? [])
  const query: Record<string, unknown> = { ...(given.organisation && { organisation: given.organisation }) }
  for (const field of asked.query) query[field.name] = givenOf(field)
  if (operation.answer === 'page') delete query.limit
  return {
    path: Object.fromEntries(inPath.map((name, i) => [name, words[i]])),
    query,
    ...(given.ifMatch === undefined ? {} : { headers: { 'if-match': given.ifMatch } }),
    ...(operation.body === null ? {} : { body: bodyOf(asked.body, given.body, givenOf) }),
  }
}

function bodyOf(
  fields: readonly Asked[],
  whole: string | undefined,
  givenOf: (field: Asked) => unknown,
): unknown {
  const base = whole === undefined ? {} : jsonOf('--body', whole)
  const own = Object.fromEntries(
    fields.flatMap((field) => {
      const given = givenOf(field)
      return given === undefined ? [] : [[field.name, valueOf(field, given)]]
    }),
  )
  if (Object.keys(own).length === 0) return base
  if (typeof base === 'object' && base !== null && !Array.isArray(base)) return { ...base, ...own }
  throw new CliError('--body: expected a JSON object beside other options', { exitCode: 2 })
}

function fieldNamed(fields: readonly Asked[], name: string): Asked {
  const field = fields.find((one) => one.name === name)
  if (field === undefined) throw new TypeError(`there is no field ${name}`)
  return field
}

/** A media type other than JSON. */
function isFile(answer: string): boolean {
  return answer.includes('/') && answer !== 'text/event-stream'
}

function lowerFirst(text: string): string {
  return /^[A-Z][a-z]/.test(text) ? text[0].toLowerCase() + text.slice(1) : text
}
