import { createServer, type Server } from 'node:http'
import { expect } from 'chai'
import type { CinqueClient } from '#client/index.ts'
import { devInventory } from '#platform/inventory/dev.ts'
import { checkInventory, type Inventory } from '#platform/inventory/inventory.ts'
import type { Remote } from '#scripts/remote/remote.ts'
import { backupTimer } from '#scripts/roll/gates/backup-timer.ts'
import { fleetGates } from '#scripts/roll/gates/all.ts'
import { obstaclesOf } from '#scripts/roll/gates/gate.ts'
import { connectionsOf } from '#scripts/roll/load.ts'

/** Of this run, so that others on this machine have other ones. */
const net = `127.${192 + (process.pid % 60)}.${1 + ((process.pid >> 6) % 250)}`
const hosts = ['h1', 'h2', 'h3'].map((name, at) => ({ name, address: `${net}.${at + 1}` }))
const well = [
  'cinque_cassandra_up 1',
  'cinque_cassandra_nodes{dc="dc01",state="up"} 3',
  'cinque_cassandra_nodes{dc="dc01",state="down"} 0',
  'cinque_cassandra_schemas 1',
  'cinque_bus_connected 1',
  'cinque_bus_away 0',
  'cinque_cluster_peers 5',
  'cinque_cluster_peers_in_contact 5',
  'cinque_disk_free_ratio{path="/"} 0.5',
]

describe('the gates of a roll', () => {
  const servers: Server[] = []
  const pages = new Map<string, string[]>()
  let inventory: Inventory
  let answers: Record<string, unknown>

  before(async () => {
    let port = 0
    for (const { name, address } of hosts) {
      const server = createServer((_, response) => response.end(pages.get(name)?.join('\n')))
      servers.push(server)
      // oxlint-disable-next-line no-await-in-loop -- the first one's port is all the others'
      await new Promise<void>((done) => server.listen(port, address, done))
      const at = server.address()
      if (typeof at === 'object' && at !== null) port = at.port
    }
    inventory = checkInventory(
      {
        cell: 'test',
        dcs: [{ name: 'dc01', number: 1, place: 'Here', kind: 'live', replicas: 3 }],
        hosts: hosts.map((host) => ({ ...host, dc: 'dc01', roles: ['db', 'app'] })),
        ports: { http: port },
      },
      'the test',
    )
  })

  after(() => {
    for (const server of servers) server.close()
  })

  beforeEach(() => {
    for (const { name } of hosts) pages.set(name, well)
    answers = { '/v1/overrides': { items: [] }, '/v1/schedules': { items: [] } }
  })

  function obstacles(host: string): Promise<string[]> {
    const client = {
      get: async (path: string) => {
        const answer = answers[path]
        if (answer instanceof Error) throw answer
        return answer
      },
    } as unknown as CinqueClient
    return obstaclesOf(fleetGates({ client, inventory }), host, new AbortController().signal)
  }

  function say(name: string, ...lines: string[]): void {
    const names = new Set(lines.map((line) => line.replace(/ \S+$/, '')))
    pages.set(name, [...well.filter((line) => !names.has(line.replace(/ \S+$/, ''))), ...lines])
  }

  it('let a dead db host be made anew, whose DC does not serve without it', async () => {
    const [dc] = inventory.dcs
    const whole = inventory
    inventory = { ...inventory, dcs: [{ ...dc, replicas: 2 }] }
    for (const name of ['h2', 'h3']) say(name, 'cinque_cassandra_up 0')
    expect(await obstacles('h1')).to.deep.equal([])
    inventory = whole
    expect(await obstacles('h1')).to.have.length(2)
  })

  it('let a host out while all others are well', async () => {
    expect(await obstacles('h1')).to.deep.equal([])
  })

  const cases: Record<string, [lines: string[], obstacle: RegExp]> = {
    'a Cassandra node is down': [
      ['cinque_cassandra_nodes{dc="dc03",state="down"} 1'],
      /^1 Cassandra node is down in dc03$/,
    ],
    'Cassandra of a DC does not answer': [['cinque_cassandra_up 0'], /^Cassandra does not answer h2$/],
    'schemas differ': [['cinque_cassandra_schemas 2'], /^Cassandra's nodes have 2 schemas, as h2 sees it$/],
    'nodes do not tell of their schema': [['cinque_cassandra_schemas -1'], /^h2 could not ask Cassandra yet/],
    'hints wait': [
      ['cinque_cassandra_hint_files{from="dc01",to="dc03"} 3'],
      /^hints wait in dc01 for dc03: 3 files$/,
    ],
    'a nats-server is away': [['cinque_bus_away 1'], /^h2 goes by the nats-server of another host$/],
    'a process is out of contact': [
      ['cinque_cluster_peers_in_contact 3'],
      /^h2 is out of contact with 2 proc/,
    ],
    'a disk is full': [['cinque_disk_free_ratio{path="/"} 0.02'], /^the disk of h2 is full to 98 %$/],
  }
  for (const [what, [lines, obstacle]] of Object.entries(cases)) {
    it(`keep it in while ${what}, and not for what it says of itself`, async () => {
      say('h2', ...lines)
      const [line, ...more] = await obstacles('h1')
      expect(line).to.match(obstacle)
      expect(more).to.deep.equal([])
      expect(await obstacles('h2')).to.deep.equal([])
    })
  }

  it('let out the host whose own Cassandra is the one that is down, as that may be why', async () => {
    for (const name of ['h2', 'h3']) say(name, 'cinque_cassandra_nodes{dc="dc01",state="down"} 1')
    expect(await obstacles('h1')).to.deep.equal([])
    say('h2', 'cinque_cassandra_nodes{dc="dc01",state="down"} 2')
    expect(await obstacles('h1')).to.deep.equal(['2 Cassandra nodes are down in dc01'])
  })

  it('keep it in while a backup is under way or overdue, or somebody has taken another one out', async () => {
    const backup = { name: 'often', job: 'backup', enabled: true, overdue: false, last_success: null }
    answers['/v1/schedules'] = {
      items: [
        { ...backup, last: { state: 'running' } },
        { ...backup, name: 'rare', last: null, overdue: true },
        { ...backup, name: 'off', last: null, overdue: true, enabled: false },
      ],
    }
    answers['/v1/overrides'] = {
      items: [{ subject: 'dc02', action: 'out', owner: 'ann', reason: 'new cables' }],
    }
    expect(await obstacles('h1')).to.deep.equal([
      'dc02 is out by ann: new cables',
      'backup often is under way',
      'backup rare is overdue: there is none',
    ])
  })

  it('keep it in when another host does not answer, or something cannot be told', async () => {
    answers['/v1/schedules'] = new Error('no DC answers')
    servers[2].close()
    servers[2].closeAllConnections()
    const lines = await obstacles('h1')
    expect(lines[0]).to.match(/^h3 does not answer: http:.*ECONNREFUSED/)
    expect(lines[1]).to.equal("backup can't be told: no DC answers")
    expect((await obstacles('h3')).length).to.equal(1)
  })

  it('know no load of hosts that do not tell', async () => {
    pages.set('h1', ['cinque_mqtt_connections{version="5"} 3', 'cinque_mqtt_connections{version="4"} 4'])
    const ports = { ...inventory.ports, metrics: inventory.ports.http }
    const load = await connectionsOf({ ...inventory, ports })
    expect([load.get('h1'), load.has('h3')]).to.deep.equal([7, false])
  })

  describe('about backups that a host makes by its timer', () => {
    const cell = devInventory()

    function lines(
      said: string,
      failure: string | null = null,
      host = 'dc01-n1',
    ): Promise<readonly string[]> {
      const run = async ({ name }: { name: string }) => ({
        code: 0,
        stdout: name === 'dcb1-n1' ? said : '',
        stderr: '',
        failure: name === 'dcb1-n1' ? failure : null,
      })
      const gate = backupTimer({ run } as unknown as Remote, cell)
      return gate.look(host, new AbortController().signal)
    }

    it('are content with a fresh one, and where none are made', async () => {
      expect(await lines('0\n1000\n2000\n')).to.deep.equal([])
      expect(await lines('')).to.deep.equal([])
    })

    it('keep a host in while one is under way, or the newest is old', async () => {
      expect(await lines('1\n1000\n2000\n')).to.deep.equal(['a backup or drill is under way on dcb1-n1'])
      expect(await lines('0\n0\n2000\n')).to.deep.equal(['dcb1-n1 has made no backup yet'])
      expect(await lines('0\n1000\n13000\n')).to.deep.equal([
        'the newest backup of dcb1-n1 is 200 minutes old',
      ])
    })

    it('keep it in while that cannot be told, but for the host that makes them itself', async () => {
      expect((await lines('', 'dcb1-n1: it does not answer'))[0]).to.match(
        /can't be told: dcb1-n1: it does not/,
      )
      expect(await lines('', 'dcb1-n1: it does not answer', 'dcb1-n1')).to.deep.equal([])
    })
  })
})
