import { expect } from 'chai'
import { checkInventory } from '#platform/inventory/inventory.ts'
import type { Remote, RemoteFinished } from '#scripts/remote/remote.ts'
import { refusedCode } from '#scripts/roll/fence.ts'
import type { Hands, Mandate } from '#scripts/roll/hands.ts'
import { sshHands } from '#scripts/roll/ssh-hands.ts'

const dcs = ['dc01', 'dc02', 'dc03'].map((name, at) => ({
  name,
  number: at + 1,
  place: name,
  kind: 'live' as const,
  replicas: 1,
}))
const inventory = checkInventory(
  {
    cell: 'test',
    dcs,
    hosts: dcs.flatMap(({ name, number }) => [
      { name: `${name}-db1`, dc: name, roles: ['db'], address: `10.60.${number}.1` },
      { name: `${name}-app1`, dc: name, roles: ['app'], address: `10.60.${number}.11` },
    ]),
  },
  'test',
)
const addresses = dcs.map(({ number }) => `10.60.${number}.1`)
const mandate: Mandate = { roll: '0197a4c2-1b7e-7c55-8f41-2f1f5a3a9d10', kind: 'restart', token: 7 }

/** What a host answers to commands that have a text in them; the last that fits counts. */
type Answer = Partial<RemoteFinished>
/** `^text`: begins with it; else has it somewhere. */
const begins = (command: string, text: string): boolean =>
  text.startsWith('^') ? command.startsWith(text.slice(1)) : command.includes(text)

/** Stands for the time at which it is asked: a whole run of the tests takes longer than clocks may be apart. */
const now = 'NOW'

/** As a host prints it that is well, but for what is told here. */
function look({
  units = [],
  ready = 200,
  down = [],
  restarts = 0,
}: {
  units?: readonly (readonly [name: string, state: string])[]
  ready?: number
  down?: readonly string[]
  restarts?: number
}): Answer {
  const shown = units.map(
    ([name, state]) => `Id=${name}.service\nLoadState=loaded\nNRestarts=${restarts}\nActiveState=${state}\n`,
  )
  const gateways = Object.fromEntries(inventory.hosts.map(({ name }) => [name, {}]))
  const ring = addresses.map(
    (one) => `${down.includes(one) ? 'DN' : 'UN'}  ${one}  1.2 GiB  16  100%  id  r1`,
  )
  return {
    stdout: [
      `@@ clock\n${now}`,
      `@@ units\n${shown.join('\n')}`,
      `@@ gateways\n${JSON.stringify({ outbound_gateways: gateways })}`,
      `@@ ready\n${ready}`,
      `@@ ring\n${ring.join('\n')}\n`,
    ].join('\n'),
  }
}

describe('hands over ssh', () => {
  let answers: { host: RegExp; command: string; answer: Answer }[]
  let ran: string[]
  let done: string[]
  let hands: Hands
  let unbound: Hands
  let due: string[]
  const { signal } = new AbortController()

  const on = (host: RegExp, command: string, answer: Answer): void =>
    void answers.push({ host, command, answer })
  const failureOf = (deed: Promise<void>): Promise<string> =>
    deed.then(
      () => 'nothing',
      (error: Error) => error.message,
    )

  beforeEach(() => {
    answers = []
    ran = []
    done = []
    due = []
    on(/./, '', {})
    on(/./, '@@ clock', look({}))
    on(/db/, 'is-active cassandra;', { stdout: 'active\n' })
    on(/app/, '^basename', { stdout: '1.0.0-a\n' })
    const remote: Remote = {
      run({ name }, command) {
        ran.push(`${name}: ${command}`)
        const found = answers.findLast((one) => one.host.test(name) && begins(command, one.command))
        const stdout = (found?.answer.stdout ?? '').replace(now, String(Date.now() / 1000))
        return Promise.resolve({ code: 0, stderr: '', failure: null, ...found?.answer, stdout })
      },
      session: () => [],
      close: () => Promise.resolve(),
    }
    const note = (line: string): Promise<void> => {
      done.push(line)
      return Promise.resolve()
    }
    hands = sshHands({
      inventory,
      remote,
      traffic: {
        away: (host) => note(`away ${host}`),
        extend: () => Promise.resolve(true),
        ailment: () => Promise.resolve(null),
        back: (host) => note(`back ${host}`),
      },
      leaving: {
        away: (host) => note(`away ${host} alone`),
        extend: () => Promise.resolve(true),
        ailment: () => Promise.resolve(null),
        back: () => Promise.resolve(),
      },
      gates: [],
      installer: {
        obstacle: ({ name }) => (name === 'dc02-app1' ? 'its secrets are not here' : null),
        deliver: ({ name }, _, release) => note(`deliver ${name} ${release}`),
        replaces: ({ name }) => note(`replaces ${name}`),
        install: ({ name }) => note(`install ${name}`),
        admit: (hosts) => note(`admit ${hosts.map(({ name }) => name).join(' ')}`),
        restarts: () => Promise.resolve(due),
      },
      rebuild: ({ name }) => note(`rebuild ${name}`),
      lookMs: 1,
      wellMs: 20,
    })
    unbound = hands
    hands = hands.under?.(mandate) ?? hands
  })
  const under = (kind: Mandate['kind']): Hands => unbound.under?.({ ...mandate, kind }) ?? unbound

  const gone: Answer = { code: 255, failure: 'dc03-db1: it does not answer' }

  it('find nothing against a restart where all others are well', async () => {
    expect(await hands.obstacles('dc01-app1', signal)).to.deep.equal([])
    expect(await hands.ailment('dc01-db1', signal)).to.equal(null)
  })

  for (const [what, host, command, answer, line] of [
    ['a host is dead', /dc03-db1/, '', gone, /dc03-db1: it does not answer/],
    [
      'a service does not run',
      /dc03-app1/,
      '@@ clock',
      look({ units: [['cinque-broker1', 'activating']] }),
      /^dc03-app1: cinque-broker1 is activating$/,
    ],
    [
      'a host takes no work',
      /dc03-app1/,
      '@@ clock',
      look({ ready: 503 }),
      /^dc03-app1: its API does not take requests/,
    ],
    [
      'a Cassandra is down',
      /dc01-db1/,
      '@@ clock',
      look({ down: [addresses[2]] }),
      /^dc03-db1: Cassandra is down, as dc01-db1 sees it$/,
    ],
  ] as const) {
    it(`leave the others alone while ${what}`, async () => {
      on(host, command, answer)
      const lines = await hands.obstacles('dc01-app1', signal)
      expect(lines).to.have.length(1)
      expect(lines[0]).to.match(line)
      // The one that is ill may be looked after.
      expect(await hands.obstacles(lines[0].split(':')[0], signal)).to.deep.equal([])
    })
  }

  it('find a db host ill that one other does not see up: it would miss writes of that DC', async () => {
    on(/dc02-db1/, '@@ clock', look({ down: [addresses[0]] }))
    expect(await hands.ailment('dc01-db1', signal)).to.equal(
      'dc01-db1: Cassandra is down, as dc02-db1 sees it',
    )
    on(/dc02-db1/, '@@ clock', gone)
    expect(await hands.ailment('dc01-db1', signal)).to.equal('dc02-db1 cannot be asked how it sees dc01-db1')
  })

  it('leave no host out of service for a job that failed at its time', async () => {
    const { stdout = '' } = look({})
    on(/./, '@@ clock', { stdout: `${stdout}@@ failed\ncinque-figures.service loaded failed failed x\n` })
    expect(await hands.ailment('dc01-db1', signal)).to.equal(null)
    expect(await hands.obstacles('dc01-app1', signal)).to.deep.equal([])
  })

  it('restart under their token, and are refused where a newer one has been', async () => {
    await hands.restart('dc01-db1', signal)
    for (const command of ran) expect(command).to.include('-gt 7 ]')
    const deeds = ran.map(
      (command) => `${command.slice(0, 9)} ${/drain|start|stop/.exec(command)?.[0] ?? ''}`,
    )
    // Devices at app hosts would wait for answers while the only Cassandra of their DC is away: they are sent elsewhere.
    expect(deeds).to.deep.equal(['dc01-app1 stop', 'dc01-db1: stop', 'dc01-db1: start', 'dc01-app1 start'])
    expect(ran[1]).to.include('nodetool drain')
    const stderr = 'a runner with a newer token (8) has been here; this one has 7\n'
    on(/./, '-gt 7 ]', { code: refusedCode, stderr })
    expect(await failureOf(hands.restart('dc01-db1', signal))).to.equal(`dc01-app1: ${stderr.trim()}`)
    expect(await failureOf(hands.reinstall('dc01-db1', signal))).to.equal(`dc01-app1: ${stderr.trim()}`)
    expect(done).to.deep.equal([])
  })

  it('begin again when a connection breaks, and give a host up that never answers', async () => {
    let breaks = 1
    on(/dc01-db1/, 'systemctl stop', {
      get code() {
        return breaks-- > 0 ? 255 : 0
      },
      failure: 'dc01-db1: the connection was lost',
    })
    await hands.restart('dc01-db1', signal)
    expect(ran.filter((command) => command.startsWith('dc01-db1'))).to.have.length(3)
    on(/dc01-db1/, 'systemctl start', gone)
    ran = []
    expect(await failureOf(hands.restart('dc01-db1', signal))).to.equal(gone.failure)
    // Those that were stopped for it are started all the same.
    expect(ran.at(-1)).to.match(/^dc01-app1: [^]*systemctl start/)
  })

  it('do what is to be done although another host of the DC is dead', async () => {
    on(/dc01-app1/, '', { code: 255, failure: 'dc01-app1: it does not answer' })
    await hands.restart('dc01-db1', signal)
    expect(ran.some((command) => command.includes('nodetool drain'))).to.equal(true)
  })

  it('make an app host anew with what it had', async () => {
    await hands.reinstall('dc01-app1', signal)
    expect(done).to.deep.equal(['rebuild dc01-app1', 'deliver dc01-app1 1.0.0-a', 'install dc01-app1'])
  })

  it('make a db host anew in its old place, and compare its rows with those of the others', async () => {
    await hands.reinstall('dc01-db1', signal)
    expect(done).to.deep.equal(['rebuild dc01-db1', 'replaces dc01-db1', 'install dc01-db1'])
    expect(ran.at(-1)).to.include('nodetool repair')
  })

  it('make a dead host anew with what most others have', async () => {
    on(/dc01-app1/, '^basename', { code: 255, failure: 'dc01-app1: it does not answer' })
    on(/dc01-app1/, 'systemctl stop', { code: 255, failure: 'dc01-app1: it does not answer' })
    await hands.reinstall('dc01-app1', signal)
    expect(done[1]).to.equal('deliver dc01-app1 1.0.0-a')
  })

  it('go on where another runner died in the middle of a reinstallation: the disk is not thrown away again', async () => {
    on(/dc01-db1/, 'installed-by', { stdout: `${mandate.roll}\n` })
    await hands.reinstall('dc01-db1', signal)
    expect(done).to.deep.equal(['replaces dc01-db1', 'install dc01-db1'])
  })

  it('throw nothing away that could not be made again', async () => {
    expect(await failureOf(hands.reinstall('dc02-app1', signal))).to.equal(
      'dc02-app1: its secrets are not here; nothing was thrown away',
    )
    const alone = { ...inventory, hosts: inventory.hosts.filter(({ name }) => /app|dc01/.test(name)) }
    const few = sshHands({
      inventory: alone,
      remote: {
        run: () => Promise.resolve({ code: 0, stdout: '', stderr: '', failure: null }),
        session: () => [],
        close: () => Promise.resolve(),
      },
      traffic: {
        away: () => Promise.resolve(),
        extend: () => Promise.resolve(true),
        ailment: () => Promise.resolve(null),
        back: () => Promise.resolve(),
      },
      leaving: {
        away: () => Promise.resolve(),
        extend: () => Promise.resolve(true),
        ailment: () => Promise.resolve(null),
        back: () => Promise.resolve(),
      },
      gates: [],
      installer: {
        obstacle: () => null,
        deliver: () => Promise.resolve(),
        replaces: () => Promise.resolve(),
        install: () => Promise.resolve(),
        admit: () => Promise.resolve(),
        restarts: () => Promise.resolve([]),
      },
      rebuild: () => Promise.reject(new Error('wiped')),
    })
    expect(await failureOf(few.reinstall('dc01-db1', signal))).to.match(/has the only copy of all rows/)
    expect(done).to.deep.equal([])
  })

  it('hand nothing to a host that comes back with a key which nobody signed', async () => {
    on(/dc01-app1/, '[ ! -e /var/lib/cinque-roll/token ]', {
      code: 255,
      failure: 'dc01-app1: its host key is refused: find out who answers',
    })
    on(/dc01-app1/, 'systemctl stop', {})
    on(/dc01-app1/, '^basename', { stdout: '1.0.0-a\n' })
    expect(await failureOf(hands.reinstall('dc01-app1', signal))).to.match(/its host key is refused/)
    expect(done).to.deep.equal(['rebuild dc01-app1'])
  })

  it('wait for the new disk: a provider says that it is done before it has begun', async () => {
    let looks = 2
    on(/dc01-app1/, '[ ! -e /var/lib/cinque-roll/token ]', {
      get code() {
        return looks-- > 0 ? 1 : 0
      },
    })
    await hands.reinstall('dc01-app1', signal)
    expect(looks).to.equal(-1)
    expect(done).to.deep.equal(['rebuild dc01-app1', 'deliver dc01-app1 1.0.0-a', 'install dc01-app1'])
  })

  it('keep the release before on the disk, and no older one', async () => {
    let asked = 0
    on(/dc01-app1/, '^basename', {
      get stdout() {
        return asked++ === 0 ? '1.0.0-a\n' : '2.0.0-b\n'
      },
    })
    await hands.upgrade('dc01-app1', '2.0.0-b', signal)
    expect(ran.at(-1)).to.include('grep -vxF').and.include('1.0.0-a').and.include('2.0.0-b')
  })

  it('give a version, and say why a host is not well with it', async () => {
    on(/dc01-app1/, '^basename', { stdout: '2.0.0-b\n' })
    await hands.upgrade('dc01-app1', '2.0.0-b', signal)
    expect(done).to.deep.equal(['deliver dc01-app1 2.0.0-b', 'install dc01-app1'])
    on(/dc01-app1/, '@@ clock', look({ units: [['cinque-api', 'activating']] }))
    expect(await failureOf(hands.upgrade('dc01-app1', '2.0.0-b', signal))).to.match(
      /^not well after 0.02 s: dc01-app1: cinque-api is activating/,
    )
  })

  it('do not wait for a version whose services end again and again', async () => {
    // Those of the version before do not count.
    let restarts = 7
    on(/dc01-app1/, '^basename', { stdout: '2.0.0-b\n' })
    on(/dc01-app1/, '@@ clock', {
      get stdout() {
        return look({ units: [['cinque-api', 'activating']], restarts: restarts++ }).stdout ?? ''
      },
    })
    on(/dc01-app1/, 'journalctl', { stdout: 'starts\nSyntaxError: Unexpected token\n' })
    expect(await failureOf(hands.upgrade('dc01-app1', '2.0.0-b', signal))).to.match(
      /^dc01-app1: cinque-api was started again \d+ times: SyntaxError: Unexpected token$/,
    )
  })

  it('leave db hosts out of an upgrade of what only app hosts run', async () => {
    await hands.upgrade('dc01-db1', '2.0.0-b', signal)
    expect(ran).to.deep.equal([])
  })

  it('have the others let a new host in, and give it what most of them run, before it is one of them', async () => {
    const apply = under('apply')
    on(/dc01-app1/, '^basename', { code: 1 })
    on(/dc01-app1/, 'echo newcomer', { stdout: 'newcomer\n' })
    on(/dc03/, '/etc/nftables.conf', { code: 1 })
    await apply.drain('dc01-app1', 0, signal)
    await apply.apply('dc01-app1', signal)
    expect(done).to.deep.equal(['admit dc03-db1 dc03-app1', 'deliver dc01-app1 1.0.0-a', 'install dc01-app1'])
    expect(ran.at(-1)).to.match(/^dc01-app1: [^]*rm -f \/var\/lib\/cinque-roll\/newcomer/)
  })

  it('take nobody out of service for a db host that comes, and wait until it has its rows', async () => {
    const apply = under('apply')
    on(/dc01-db1/, 'echo newcomer', { stdout: 'newcomer\n' })
    let looks = 2
    on(/dc01-db1/, 'is-active cassandra;', {
      get stdout() {
        return looks-- > 0
          ? 'activating\nReceiving 4 files, 1 MiB total. Already received 1 files'
          : 'active\n'
      },
    })
    const notes: string[] = []
    await apply.drain('dc01-db1', 0, signal)
    await apply.apply('dc01-db1', signal, (note) => notes.push(note))
    expect(done).to.deep.equal(['install dc01-db1'])
    expect(notes).to.include('it gets its rows: 1 of 4 files')
  })

  it('stop in good order what Puppet is to restart, and nothing else', async () => {
    const apply = under('apply')
    const running = 'cassandra.service\n'
    on(/dc01-db1/, '--state=active,activating', { stdout: running })
    await apply.apply('dc01-db1', signal)
    expect(ran.some((command) => /nodetool drain|systemctl stop/.test(command))).to.equal(false)
    due = ['cassandra']
    ran = []
    await apply.drain('dc01-db1', 0, signal)
    await apply.apply('dc01-db1', signal)
    expect(done).to.deep.equal(['install dc01-db1', 'away dc01-db1', 'install dc01-db1'])
    const deeds = ran.flatMap((command) => {
      const deed = /nodetool drain|systemctl stop|systemctl start/.exec(command)?.[0]
      return deed === undefined ? [] : [`${command.slice(0, 9)} ${deed.slice(-5)}`]
    })
    expect(deeds.map((deed) => deed.trim())).to.deep.equal([
      'dc01-app1  stop',
      'dc01-db1:  stop',
      'dc01-db1: start',
      'dc01-app1 start',
    ])
  })

  describe('that take a host out for good', () => {
    const ring = (...lines: string[]): Answer => ({
      stdout: ['UN  10.60.1.1  1 MiB  16  ?  a0a0a0a0-0000-4000-8000-000000000001  r1', ...lines].join('\n'),
    })
    const member = 'UN  10.60.2.1  1 MiB  16  ?  a0a0a0a0-0000-4000-8000-000000000002  r1'
    const of = (...texts: string[]): string[] =>
      ran
        .filter((command) => texts.some((text) => command.includes(text)))
        .map((command) => command.slice(0, 8))

    it('have its rows go to the others, and erase what the cell has left on it', async () => {
      let left = false
      on(/dc01-db1/, '^nodetool status', {
        get stdout() {
          return ring(...(left ? [] : [member])).stdout ?? ''
        },
      })
      on(/dc02-db1/, 'nodetool decommission', {
        get code() {
          left = true
          return 0
        },
      })
      on(/dc02-db1/, '^[ -e /etc/cinque ]', { code: 1 })
      const hand = under('decommission')
      await hand.drain('dc02-db1', 0, signal)
      await hand.remove('dc02-db1', signal)
      expect(done).to.deep.equal(['away dc02-db1 alone'])
      expect(of('nodetool decommission', 'rm -rf /etc/cinque')).to.deep.equal(['dc02-db1', 'dc02-db1'])
      // Rows that drills have restored.
      expect(of('-xdev -mindepth 1 -delete')).to.deep.equal(['dc02-db1'])
      expect(await hand.ailment('dc02-db1', signal)).to.equal(null)
      // It stays out of DNS until nobody knows it.
      await hand.readmit('dc02-db1', signal)
      expect(done).to.have.length(1)
    })

    it('go on where a runner died: one that leaves already is waited for', async () => {
      let looks = 0
      on(/dc01-db1/, '^nodetool status', {
        get stdout() {
          return ring(...(looks++ < 3 ? [member.replace('UN', 'UL')] : [])).stdout ?? ''
        },
      })
      await under('decommission').remove('dc02-db1', signal)
      expect(of('nodetool decommission')).to.deep.equal([])
      expect(of('rm -rf /etc/cinque')).to.deep.equal(['dc02-db1'])
    })

    it('erase nothing on one whose rows could not go', async () => {
      on(/dc01-db1/, '^nodetool status', ring(member))
      on(/dc02-db1/, 'nodetool decommission', { code: 1, stdout: 'nodetool: Not enough live nodes\n' })
      expect(await failureOf(under('decommission').remove('dc02-db1', signal))).to.equal(
        'dc02-db1: nodetool: Not enough live nodes',
      )
      expect(of('rm -rf /etc/cinque')).to.deep.equal([])
    })

    it('do not take one for dead that answers, whatever another one sees', async () => {
      on(/dc01-db1/, '^nodetool status', ring(member.replace('UN', 'DN')))
      expect(await failureOf(under('removenode').remove('dc02-db1', signal))).to.equal(
        'dc02-db1: it answers: remove it without --dead',
      )
      expect(of('nodetool removenode')).to.deep.equal([])
    })

    it('do not take one for dead that the others see', async () => {
      on(/dc02-db1/, '^true', { code: 255, failure: 'dc02-db1: no route to it' })
      on(/dc01-db1/, '^nodetool status', ring(member))
      expect(await failureOf(under('removenode').remove('dc02-db1', signal))).to.match(
        /its Cassandra is up, as others see it: remove it without --dead$/,
      )
    })

    it('take a dead one out of the ring without asking it', async () => {
      let removed = false
      on(/dc02-db1/, '^true', { code: 255, failure: 'dc02-db1: no route to it' })
      on(/dc01-db1/, '^nodetool status', {
        get stdout() {
          return ring(...(removed ? [] : [member.replace('UN', 'DN')])).stdout ?? ''
        },
      })
      on(/dc01-db1/, 'nodetool removenode', {
        get code() {
          removed = true
          return 0
        },
      })
      const hand = under('removenode')
      await hand.remove('dc02-db1', signal)
      expect(of('nodetool removenode')).to.deep.equal(['dc01-db1'])
      const asked = ran.filter((command) => !command.startsWith('dc01-db1'))
      expect(new Set(asked)).to.deep.equal(new Set(['dc02-db1: true']))
    })
  })
})
