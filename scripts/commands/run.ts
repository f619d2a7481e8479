import { readFileSync } from 'node:fs'
import type { Command } from 'commander'
import { untilInterrupted } from '#scripts/lifecycle.ts'
import { wholeNumber } from '#scripts/options.ts'
import { CliError, errorLine, plain, printJson, printLine, table } from '#scripts/output.ts'
import { type HostsOptions, openHosts, withHosts } from '#scripts/remote/hosts.ts'
import { isDone, type RanOn, runOn } from '#scripts/remote/run-on.ts'
import { chosenHosts } from '#scripts/roll/fleet.ts'

interface RunOptions extends HostsOptions {
  on?: string
  all?: true
  at: number
  timeout: number
  failFast?: true
  input?: string
  json?: true
}

export function addRun(program: Command): void {
  withHosts(
    program
      .command('run')
      .summary('run a shell command on many hosts')
      .description(
        'Runs a shell command as root on hosts, side by side, over ssh. Its lines are printed with the name of their host, then\n' +
          'how it ended on each. Exit code 0: with 0 on all. Ctrl-C ends it on the hosts, too.',
      )
      .argument('<command...>', 'for sh; in quotes, or behind --')
      .addHelpText(
        'after',
        "\nExamples:\n  cinque run --on 'dc01 & role=app' -- uptime\n" +
          "  cinque run --on role=db --at 1 --fail-fast 'nodetool repair -pr cinque'",
      ),
  )
    .option(
      '--on <hosts>',
      'which: names of hosts and DCs, role=, dc=, kind=, provider=, joined by & | ! ( )',
    )
    .option('--all', 'all hosts')
    .option('--at <hosts>', 'so many at a time', wholeNumber(1, 256), 16)
    .option('--timeout <seconds>', 'then it is ended', wholeNumber(1, 86_400), 600)
    .option('--fail-fast', 'after the first that fails no other host begins')
    .option('--input <file>', 'what the command reads on each host; -: standard input')
    .action(run)
}

async function run(words: readonly string[], options: RunOptions): Promise<void> {
  const { on, all, at, timeout, failFast = false, input, json = false } = options
  if ((on === undefined) === (all === undefined)) {
    throw new CliError('--on HOSTS or --all says where to run it', { exitCode: 2 })
  }
  const { inventory, remote } = openHosts(options)
  const hosts = chosenHosts(inventory, on)
  const width = Math.max(...hosts.map(({ name }) => name.length))
  const ran = await untilInterrupted((signal) =>
    runOn(remote, hosts, words.join(' '), {
      at,
      failFast,
      ...(input === undefined ? {} : { input: inputFrom(input) }),
      timeoutMs: timeout * 1000,
      signal,
      ...(json
        ? { onEnd: printJson }
        : {
            onLine: (host, line, from) =>
              (from === 'stdout' ? process.stdout : process.stderr).write(
                `${host.padEnd(width)}  ${plain(line)}\n`,
              ),
          }),
    }),
  )
  if (!json) for (const line of summary(ran)) printLine(line)
  const bad = ran.filter((one) => !isDone(one)).length
  if (bad > 0) throw new CliError(`failed on ${bad} of ${ran.length} hosts`)
}

function inputFrom(file: string): string | { file: string } {
  try {
    // Read once: every host gets all of it.
    if (file === '-') return readFileSync(0, 'utf8')
    readFileSync(file)
    return { file }
  } catch (error) {
    throw new CliError(`--input ${file}: ${errorLine(error)}`, { exitCode: 2, cause: error })
  }
}

function summary(ran: readonly RanOn[]): string[] {
  const rows = ran.map(({ host, code, seconds, failure }) => [
    host,
    code === null ? '-' : String(code),
    seconds.toFixed(1),
    failure === null ? '' : plain(failure.replace(`${host}: `, '')),
  ])
  return ['', ...table(['HOST', 'EXIT', 'SECONDS', 'WHY'], rows)]
}
