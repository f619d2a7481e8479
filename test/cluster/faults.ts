import type { CellDc } from '#scripts/cell/cell.ts'
import type { Part } from '#scripts/cell/part.ts'
import { lifetime } from '../durability/seed.ts'
import { eventually } from '../patience.ts'
import type { FiveDcs } from './five-dcs.ts'

const RESTART_MS = 120_000

/** kill -9 without asking; the launcher starts it again. Resolves when it is back. */
export async function crash(part: Part): Promise<void> {
  const { pid } = part
  if (pid === null) throw new Error(`${part.options.name} does not run`)
  process.kill(pid, 'SIGKILL')
  await eventually(
    () => `${part.options.name} is ${part.state}`,
    () => part.pid !== pid && part.state === 'running',
    RESTART_MS,
  )
}

/** SIGSTOP for so long. */
export async function standStill(part: Part, ms: number): Promise<void> {
  part.freeze()
  await lifetime(ms)
  part.thaw()
}

/** No packets between a DC and all others, or one of them, for so long. */
export async function cutFor(dc: CellDc, from: CellDc | undefined, ms: number): Promise<void> {
  await dc.cut(from)
  await lifetime(ms)
  await dc.heal(from)
}

/** Everything in a DC is killed and stays away for so long. Resolves when it is back. */
export async function loseDc(dc: CellDc, ms: number): Promise<void> {
  await dc.kill()
  await lifetime(ms)
  await dc.start()
}

/** A client goes round the world. */
export async function travel({ cell, fleet }: FiveDcs, stayMs: number): Promise<void> {
  const { home, client } = fleet.traveller
  for (const dc of [...cell.dcs.slice(1), cell.dcs[0]]) {
    home.moveTo(dc)
    client.takeOver()
    await client.joined()
    await lifetime(stayMs)
  }
}
