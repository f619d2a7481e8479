import type { Random } from './random.ts'
import type { World } from './world.ts'

/** The lines between DCs: how long they take, and which are cut. */
export class Net {
  readonly dcs: readonly string[]
  readonly random: Random
  /** Base latency in milliseconds by pair of DCs. */
  readonly #base = new Map<string, number>()
  readonly #cuts = new Map<string, number>()
  /** When each pair of DCs was cut, and until when. */
  readonly #history = new Map<string, { from: number; to: number }[]>()
  readonly #world: World

  constructor(world: World, dcs: readonly string[]) {
    this.#world = world
    this.dcs = dcs
    this.random = world.random.fork()
    for (const [i, one] of dcs.entries())
      for (const other of dcs.slice(i + 1)) this.#base.set(pair(one, other), this.random.between(10, 30))
  }

  /** One way, in milliseconds. */
  latency(from: string, to: string): number {
    if (from === to) return this.random.between(0.15, 0.5)
    return (this.#base.get(pair(from, to)) as number) + this.random.between(0, 3)
  }

  cut(from: string, to: string): boolean {
    return from !== to && this.#cuts.has(pair(from, to))
  }

  /** Whether the line was cut at some time in [from, to]. */
  wasCut(one: string, other: string, from: number, to: number): boolean {
    if (one === other) return false
    return (this.#history.get(pair(one, other)) ?? []).some((cut) => cut.from <= to && cut.to >= from)
  }

  cutPair(one: string, other: string): void {
    const name = pair(one, other)
    const count = this.#cuts.get(name) ?? 0
    this.#cuts.set(name, count + 1)
    if (count > 0) return
    const cuts = this.#history.get(name) ?? []
    cuts.push({ from: this.#world.now, to: Number.POSITIVE_INFINITY })
    this.#history.set(name, cuts)
  }

  healPair(one: string, other: string): void {
    const name = pair(one, other)
    const count = (this.#cuts.get(name) ?? 0) - 1
    if (count > 0) this.#cuts.set(name, count)
    else this.#heal(name)
  }

  healAll(): void {
    for (const name of Array.from(this.#cuts.keys())) this.#heal(name)
  }

  #heal(name: string): void {
    if (!this.#cuts.delete(name)) return
    const cut = this.#history.get(name)?.at(-1)
    if (cut !== undefined) cut.to = this.#world.now
  }
}

function pair(one: string, other: string): string {
  return one < other ? `${one} ${other}` : `${other} ${one}`
}
