import { type Cell, type CellDc, startCell } from '#scripts/cell/cell.ts'
import { eventually } from '../patience.ts'
import { temporaryFolder } from '../scripts/child.ts'
import { Fleet } from './fleet.ts'
import { Probe } from './probe.ts'
import { converged } from './served.ts'

/** Longest own time without an answer in a DC that nothing happens to: processes of five DCs start beside it on a few cores. */
const ANSWERS_MS = 30_000

/** Round trips of a DC without a failure after which it has warmed up: a Cassandra that has just been made is slow. */
const WARM = 5
const WARM_MS = 120_000

/** Whether messages may come late, and so out of order and QoS 2 twice: those that a cut or a lost DC held back (G3). */
export type Promised = 'order and once' | 'nothing lost'

/** A cell of five DCs of its own, with devices in each that check what they get, and one that looks whether it answers. */
export class FiveDcs {
  readonly cell: Cell
  readonly fleet: Fleet
  readonly probes: readonly Probe[]
  readonly #remove: () => void

  private constructor(cell: Cell, remove: () => void) {
    this.cell = cell
    this.fleet = new Fleet(cell)
    this.probes = cell.dcs.map((dc) => new Probe(cell, dc))
    this.#remove = remove
  }

  /**
   * Real Cassandra, nats-server, brokers and APIs. Rejects with one line when the engines cannot be had. With
   * `CINQUE_KEEP` set data and logs are left there.
   */
  static async start(say: (line: string) => void = () => undefined): Promise<FiveDcs> {
    const folder = temporaryFolder()
    const remove =
      process.env['CINQUE_KEEP'] === undefined ? folder.remove : () => say(`left in ${folder.path}`)
    try {
      const cell = await startCell({
        directory: folder.path,
        // Clients of one test connect more often than a device would.
        sets: ['auth.anonymous=true', 'sys_interval=0', 'limits.flapping_ban=1', 'log_level=info'],
        say,
      })
      return new FiveDcs(cell, remove)
    } catch (error) {
      remove()
      throw error
    }
  }

  /** Load begins; resolves when every DC has answered it for a while. */
  async begin(): Promise<void> {
    await this.fleet.begin()
    await Promise.all(this.probes.map((probe) => probe.start()))
    await eventually(
      () => `not warm: ${this.probes.flatMap(({ failures }) => failures.slice(-1)).join(', ')}`,
      () => this.probes.every(({ inARow }) => inARow >= WARM),
      WARM_MS,
    )
    for (const probe of this.probes) probe.reset()
  }

  async end(): Promise<void> {
    this.fleet.stop()
    await Promise.all(this.probes.map((probe) => probe.stop()))
    await this.cell.kill()
    this.#remove()
  }

  /**
   * What was promised while something happened to these DCs: waits until everything acknowledged has come, and rejects
   * with what is wrong. From then on it counts anew.
   */
  async check(promised: Promised, disturbed: readonly CellDc[] = []): Promise<void> {
    await this.fleet.settle()
    const wrong = [...this.fleet.violations(promised), ...this.silent(disturbed)]
    this.fleet.forgive()
    for (const probe of this.probes) probe.reset()
    if (wrong.length > 0) throw new Error(wrong.slice(0, 20).join('\n'))
  }

  /** DCs that have not answered all along, but for these. */
  silent(disturbed: readonly CellDc[]): string[] {
    return this.probes.flatMap(({ dc, failures, longest }) =>
      disturbed.includes(dc) || longest < ANSWERS_MS
        ? []
        : [`${dc.name} did not answer for ${Math.round(longest)} ms: ${failures.slice(-3).join(', ')}`],
    )
  }

  /** All DCs serve the same. */
  converged(retained?: readonly string[]): Promise<void> {
    return converged(this.cell, 'state/#', retained)
  }
}
