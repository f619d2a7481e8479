import type { Cell } from './cell.ts'
import type { Leaving } from './client.ts'
import type { Random } from './random.ts'

/** `crash`: processes die and freeze, DCs always hear each other. `cut`: DCs are cut off, processes live. */
export type Mode = 'crash' | 'cut' | 'both'

/** Something bad that will happen. A list of these, the seed and the mode are a run. */
export interface Fault {
  readonly at: number
  readonly kind:
    | 'crash'
    | 'freeze'
    | 'move'
    | 'away'
    | 'hop'
    | 'cut'
    | 'isolate'
    | 'slow'
    | 'failing'
    | 'rain'
    | 'clock'
  /** Which process, client, DC. */
  readonly a: number
  readonly b: number
  /** How long it lasts, in milliseconds. */
  readonly ms: number
  /** How bad it is, in [0, 1). */
  readonly badness: number
}

/** Kinds of faults, each so many times as likely as one of weight 1. */
export type FaultMix = readonly (readonly [Fault['kind'], number])[]

export const usualFaults: Record<Mode, FaultMix> = {
  crash: [
    ['crash', 6],
    ['freeze', 5],
    ['move', 8],
    ['slow', 2],
    ['failing', 2],
    ['rain', 2],
    ['clock', 1],
  ],
  cut: [
    ['cut', 5],
    ['isolate', 5],
    ['move', 8],
    ['slow', 2],
    ['failing', 1],
    ['rain', 2],
    ['clock', 1],
  ],
  both: [
    ['crash', 5],
    ['freeze', 4],
    ['cut', 3],
    ['isolate', 3],
    ['move', 8],
    ['slow', 2],
    ['failing', 2],
    ['rain', 2],
    ['clock', 1],
  ],
}

/** What happens until `until`, about one thing a second. */
export function plannedFaults(
  random: Random,
  mix: FaultMix,
  until: number,
  lasts: readonly [number, number] = [300, 5000],
): Fault[] {
  const kinds = mix.flatMap(([kind, weight]) => Array.from({ length: weight }, () => kind))
  const faults: Fault[] = []
  for (let at = random.between(1500, 3000); at < until; at += random.between(200, 2400)) {
    faults.push({
      at,
      kind: random.pick(kinds),
      a: random.below(1 << 16),
      b: random.below(1 << 16),
      ms: random.chance(0.15) ? random.between(5000, 12_000) : random.between(...lasts),
      badness: random.fraction(),
    })
  }
  return faults
}

export function describeFault({ at, kind, a, b, ms, badness }: Fault): string {
  return `${(at / 1000).toFixed(1)} s ${kind} ${a}/${b} ${Math.round(ms)} ms ${badness.toFixed(2)}`
}

/** It happens, and its end is planned. */
export function strike(cell: Cell, fault: Fault): void {
  const { world, net, processes, clients } = cell
  const process = processes[fault.a % processes.length]
  const dc = net.dcs[fault.a % net.dcs.length]
  const heal = (then: () => void): void => void world.after(fault.ms, then)
  world.trace('fault', fault.a, () => describeFault(fault))
  switch (fault.kind) {
    case 'crash': {
      if (!cell.spares(process)) return
      process.crash(fault.badness < 0.3)
      cell.breaks.push({ process, at: world.now })
      heal(() => process.start())
      break
    }
    case 'freeze': {
      if (!cell.spares(process)) return
      process.freeze()
      cell.breaks.push({ process, at: world.now })
      heal(() => process.thaw())
      break
    }
    case 'move': {
      const ways: readonly Leaving[] = ['graceful', 'reset', 'vanish']
      clients[fault.a % clients.length].leave(ways[fault.b % 3], fault.ms < 1500 ? 5 : fault.ms / 4)
      break
    }
    case 'away':
      clients[fault.a % clients.length].leave('reset', 3000 + fault.ms)
      break
    case 'hop': {
      // It is back at once, and leaves again before it is answered.
      const client = clients[fault.a % clients.length]
      client.leave('reset', 5)
      world.after(10 + (fault.b % 64), () => client.leave('reset', 5))
      break
    }
    case 'cut': {
      const other = net.dcs[fault.b % net.dcs.length]
      if (other === dc) return
      cut([[dc, other]])
      break
    }
    case 'isolate':
      cut(net.dcs.filter((other) => other !== dc).map((other) => [dc, other]))
      break
    case 'slow': {
      const weather = cell.database.weatherOf(dc)
      weather.slow = 2 + fault.badness * 60
      heal(() => void (weather.slow = 1))
      break
    }
    case 'failing': {
      const weather = cell.database.weatherOf(dc)
      weather.failure = 0.2 + fault.badness * 0.8
      heal(() => void (weather.failure = 0))
      break
    }
    case 'rain':
      cell.rains.push({ from: world.now, to: world.now + fault.ms })
      cell.network.faults = { loss: fault.badness * 0.3, late: (fault.b % 100) / 400 }
      heal(() => void (cell.network.faults = { loss: 0, late: 0 }))
      break
    default:
      process.setClock((fault.badness - 0.5) * 600)
  }

  function cut(pairs: readonly (readonly string[])[]): void {
    for (const [one, other] of pairs) net.cutPair(one, other)
    world.trace('cut', pairs.length, () => pairs.map((p) => p.join('|')).join(' '))
    heal(() => {
      for (const [one, other] of pairs) net.healPair(one, other)
      world.trace('heal', pairs.length, () => pairs.map((p) => p.join('|')).join(' '))
    })
  }
}
