import type { Command } from 'commander'
import { ContextFile, devContext } from '#scripts/client/contexts.ts'
import { collect } from '#scripts/options.ts'
import { CliError, printJson, printLine } from '#scripts/output.ts'
import { showList } from '#scripts/rest/show.ts'

interface AddOptions {
  url: readonly string[]
  token?: string
  organisation?: string
  json?: true
}

export function addContext(program: Command): void {
  const context = program.command('context').description('platforms that this command line knows')
  context
    .command('list')
    .description('list them; the one in use is marked')
    .option('--json', 'print JSON')
    .addHelpText('after', '\nExample:\n  cinque context list')
    .action(list)
  context
    .command('use')
    .argument('<name>', `"${devContext}": the \`cinque dev\` that runs in the current directory`)
    .description('choose the one that is used without --context')
    .option('--json', 'print JSON')
    .addHelpText('after', '\nExample:\n  cinque context use production')
    .action(use)
  context
    .command('add')
    .argument('<name>')
    .description('add one, or change it')
    .requiredOption(
      '--url <url>',
      'REST address; repeatable: hosts or datacenters of the same platform',
      collect,
    )
    .option('--token <token>', 'API key or token; for a session: cinque login')
    .option('--organisation <id>', 'the one that it is about, for those who may choose')
    .option('--json', 'print JSON')
    .addHelpText(
      'after',
      '\nExample:\n  cinque context add production --url https://iot.example.com --token k_...',
    )
    .action(add)
  context
    .command('rm')
    .argument('<name>')
    .description('forget one; its session does not end: cinque logout')
    .option('--json', 'print JSON')
    .addHelpText('after', '\nExample:\n  cinque context rm production')
    .action(remove)
}

async function list(options: { json?: true }): Promise<void> {
  const { current, contexts } = new ContextFile().read()
  const dev = { name: devContext, current: current === null, urls: ['the running `cinque dev`'], as: null }
  const rows = Object.entries(contexts).map(([name, { urls, organisation, token, session }]) => ({
    name,
    current: name === current,
    urls,
    organisation: organisation ?? null,
    as: session?.email ?? (token === undefined ? null : 'token'),
  }))
  await showList(items([dev, ...rows]), {
    name: 'contexts',
    columns: ['name', 'current', 'urls', 'as', 'organisation'],
    json: options.json === true,
    empty: '',
  })
}

async function* items(rows: readonly object[]): AsyncGenerator<object> {
  yield* rows
}

async function use(name: string, options: { json?: true }): Promise<void> {
  const file = new ContextFile()
  const found = file.find(name)
  await file.change((contexts) => {
    contexts.current = found?.name ?? null
  })
  if (options.json === true) printJson({ current: name })
  else printLine(`using ${name}`)
}

async function add(name: string, { url, token, organisation, json }: AddOptions): Promise<void> {
  requireName(name)
  for (const one of url) requireUrl(one)
  await new ContextFile().change((contexts) => {
    contexts.contexts[name] = {
      urls: url.map((one) => one.replace(/\/+$/, '')),
      ...(token === undefined ? {} : { token }),
      ...(organisation === undefined ? {} : { organisation }),
    }
  })
  if (json === true) printJson({ added: name })
  else printLine(`added ${name}; use it: cinque context use ${name}`)
}

async function remove(name: string, options: { json?: true }): Promise<void> {
  const file = new ContextFile()
  if (file.find(name) === undefined) throw new CliError(`"${name}" is always there`, { exitCode: 2 })
  await file.change((contexts) => {
    delete contexts.contexts[name]
    if (contexts.current === name) contexts.current = null
  })
  if (options.json === true) printJson({ removed: name })
  else printLine(`removed ${name}`)
}

export function requireName(name: string): void {
  if (/^[\w.:-]{1,64}$/.test(name) && name !== devContext && name !== '__proto__') return
  throw new CliError(
    name === devContext
      ? `"${devContext}" is the running \`cinque dev\`; choose another name`
      : `context "${name}": expected 1 to 64 letters, digits and . _ : -`,
    { exitCode: 2 },
  )
}

export function requireUrl(url: string): void {
  if (URL.canParse(url) && /^https?:$/.test(new URL(url).protocol)) return
  throw new CliError(`--url ${url}: expected one like https://iot.example.com`, { exitCode: 2 })
}
