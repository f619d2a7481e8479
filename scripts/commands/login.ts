import { text } from 'node:stream/consumers'
import type { Command } from 'commander'
import { ApiError, createClient } from '#client/index.ts'
import { agent, clientOf, sessionOf } from '#scripts/client/connect.ts'
import { ContextFile, devContext } from '#scripts/client/contexts.ts'
import { findTarget } from '#scripts/client/target.ts'
import { readHidden } from '#scripts/client/prompt.ts'
import { collect } from '#scripts/options.ts'
import { CliError, printJson, printLine } from '#scripts/output.ts'
import { requireName, requireUrl } from './context.ts'

interface LoginOptions {
  url?: readonly string[]
  context?: string
  email?: string
  passwordStdin?: true
  organisation?: string
  json?: true
}

export function addLogin(program: Command): void {
  program
    .command('login')
    .description('sign in with your e-mail address; the session is kept as a context and used from then on')
    .option(
      '--url <url>',
      'REST address; repeatable: hosts of the same platform (default: those of the context)',
      collect,
    )
    .option('--context <name>', 'name of the context (default: host of the first address)')
    .option('--email <address>', 'who you are (default: who you were)')
    .option('--password-stdin', 'read the password from the standard input instead of asking')
    .option('--organisation <id>', 'the one that requests are about')
    .option('--json', 'print JSON')
    .addHelpText('after', '\nExample:\n  cinque login --url https://iot.example.com --email ada@example.com')
    .action(login)
  program
    .command('logout')
    .description('end the session of a context in all datacenters, and forget its tokens')
    .option('--context <name>', 'which (default: the one in use)')
    .option('--json', 'print JSON')
    .addHelpText('after', '\nExample:\n  cinque logout')
    .action(logout)
}

async function login(options: LoginOptions): Promise<void> {
  const file = new ContextFile()
  const known = options.url === undefined ? file.find(options.context) : undefined
  const urls = options.url ?? known?.urls
  if (urls === undefined)
    throw new CliError('--url is needed: where is the platform?', {
      exitCode: 2,
      remedy: 'cinque login --url https://iot.example.com --email ada@example.com',
    })
  for (const url of urls) requireUrl(url)
  const name = options.context ?? known?.name ?? new URL(urls[0]).host.replaceAll(/[^\w.:-]/g, '-')
  requireName(name)
  const email = options.email ?? known?.session?.email
  if (email === undefined) throw new CliError('--email is needed: who are you?', { exitCode: 2 })
  const password = await passwordOf(email, options)
  const tokens = await createClient({ urls, headers: { 'user-agent': agent } }).post('/v1/sessions', {
    body: { email, password },
  })
  await file.change((contexts) => {
    const organisation = options.organisation ?? known?.organisation
    contexts.contexts[name] = {
      urls: urls.map((url) => url.replace(/\/+$/, '')),
      session: sessionOf(tokens, email),
      ...(organisation === undefined ? {} : { organisation }),
    }
    contexts.current = name
  })
  if (options.json === true) printJson({ context: name, email })
  else printLine(`signed in as ${email}; using context ${name}`)
}

async function passwordOf(email: string, { passwordStdin }: LoginOptions): Promise<string> {
  if (passwordStdin === true) return (await text(process.stdin)).replace(/\r?\n$/, '')
  if (process.stdin.isTTY) return readHidden(`password of ${email}: `)
  throw new CliError('there is no terminal to ask for the password', {
    exitCode: 2,
    remedy: 'Give it with --password-stdin.',
  })
}

async function logout(options: { context?: string; json?: true }): Promise<void> {
  const file = new ContextFile()
  const found = file.find(options.context)
  if (found === undefined)
    throw new CliError(`context "${devContext}" has no session to end`, {
      exitCode: 2,
      remedy: '`cinque context list` shows the others.',
    })
  const { name } = found
  if (found.session !== undefined) {
    const client = clientOf(findTarget({ context: name }))
    try {
      await client.delete('/v1/sessions/{session}', { params: { path: { session: 'current' } } })
    } catch (error) {
      // It has ended already; anything else leaves a session that others could use.
      const ended = error instanceof CliError || (error instanceof ApiError && error.status === 401)
      if (!ended) throw error
    }
  }
  await file.change(({ contexts }) => {
    delete contexts[name]?.session
    delete contexts[name]?.token
  })
  if (options.json === true) printJson({ logged_out: name })
  else printLine(`logged out of ${name}`)
}
