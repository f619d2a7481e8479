import { expect } from 'chai'
import * as fc from 'fast-check'
import type { Connection } from '#broker/connection.ts'
import type { Route } from '#broker/router/route.ts'
import { memberTarget, Router } from '#broker/router/router.ts'
import type { Subscription } from '#broker/router/subscription.ts'
import type { Session } from '#broker/session.ts'
import { filter, naiveMatch, topic } from './arbitraries.ts'
import { session, subscription } from './fixture.ts'

type Plan = Record<'session' | 'identifier', number> &
  Record<'noLocal' | 'retainAsPublished', boolean> & { filter: string; qos: 0 | 1 | 2 }

const plan: fc.Arbitrary<Plan> = fc.record({
  session: fc.nat({ max: 3 }),
  filter,
  qos: fc.constantFrom(0, 1, 2),
  noLocal: fc.boolean(),
  retainAsPublished: fc.boolean(),
  identifier: fc.nat({ max: 3 }),
})

function make(plans: readonly Plan[]): { router: Router; held: Subscription[]; sessions: Session[] } {
  const router = new Router()
  const sessions = Array.from({ length: 4 }, (_, i) => session(`s${i}`))
  const held: Subscription[] = []
  for (const p of plans) {
    const owner = sessions[p.session]
    if (owner.subscription(p.filter) !== undefined) continue
    const s = subscription(owner, p.filter, p)
    owner.addSubscription(s)
    router.add(s)
    held.push(s)
  }
  return { router, held, sessions }
}

const up = (a: number, b: number): number => a - b

/** What 3.3.4 says of one session's overlapping subscriptions. */
function merged(own: readonly Subscription[]) {
  return {
    qos: Math.max(...own.map((s) => s.qos)),
    retainAsPublished: own.some((s) => s.retainAsPublished),
    identifiers: [...new Set(own.map((s) => s.identifier).filter((n) => n !== 0))].toSorted(up),
  }
}

function told(target: Route['targets'][number]) {
  return {
    qos: target.qos,
    retainAsPublished: target.retainAsPublished,
    identifiers: [...(target.identifiers ?? [])].toSorted(up),
  }
}

describe('routes', () => {
  it('name each session once, with the highest QoS, all identifiers, and for itself without its No Local ones', () => {
    fc.assert(
      fc.property(
        fc.array(plan, { maxLength: 12 }),
        fc.array(topic, { minLength: 1, maxLength: 5 }),
        (plans, topics) => {
          const { router, held, sessions } = make(plans)
          for (const name of topics) {
            const route = router.route(name)
            for (const owner of sessions) {
              const own = held.filter((s) => s.session === owner && naiveMatch(s.match, name))
              const targets = route.targets.filter((t) => t.session === owner)
              expect(targets).to.have.length(own.length === 0 ? 0 : 1)
              if (own.length === 0) continue
              const [target] = targets
              expect(told(target)).to.deep.equal(merged(own))
              const local = own.filter((s) => !s.noLocal)
              if (local.length === 0) expect(target.own).to.equal(null)
              else if (local.length === own.length) expect(target.own).to.equal(target)
              else expect(told(target.own as typeof target)).to.deep.equal(merged(local))
              // what the short way may copy unchanged
              expect(target.plain).to.equal(own.every((s) => s.identifier === 0))
            }
          }
        },
      ),
      { numRuns: 300 },
    )
  })

  it('that are remembered are never out of date: after any change they equal those of a router made anew', () => {
    const change = fc.record({ plan, kind: fc.constantFrom('add', 'remove', 'change') })
    fc.assert(
      fc.property(
        fc.array(plan, { maxLength: 6 }),
        fc.array(change, { maxLength: 10 }),
        fc.array(topic, { minLength: 1, maxLength: 5 }),
        (plans, changes, topics) => {
          const { router, held, sessions } = make(plans)
          for (const { plan: p, kind } of changes) {
            const before = topics.map((name) => router.route(name))
            const known = sessions[p.session].subscription(p.filter)
            if (kind === 'add' && known === undefined) {
              const s = subscription(sessions[p.session], p.filter, p)
              sessions[p.session].addSubscription(s)
              router.add(s)
              held.push(s)
            } else if (kind === 'remove' && known !== undefined) {
              sessions[p.session].removeSubscription(known)
              router.remove(known)
              held.splice(held.indexOf(known), 1)
            } else if (kind === 'change' && known !== undefined) {
              known.ask({ ...p, qos: p.qos }, p.identifier)
              router.changed(known.match)
            }
            for (const [i, name] of topics.entries()) {
              // who holds a route asks it whether it is valid, and nothing else
              const route = before[i].valid ? before[i] : router.route(name)
              const fresh = held.filter((s) => naiveMatch(s.match, name))
              expect(route.targets.map((t) => t.session.clientId).toSorted(), name).to.deep.equal(
                [...new Set(fresh.map((s) => s.session.clientId))].toSorted(),
              )
              for (const target of route.targets) {
                expect(target.qos).to.equal(
                  Math.max(...fresh.filter((s) => s.session === target.session).map((s) => s.qos)),
                )
              }
            }
          }
          expect(router.count).to.equal(held.length)
        },
      ),
      { numRuns: 300 },
    )
  })

  it('tell a device its own topics as `me`, and only where it asked by `me`', () => {
    const router = new Router()
    const device = session('c', 'd1')
    router.add(subscription(device, 'v1/devices/me/rpc/request/+', { qos: 1 }))
    const app = session('app')
    router.add(subscription(app, 'v1/devices/+/#'))
    const route = router.route('v1/devices/d1/rpc/request/7')
    const topicFor = (owner: Session) => route.targets.find((t) => t.session === owner)?.topic
    expect(topicFor(device)).to.equal('v1/devices/me/rpc/request/7')
    expect(topicFor(app)).to.equal(null)
    expect(router.route('v1/devices/d2/rpc/request/7').targets.map((t) => t.session)).to.deep.equal([app])
    expect(route.targets.find((t) => t.session === device)?.plain).to.equal(false)
  })

  it('beyond what may be remembered are forgotten together, and whoever holds one is told', () => {
    const router = new Router()
    const first = router.route('first')
    const long = 'x'.repeat(4000)
    for (let i = 0; first.valid; i++) {
      expect(i).to.be.lessThan(10_000)
      router.route(`${long}/${i}`)
    }
    expect(router.route('first')).not.to.equal(first)
  })

  it('that are out of date hold nobody in memory, however long somebody holds them', () => {
    const router = new Router()
    router.add(subscription(session('s'), 'x'))
    router.add(subscription(session('t'), '$share/g/x'))
    const route = router.route('x')
    expect([route.targets.length, route.groups.length]).to.deep.equal([1, 1])
    router.add(subscription(session('u'), 'x'))
    expect([route.valid, route.targets.length, route.groups.length]).to.deep.equal([false, 0, 0])
  })

  it('levels of filters with wildcards are bounded, exact filters are not counted', () => {
    const router = new Router(10)
    const owner = session('s')
    router.add(subscription(owner, 'a/b/c/+'))
    const deep = subscription(owner, 'a/b/c/d/e/#')
    expect(router.takes(deep.match)).to.equal(true)
    router.add(deep)
    expect(router.takes('x/y/z/+')).to.equal(false)
    expect(router.takes('x/y/z/exact')).to.equal(true)
    router.remove(deep)
    expect(router.takes('x/y/z/+')).to.equal(true)
  })
})

describe('shared subscriptions', () => {
  const connected = (owner: Session, full = false): Session => {
    owner.connection = {} as Connection
    if (full) Object.defineProperty(owner.outbox, 'full', { value: true })
    return owner
  }

  it('give each message to one member, in turn', () => {
    const router = new Router()
    const members = ['a', 'b', 'c'].map((id) => subscription(connected(session(id)), '$share/g/x/+'))
    for (const member of members) router.add(member)
    const [group] = router.route('x/1').groups
    const picked = Array.from({ length: 6 }, () => group.pick()?.session.clientId)
    expect(picked).to.deep.equal(['a', 'b', 'c', 'a', 'b', 'c'])
  })

  it('prefer a member with room, then a connected one, then one whose session is kept, and forget the rest', () => {
    const router = new Router()
    const gone = session('gone')
    const kept = session('kept')
    Object.defineProperty(kept, 'durable', { value: true })
    const full = connected(session('full'), true)
    const ready = connected(session('ready'))
    const subscriptions = [gone, kept, full, ready].map((s) => subscription(s, '$share/g/x'))
    for (const s of subscriptions) router.add(s)
    const [group] = router.route('x').groups
    const pick = () => group.pick()?.session.clientId
    expect([pick(), pick()]).to.deep.equal(['ready', 'ready'])
    router.remove(subscriptions[3])
    expect([pick(), pick()]).to.deep.equal(['full', 'full'])
    router.remove(subscriptions[2])
    expect([pick(), pick()]).to.deep.equal(['kept', 'kept'])
    router.remove(subscriptions[1])
    expect(pick()).to.equal(undefined)
    router.remove(subscriptions[0])
    expect(router.route('x').groups).to.deep.equal([])
    expect([router.count, router.shared]).to.deep.equal([0, 0])
  })

  it('of the same filter under two names both get the message', () => {
    const router = new Router()
    router.add(subscription(connected(session('a')), '$share/g/x'))
    router.add(subscription(connected(session('b')), '$share/h/x'))
    router.add(subscription(connected(session('c')), 'x'))
    const route = router.route('x')
    expect(route.groups.map((g) => g.pick()?.session.clientId ?? '').toSorted()).to.deep.equal(['a', 'b'])
    expect(route.targets.map((t) => t.session.clientId)).to.deep.equal(['c'])
  })

  it('count the member with its own QoS and identifier', () => {
    const s = subscription(session('a'), '$share/g/x/+', { qos: 1, identifier: 7, retainAsPublished: true })
    const target = memberTarget(s, 'x/1')
    expect([target.qos, target.identifiers, target.retainAsPublished]).to.deep.equal([1, [7], true])
  })
})
