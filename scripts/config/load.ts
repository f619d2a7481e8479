import { readFileSync } from 'node:fs'
import { parse } from 'yaml'
import type { z } from 'zod'
import { nearest } from '#scripts/nearest.ts'
import { CliError, errorLine } from '#scripts/output.ts'
import { configKeys, expected, nodeAt, type SchemaNode, schemaOf } from './keys.ts'

export interface ConfigSources {
  /** Values of top-level keys that stand in for the schema's defaults. */
  defaults?: Readonly<Record<string, unknown>>
  /** YAML or JSON file. */
  file?: string | undefined
  /** Variables; `CINQUE_MQTT_RECEIVE_MAXIMUM` is `mqtt.receive_maximum`. */
  env?: Readonly<Record<string, string | undefined>>
  /** `path=value` of `--set`, values in YAML. */
  sets?: readonly string[]
  /** What other options set: path, value, the option's name. */
  flags?: readonly (readonly [path: string, value: unknown, origin: string])[]
}

export interface LoadedConfig<T> {
  config: T
  /** Where the value of each key that is not a default came from: `--set`, `file cinque.yaml`, `env CINQUE_LISTEN`. */
  origins: ReadonlyMap<string, string>
}

interface Assignment {
  path: string[]
  value: unknown
  origin: string
}

/** Variables that mean something else than a configuration key. */
const otherVariables = new Set(['CINQUE_URL', 'CINQUE_TOKEN', 'CINQUE_TEST_RESULT', 'CINQUE_ENGINES'])

/**
 * Merges defaults < file < environment < `--set` < options and checks the result.
 * Throws CliError with exit code 2 that names each wrong key, its value, its origin and what is allowed.
 */
export function loadConfig<S extends z.ZodType>(
  schema: S,
  sources: ConfigSources,
): LoadedConfig<z.output<S>> {
  const root = schemaOf(schema)
  const tree: Record<string, unknown> = {}
  const origins = new Map<string, string>()
  const assignments = [
    ...Object.entries(sources.defaults ?? {}).map(([key, value]) => ({
      path: [key],
      value,
      origin: 'default',
    })),
    ...(sources.file === undefined ? [] : fromFile(sources.file, root)),
    ...fromEnvironment(sources.env ?? {}, root),
    ...(sources.sets ?? []).map((text) => fromSet(text, root)),
    ...(sources.flags ?? []).map(([path, value, origin]) => ({ path: path.split('.'), value, origin })),
  ]
  for (const { path, value, origin } of assignments) {
    assign(tree, root, path, value)
    origins.set(path.join('.'), origin)
  }
  const result = schema.safeParse(tree)
  if (result.success) return { config: result.data, origins }
  const lines = result.error.issues.map((issue) => explain(issue, root, tree, origins))
  throw new CliError(lines.join('\n'), { exitCode: 2 })
}

function fromFile(file: string, root: SchemaNode): Assignment[] {
  const origin = `file ${file}`
  let value: unknown
  try {
    value = parse(readFileSync(file, 'utf8'), { prettyErrors: true }) ?? {}
  } catch (error) {
    const reason = errorLine(error)
    throw new CliError(`cannot read the configuration ${file}: ${reason}`, { exitCode: 2, cause: error })
  }
  if (!isSection(value)) throw new CliError(`${file}: expected sections and keys`, { exitCode: 2 })
  return flatten(value, [], root, origin)
}

function flatten(section: object, above: string[], root: SchemaNode, origin: string): Assignment[] {
  return Object.entries(section).flatMap(([name, value]: [string, unknown]) => {
    const path = [...above, name]
    const node = known(root, path, origin)
    if (isSection(value) && node.properties !== undefined) return flatten(value, path, root, origin)
    return [{ path, value, origin }]
  })
}

function fromEnvironment(env: NonNullable<ConfigSources['env']>, root: SchemaNode): Assignment[] {
  const byVariable = new Map(configKeys(root).map(({ path }) => [variableOf(path), path]))
  return Object.entries(env).flatMap(([name, text]) => {
    if (!name.startsWith('CINQUE_') || otherVariables.has(name) || text === undefined) return []
    const path = byVariable.get(name)
    if (path === undefined) {
      throw new CliError(`unknown variable ${name}${didYouMean(nearest(name, byVariable.keys()))}`, {
        exitCode: 2,
      })
    }
    return [
      { path: path.split('.'), value: scalar(text, nodeAt(root, path.split('.'))), origin: `env ${name}` },
    ]
  })
}

function variableOf(path: string): string {
  return `CINQUE_${path.toUpperCase().replaceAll('.', '_')}`
}

function fromSet(text: string, root: SchemaNode): Assignment {
  const at = text.indexOf('=')
  if (at < 1) throw new CliError(`--set ${text}: expected path=value`, { exitCode: 2 })
  const path = text.slice(0, at).trim().split('.')
  const node = known(root, path, '--set')
  try {
    return { path, value: scalar(text.slice(at + 1), node), origin: '--set' }
  } catch (error) {
    throw new CliError(`--set ${text}: ${errorLine(error)}`, {
      exitCode: 2,
      cause: error,
    })
  }
}

/** A value written in YAML, except where the schema wants a text: there `123` and `yes` stay texts. */
function scalar(text: string, node: SchemaNode | undefined): unknown {
  if (node?.type === 'string') return text
  const value: unknown = parse(text)
  return node?.items?.type === 'string' && typeof value === 'string' ? [value] : value
}

function known(root: SchemaNode, path: readonly string[], origin: string): SchemaNode {
  const node = nodeAt(root, path)
  if (node !== undefined) return node
  const name = path.join('.')
  const keys = configKeys(root).map((key) => key.path)
  throw new CliError(`unknown key ${name} (from ${origin})${didYouMean(nearest(name, keys))}`, {
    exitCode: 2,
  })
}

function didYouMean(name: string | undefined): string {
  return name === undefined ? '' : `; did you mean ${name}?`
}

/** `path` was checked against the schema, so that every step is one of its names or a list index. */
function assign(
  tree: Record<string, unknown>,
  root: SchemaNode,
  path: readonly string[],
  value: unknown,
): void {
  let at = tree
  for (let i = 0; i < path.length - 1; i++) {
    let below = at[path[i]]
    if (!isBranch(below)) {
      below = nodeAt(root, path.slice(0, i + 1))?.type === 'array' ? [] : {}
      at[path[i]] = below
    }
    if (isBranch(below)) at = below
  }
  at[path[path.length - 1]] = value
}

function explain(
  issue: z.core.$ZodIssue,
  root: SchemaNode,
  tree: unknown,
  origins: ReadonlyMap<string, string>,
): string {
  const name = issue.path.join('.')
  const origin = originOf(issue.path, origins)
  const from = origin === undefined ? '' : ` (from ${origin})`
  if (issue.code === 'unrecognized_keys')
    return `unknown key ${[...issue.path, issue.keys[0]].join('.')}${from}`
  const value = valueAt(tree, issue.path)
  const node = nodeAt(root, issue.path)
  const wanted = node === undefined ? issue.message : `expected ${expected(node)}`
  if (value === undefined) return `${name} is missing: ${wanted}`
  const shown = secretKeys.has(String(issue.path.at(-1))) ? '[hidden]' : JSON.stringify(value)
  return `${name}: ${shown} will not do: ${wanted}${from}`
}

function valueAt(tree: unknown, path: readonly PropertyKey[]): unknown {
  let at = tree
  for (const step of path) at = isBranch(at) ? at[step] : undefined
  return at
}

function originOf(path: readonly PropertyKey[], origins: ReadonlyMap<string, string>): string | undefined {
  for (let n = path.length; n > 0; n--) {
    const origin = origins.get(path.slice(0, n).join('.'))
    if (origin !== undefined) return origin
  }
  return undefined
}

function isBranch(value: unknown): value is Record<PropertyKey, unknown> {
  return typeof value === 'object' && value !== null
}

function isSection(value: unknown): value is object {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

const secretKeys = new Set(['password', 'password_sha256'])

/** Every effective value with its origin, passwords hidden: what `--print-config` prints. */
export function effective(
  loaded: LoadedConfig<object>,
  schema: z.ZodType,
): { path: string; value: unknown; origin: string }[] {
  return configKeys(schemaOf(schema)).flatMap(({ path }) => {
    if (path.includes('[]')) return []
    const value = hideSecrets(valueAt(loaded.config, path.split('.')))
    if (value === undefined) return []
    const steps = path.split('.')
    const inside = [...loaded.origins].find(([key]) => key.startsWith(`${path}.`))?.[1]
    return [{ path, value, origin: originOf(steps, loaded.origins) ?? inside ?? 'default' }]
  })
}

function hideSecrets(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(hideSecrets)
  if (!isSection(value)) return value
  return Object.fromEntries(
    Object.entries(value).map(([key, inner]) => [key, secretKeys.has(key) ? '[hidden]' : hideSecrets(inner)]),
  )
}
