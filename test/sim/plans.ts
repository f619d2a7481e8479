import type { ClientPlan } from './client.ts'
import type { Random } from './random.ts'

const DAY = 86_400

const quiet: Omit<ClientPlan, 'id'> = {
  expiry: DAY,
  cleanStart: 0,
  subscribes: [],
  toggles: [],
  publishes: null,
  will: null,
  startsAt: 0,
}

/** Who takes part in a run. */
export function plannedClients(random: Random): ClientPlan[] {
  const pace = (): readonly [number, number] => {
    const longest = random.between(60, 350)
    return [longest / 8, longest]
  }
  const publisher = (id: string, qos: 1 | 2, expiry: number, topics: readonly string[]): ClientPlan => ({
    ...quiet,
    id,
    expiry,
    publishes: { topics, qos, retain: false, every: pace(), window: 1 + random.below(8) },
    startsAt: random.between(0, 800),
  })
  const subscriber = (id: string, ...subscribes: { filter: string; qos: 1 | 2 }[]): ClientPlan => ({
    ...quiet,
    id,
    subscribes,
    startsAt: random.between(0, 600),
  })
  return [
    subscriber('s1', { filter: 't/#', qos: 1 }),
    subscriber('s2', { filter: 't/#', qos: 2 }, { filter: 'w/+', qos: 2 }),
    {
      ...subscriber('s3', { filter: 't/c', qos: 2 }),
      toggles: [
        { filter: 'u/#', qos: 1 },
        { filter: 't/a', qos: 2 },
      ],
    },
    { ...subscriber('s4', { filter: 'r/+', qos: 1 }), startsAt: random.between(0, 15_000) },
    { ...subscriber('s5', { filter: 't/+', qos: 1 }), cleanStart: 0.4 },
    { ...subscriber('s6', { filter: 't/#', qos: 2 }), expiry: 0 },
    subscriber('g1', { filter: '$share/g/h/#', qos: 2 }),
    subscriber('g2', { filter: '$share/g/h/#', qos: 2 }),
    publisher('p1', 1, 0, ['t/a', 'u/a', 'h/a']),
    publisher('p2', 1, DAY, ['t/b', 'h/b']),
    publisher('p3', 2, DAY, ['t/c', 'h/c']),
    publisher('p4', 2, DAY, ['t/d', 'u/d']),
    {
      ...publisher('p5', 1, DAY, ['r/a', 'r/b', 'r/c']),
      publishes: { topics: ['r/a', 'r/b', 'r/c'], qos: 1, retain: true, every: [50, 1200], window: 2 },
    },
    { ...quiet, id: 'w1', will: { topic: 'w/1', qos: 2, delay: 0 }, startsAt: 1000 },
    { ...quiet, id: 'w2', expiry: 0, will: { topic: 'w/2', qos: 2, delay: 0 }, startsAt: 1000 },
    { ...quiet, id: 'w3', will: { topic: 'w/3', qos: 2, delay: 2 }, startsAt: 1000 },
  ]
}
