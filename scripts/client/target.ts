import { existsSync, readFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import type { Command } from 'commander'
import { z } from 'zod'
import { CliError, errorLine } from '#scripts/output.ts'
import { ContextFile } from './contexts.ts'

/** Where a running platform is, and what opens it. */
export interface Target {
  /** `http://127.0.0.1:8080`, without `/v1`; the first of them. */
  readonly url: string
  /** Hosts that have the same data. */
  readonly urls: readonly string[]
  readonly token: string
  /** `mqtt://127.0.0.1:1883` */
  readonly mqtt: string
  /** Of requests that name none. */
  readonly organisation?: string | undefined
  /** Context whose session gives tokens, instead of the one above. */
  readonly context?: string
}

export interface TargetOptions {
  context?: string
  organisation?: string
  url?: string
  token?: string
  mqtt?: string
  /** Datacenter of a `cinque dev --dcs`. */
  dc?: string
  data?: string
}

/** What `cinque dev` leaves in its data directory while it runs. */
const runningSchema = z.object({
  pid: z.number(),
  url: z.string(),
  mqtt: z.string(),
  token: z.string(),
  /** With `--dcs`. */
  dcs: z.array(z.object({ name: z.string(), url: z.string(), mqtt: z.string() })).optional(),
})
export type Running = z.output<typeof runningSchema>
export const runningFile = 'running.json'
const defaultData = './cinque-data'
/** Where `cinque dev --dcs` keeps its data. */
export const defaultCellData = './cinque-cell'

/** Adds the options that say which platform a command speaks to. */
export function withTarget(command: Command): Command {
  return command
    .optionsGroup('Which platform:')
    .option(
      '--context <name>',
      'one that `cinque login` or `cinque context add` made (default: the one in use)',
    )
    .option('--url <url>', 'REST address, as http://127.0.0.1:8080 (default: the running `cinque dev`)')
    .option('--token <token>', 'API token (default: that of the running `cinque dev`)')
    .option('--data <dir>', `data directory of the running \`cinque dev\` (default: "${defaultData}")`)
    .option('--dc <name>', `datacenter of \`cinque dev --dcs\` (its data: "${defaultCellData}")`)
    .option('--organisation <id>', 'for those who may choose: the one that it is about')
    .option('--json', 'print JSON')
}

/**
 * From the options, else CINQUE_URL and CINQUE_TOKEN, else the context in use, else the `cinque dev` that runs with
 * this data directory.
 */
export function findTarget(options: TargetOptions): Target {
  const { organisation } = options
  if (options.context !== undefined) {
    const other = (['url', 'data', 'dc'] as const).find((name) => options[name] !== undefined)
    if (other !== undefined)
      throw new CliError(`--context and --${other} exclude each other`, { exitCode: 2 })
    return ofContext(options) ?? runningTarget(options)
  }
  const url = options.url ?? process.env.CINQUE_URL
  const token = options.token ?? process.env.CINQUE_TOKEN
  if (url !== undefined && token !== undefined) {
    const urls = url.split(',').map((one) => one.trim().replace(/\/+$/, ''))
    const wrong = urls.find((one) => !URL.canParse(one))
    if (wrong !== undefined)
      throw new CliError(`--url ${wrong}: expected one like http://127.0.0.1:8080`, { exitCode: 2 })
    return { url: urls[0], urls, token, organisation, mqtt: options.mqtt ?? mqttOf(urls[0]) }
  }
  if (url !== undefined) {
    throw new CliError('--url needs --token as well', {
      exitCode: 2,
      remedy: '`cinque token` prints that of a `cinque dev`',
    })
  }
  if (options.data !== undefined || options.dc !== undefined) return runningTarget(options)
  return ofContext(options) ?? runningTarget(options)
}

/** Undefined: the context is the running `cinque dev`. */
function ofContext(options: TargetOptions): Target | undefined {
  const context = new ContextFile().find(options.context ?? process.env.CINQUE_CONTEXT)
  if (context === undefined) return undefined
  const { name, urls, session } = context
  const token = options.token ?? process.env.CINQUE_TOKEN ?? context.token
  const own = token === undefined && session !== undefined
  if (token === undefined && !own)
    throw new CliError(`you are logged out of context "${name}"`, {
      remedy: `Log in again: cinque login --context ${name}`,
    })
  return {
    url: urls[0],
    urls,
    token: token ?? '',
    organisation: options.organisation ?? context.organisation,
    mqtt: options.mqtt ?? mqttOf(urls[0]),
    ...(own ? { context: name } : {}),
  }
}

function mqttOf(url: string): string {
  return `mqtt://${new URL(url).hostname}:1883`
}

function runningTarget(options: TargetOptions): Target {
  const { data, dc, organisation } = options
  const running = readRunning(data ?? (dc === undefined ? defaultData : defaultCellData), dc)
  const token = options.token ?? process.env.CINQUE_TOKEN ?? running.token
  return { ...running, urls: [running.url], organisation, token, mqtt: options.mqtt ?? running.mqtt }
}

function readRunning(data: string, dc: string | undefined): Pick<Target, 'url' | 'token' | 'mqtt'> {
  const file = join(data, runningFile)
  if (!existsSync(file)) {
    const cellRuns = data === defaultData && existsSync(join(defaultCellData, runningFile))
    throw new CliError(`no running \`cinque dev\` in ${resolve(data)}`, {
      remedy: cellRuns
        ? `Datacenters run in ${defaultCellData}: name one of them, as --dc dc01.`
        : 'Start one with `cinque dev`, or name another: --data DIR, or --url URL --token TOKEN.',
    })
  }
  let running: Running
  try {
    running = runningSchema.parse(JSON.parse(readFileSync(file, 'utf8')))
  } catch (error) {
    throw new CliError(`cannot read ${file}: ${errorLine(error)}`, { cause: error })
  }
  if (dc === undefined) return running
  const dcs = running.dcs ?? []
  const found = dcs.find(({ name }) => name === dc)
  if (found !== undefined) return { ...found, token: running.token }
  throw new CliError(
    dcs.length === 0
      ? `--dc ${dc}: the one in ${resolve(data)} has no datacenters`
      : `--dc ${dc}: there are ${dcs.map(({ name }) => name).join(', ')}`,
    { exitCode: 2 },
  )
}
