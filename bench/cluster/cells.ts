import path from 'node:path'
import { type Cell, startCell } from '#scripts/cell/cell.ts'
import { broadcast, restart, seedCell } from './broadcast.ts'
import { commands } from './commands.ts'
import { loss } from './loss.ts'
import type { Bench, ClusterScenario, Line } from './scenario.ts'
import { takeover } from './takeover.ts'

const BROADCAST = 10_000
const KNOWN = 100_000

/** Sets what is asked for of brokers that anybody may use. */
const sets = ['auth.anonymous=true', 'log_level=warn', 'sys_interval=0', 'limits.flapping_ban=1']

/** A scenario on real processes of so many DCs, which it may kill. */
function onCell(
  name: string,
  about: string,
  dcs: number,
  run: (cell: Cell, bench: Bench) => Promise<Line[]>,
): ClusterScenario {
  return {
    name,
    about,
    async run(bench) {
      const directory = path.join(bench.directory, 'cell')
      const cell = await startCell({
        directory,
        dcs,
        sets,
        heapMb: dcs === 1 ? 1024 : 256,
        say: () => undefined,
      })
      bench.say(`${dcs} DCs run${dcs > 1 ? `, WAN: ${cell.wan}` : ''}`)
      try {
        return await run(cell, bench)
      } finally {
        await cell.kill()
      }
    },
  }
}

export const cellScenarios: readonly ClusterScenario[] = [
  onCell(
    'large',
    'one DC: broadcast to 10 k persistent sessions, commands; start with 100 k sessions',
    1,
    async (cell, bench) => {
      const quick = await commands(cell, bench)
      await seedCell(cell, BROADCAST, 'bench/all')
      await restart(cell, BROADCAST)
      const many = await broadcast(cell, BROADCAST, bench)
      await seedCell(cell, KNOWN)
      return [...quick, ...many, ...(await restart(cell, KNOWN))]
    },
  ),
  onCell('takeover', 'five DCs: a session moves from one to another', 5, takeover),
  onCell('commands', 'five DCs: a message to a device', 5, commands),
  onCell('loss', 'five DCs: one of them dies under load and comes back', 5, loss),
]
