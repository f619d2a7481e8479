import { type Command, Option } from 'commander'
import { untilInterrupted } from '#scripts/lifecycle.ts'
import { wholeNumber } from '#scripts/options.ts'
import { printJson, printLine, redrawn } from '#scripts/output.ts'
import { pause } from '#scripts/pause.ts'
import { type HostsOptions, openHosts, withHosts } from '#scripts/remote/hosts.ts'
import { lookAtAll } from '#scripts/remote/cell-look.ts'
import { topLines, type TopOrder, topOrders, topRows } from '#scripts/remote/show-top.ts'
import { chosenHosts } from '#scripts/roll/fleet.ts'

interface TopOptions extends HostsOptions {
  on?: string
  every: number
  times?: number
  sort: TopOrder
  json?: true
}

export function addTop(program: Command): void {
  withHosts(
    program
      .command('top')
      .summary('what hosts do now: processor, memory, network, clients, messages')
      .description(
        'Shows what hosts do now, the busiest first, and which of our processes does it, until Ctrl-C. On a terminal in\n' +
          'place, else a table each time; as JSON, a document each time.',
      )
      .addHelpText('after', '\nExample:\n  cinque top --on role=app --sort messages'),
  )
    .option('--on <hosts>', "only these: 'dc01 & role=app'")
    .option('--every <seconds>', 'between two looks', wholeNumber(1, 3600), 3)
    .option('--times <count>', 'then it ends', wholeNumber(1, 1_000_000))
    .addOption(new Option('--sort <by>', 'the most first').choices([...topOrders]).default('cpu'))
    .action(top)
}

async function top(options: TopOptions): Promise<void> {
  const { on, every, times = Infinity, sort, json = false } = options
  const { inventory, remote } = openHosts(options)
  const hosts = chosenHosts(inventory, on)
  const { stdout } = process
  const draw = !json && stdout.isTTY ? redrawn(stdout) : null
  await untilInterrupted(async (signal) => {
    const look = () => lookAtAll(remote, inventory, hosts, { ring: () => false, signal })
    let first = await look()
    for (let time = 0; time < times && !signal.aborted; time++) {
      // oxlint-disable-next-line no-await-in-loop -- until it ends
      await pause(every * 1000, signal)
      // oxlint-disable-next-line no-await-in-loop
      const last = await look()
      if (signal.aborted) return
      const rows = topRows({ hosts, first, last }, sort)
      const at = new Date().toISOString()
      if (json) printJson({ at, hosts: rows })
      else if (draw !== null) draw(topLines(rows, { height: stdout.rows - 1, width: stdout.columns - 1 }))
      else for (const line of [at, ...topLines(rows, { height: Infinity, width: Infinity })]) printLine(line)
      first = last
    }
  })
}
