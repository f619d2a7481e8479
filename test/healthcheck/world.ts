import { generateKeyPairSync } from 'node:crypto'
import { Scheduler } from '#healthcheck/checker/scheduler.ts'
import type { Probe } from '#healthcheck/probes/probe.ts'
import { keyring } from '#healthcheck/votes/sign.ts'
import type { Override } from '#healthcheck/votes/vote.ts'
import { Voting } from '#healthcheck/votes/voting.ts'
import { checkInventory, type Inventory } from '#platform/inventory/inventory.ts'
import { Metrics } from '#platform/metrics.ts'
import { Random } from '../sim/random.ts'
import { VirtualClock, VirtualTime, VirtualTimers } from '../virtual-time.ts'

const timeoutMs = 5000
const slowMs = 2000
const places = ['dc01', 'dc02', 'dc03', 'dcb1', 'dcb2']

/** Five DCs with two hosts and a checker each. */
export const fiveDcs: Inventory = checkInventory(
  {
    cell: 'sim',
    dcs: places.map((name, at) => ({
      name,
      number: at + 1,
      place: name,
      kind: at < 3 ? 'live' : 'backup',
      replicas: 1,
    })),
    hosts: places.flatMap((dc, at) => [
      ...[1, 2].map((n) => ({
        name: `${dc}-a${n}`,
        dc,
        roles: ['db', 'app'],
        address: `192.0.2.${at * 10 + n}`,
      })),
      { name: `${dc}-c`, dc, roles: ['checker'], address: `192.0.2.${at * 10 + 9}` },
    ]),
  },
  'the simulated inventory',
)

interface SimChecker {
  readonly name: string
  readonly dc: string
  readonly voting: Voting
  readonly scheduler: Scheduler
  readonly timers: VirtualTimers
}

/** Five checkers with their real scheduler, judge, exchange and count, over a network of which everything may fail. */
export class World {
  readonly time = new VirtualTime()
  readonly checkers: readonly SimChecker[]
  overrides: Override[] = []
  /** Share of looks that fail for no reason. */
  loss = 0
  /** Hosts and checkers that are dead. */
  readonly dead = new Set<string>()
  /** Places that do not reach each other: `dc01 dc02`; a checker's own name: from everything. */
  readonly cuts = new Set<string>()
  /** Milliseconds that a look takes at a host. */
  readonly takes = new Map<string, number>()
  /** Checkers for which every look fails although nothing is wrong. */
  readonly liars = new Set<string>()
  /** What changed in DNS, as `dc01-c: dc03 out`, with when. */
  readonly changes: { readonly at: number; readonly text: string }[] = []
  readonly #random: Random

  constructor(seed: number) {
    this.#random = new Random(seed)
    const checkers = fiveDcs.hosts.filter(({ roles }) => roles.includes('checker'))
    const pairs = new Map(checkers.map(({ name }) => [name, generateKeyPairSync('ed25519')]))
    const publicKeys = Object.fromEntries(
      Array.from(pairs, ([name, { publicKey }]) => [name, String(publicKey.export({ format: 'jwk' }).x)]),
    )
    this.checkers = checkers.map(({ name, dc }, at) => {
      const privateKey = pairs.get(name)?.privateKey
      if (privateKey === undefined) throw new Error(`no key of ${name}`)
      const timers = new VirtualTimers(this.time)
      // Clocks are up to 30 s apart from the true time.
      const clock = new VirtualClock(this.time, (at - 2) * 15_000)
      const probes = ['mqtt', 'rest', 'ws'].map((probe) => this.#probe(probe, name, dc, timers))
      const voting = new Voting({
        checker: name,
        inventory: fiveDcs,
        serve: probes.map((probe) => probe.name),
        keys: keyring({ checker: name, privateKey, publicKeys }),
        ask: (other, nonce) => this.#ask(name, other, nonce),
        overrides: () => this.overrides,
        timers,
        clock,
        metrics: new Metrics(),
      })
      const targets = fiveDcs.hosts.flatMap((host) => {
        const of = fiveDcs.dcs.find((one) => one.name === host.dc)
        return of !== undefined && host.roles.includes('app') ? [{ host, dc: of }] : []
      })
      const scheduler = new Scheduler({
        looks: targets.flatMap((target) => probes.map((probe) => ({ probe, target }))),
        interval: 10,
        downAfter: 2,
        upAfter: 2,
        timers,
        clock,
        random: () => this.#random.fraction(),
        onResult: (result) => voting.take(result),
      })
      const last = new Map<string, boolean>()
      voting.onChange((changed) => {
        for (const { subject, serving } of changed) {
          if ((last.get(subject) ?? true) !== serving)
            this.changes.push({ at: this.time.now, text: `${name}: ${subject} ${serving ? 'in' : 'out'}` })
          last.set(subject, serving)
        }
      })
      return { name, dc, voting, scheduler, timers }
    })
    for (const { voting, scheduler } of this.checkers) {
      voting.start()
      void scheduler.start()
    }
  }

  /** Lets seconds pass. */
  run(seconds: number): Promise<void> {
    return this.time.runAsync(seconds * 1000)
  }

  /** Kills a DC with all that is in it, or brings it back. */
  setDc(dc: string, alive: boolean): void {
    for (const { name } of fiveDcs.hosts.filter((host) => host.dc === dc)) {
      if (alive) this.dead.delete(name)
      else this.dead.add(name)
    }
  }

  /** Subjects out of DNS, by checker, of those that are in contact. */
  out(): string[] {
    return this.checkers
      .filter(({ name }) => !this.dead.has(name) && !this.cuts.has(name))
      .map(({ voting }) =>
        Array.from(voting.standings().values())
          .flatMap(({ subject, serving }) => (serving ? [] : [subject]))
          .join(' '),
      )
  }

  stop(): Promise<unknown> {
    for (const { voting, timers } of this.checkers) {
      voting.stop()
      timers.kill()
    }
    return Promise.resolve()
  }

  #probe(name: string, checker: string, dc: string, timers: VirtualTimers): Probe {
    return {
      name,
      weight: 'serve',
      timeoutMs,
      slowMs,
      run: ({ host }, signal) =>
        new Promise((done, failed) => {
          signal.addEventListener('abort', () => failed(signal.reason as Error), { once: true })
          const lost = this.liars.has(checker) || this.#random.chance(this.loss)
          if (this.dead.has(host.name) || !this.#reaches(checker, dc, host.dc)) return
          timers.after(this.takes.get(host.name) ?? 100, () => {
            if (lost) failed(new Error('lost'))
            else done(undefined)
          })
        }),
    }
  }

  #ask(from: string, to: string, nonce: string): Promise<string> {
    return new Promise((answered) => {
      const other = this.checkers.find(({ name }) => name === to)
      const own = this.checkers.find(({ name }) => name === from)
      if (other === undefined || own === undefined || this.dead.has(to) || this.dead.has(from)) return
      if (!this.#reaches(from, own.dc, other.dc) || this.cuts.has(to) || this.#random.chance(this.loss))
        return
      this.time.at(this.time.now + 100, () => answered(other.voting.answer(nonce) ?? ''))
    })
  }

  #reaches(checker: string, from: string, to: string): boolean {
    return !this.cuts.has(checker) && !this.cuts.has(`${from} ${to}`) && !this.cuts.has(`${to} ${from}`)
  }
}
