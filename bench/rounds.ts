import { compact } from './bars.ts'
import { generatorBound, measure, obstacle, type MeasureOptions, type Result } from './measure.ts'
import type { Peer } from './peers/peer.ts'
import { messageOf } from './process.ts'
import type { Scenario } from './scenario.ts'
import { measureStore } from './store-rate.ts'

/** All rounds of one scenario. */
export interface ScenarioResults {
  /** By peer that takes part; null where a run failed. */
  readonly byPeer: ReadonlyMap<string, readonly (Result | null)[]>
  /** The raw store's durable rows a second in each round, where a bar needs them. */
  readonly rawStore: readonly number[]
}

type Note = (text: string) => void

function takingPart(scenario: Scenario, peers: readonly Peer[], options: MeasureOptions, note: Note): Peer[] {
  return peers.filter((peer) => {
    const why = obstacle(scenario, peer, options)
    if (why !== null && scenario.needs.every((need) => peer.offers.has(need)))
      note(`${scenario.name}: ${why}`)
    return why === null
  })
}

async function tryMeasure(
  scenario: Scenario,
  peer: Peer,
  where: string,
  options: MeasureOptions,
  note: Note,
): Promise<Result | null> {
  try {
    const result = await measure(scenario, peer, options)
    if (result.problems.length > 0) note(`${where}: ${result.problems.join(', ')}`)
    if (generatorBound(result.figures)) note(`${where}: the generator was the limit`)
    return result
  } catch (error) {
    note(`${where}: ${messageOf(error)}`)
    return null
  }
}

async function tryMeasureStore(where: string, options: MeasureOptions, note: Note): Promise<number> {
  try {
    const { raw, store } = await measureStore(options.brokerPin, options.workDirectory)
    note(`${where}: durable inbox rows/s, raw lmdb-js ${compact(raw)}, cinque's store ${compact(store)}`)
    return raw
  } catch (error) {
    note(`${where}, store: ${messageOf(error)}`)
    return NaN
  }
}

/** Rounds interleaved, every second one in reverse order: a slow minute of the machine hits all peers. */
export async function runScenario(
  scenario: Scenario,
  peers: readonly Peer[],
  rounds: number,
  options: MeasureOptions,
  note: Note,
): Promise<ScenarioResults> {
  const taking = takingPart(scenario, peers, options, note)
  const byPeer = new Map<string, (Result | null)[]>(taking.map((peer) => [peer.name, []]))
  const rawStore: number[] = []
  const needsStore = scenario.metrics.some((m) => m.bars?.some((bar) => bar.of === 'store'))
  for (let round = 0; round < rounds; round++) {
    const name = `round ${round + 1}`
    if (needsStore) rawStore.push(await tryMeasureStore(`${scenario.name}, ${name}`, options, note))
    for (const peer of round % 2 === 0 ? taking : taking.toReversed()) {
      const where = `${scenario.name}, ${peer.name}, ${name}`
      byPeer.get(peer.name)?.push(await tryMeasure(scenario, peer, where, options, note))
    }
  }
  return { byPeer, rawStore }
}
