import { once } from 'node:events'
import { createServer, type Server } from 'node:http'
import { join } from 'node:path'
import { expect } from 'chai'
import { after, before, beforeEach, describe, it } from 'mocha'
import { temporaryFolder } from '../scripts/child.ts'
import { runHere } from '../scripts/cli-runner.ts'
import { SshHosts } from './sshd.ts'
import { putStandIns } from './stand-ins.ts'

interface Subject {
  subject: string
  state: 'up' | 'degraded' | 'down'
  serving: boolean
  percent: number
  reason: string
  votes: []
}

const well = (subject: string): Subject => ({
  subject,
  state: 'up',
  serving: true,
  percent: 100,
  reason: 'all see it up',
  votes: [],
})

describe('a look at all hosts', () => {
  const folder = temporaryFolder()
  let hosts: SshHosts
  let where: readonly string[]
  let checker: Server
  let subjects: Subject[]

  before(async function () {
    this.timeout(60_000)
    hosts = await SshHosts.start(folder.path)
    where = ['--inventory', join(folder.path, 'inventory.yaml')]
    checker = createServer((_, response) => {
      response.end(JSON.stringify({ checker: 'dc01-app1', standings: { abstains: null, subjects } }))
    }).listen(hosts.inventory.ports.checker, '127.60.0.2')
    await once(checker, 'listening')
  })
  beforeEach(() => {
    subjects = ['dc01', 'dcb1'].map(well)
    for (const { name } of hosts.inventory.hosts) putStandIns(hosts, name)
  })
  after(async () => {
    checker?.close()
    await hosts?.stop()
    folder.remove()
  })

  it('by cinque status shows all of all datacenters, and ends with 0 when all is well', async () => {
    const { code, stdout, stderr } = await runHere('status', ...where)
    expect({ code, stderr }).to.deep.equal({ code: 0, stderr: '' })
    const lines = stdout.trimEnd().split('\n')
    expect(lines[0]).to.equal('dc01 dc01 (live): up, in DNS with 100 %')
    const rows = Object.fromEntries(
      lines
        .filter((line) => /^ {2}dc/.test(line))
        .map((line) => [line.trim().split(/ +/)[0], line.trim().split(/ {2,}/)]),
    )
    expect(rows['dc01-db1'].slice(1, 8)).to.deep.equal(['db', '3/3', 'UN 1.21 GiB', '-', '-', '-', '-'])
    expect(rows['dc01-app1'].slice(1, 6)).to.deep.equal(['app,checker', '6/6', '-', '1', '12'])
    // What it counts in a second; of what does not grow nothing.
    expect(Number(rows['dc01-app1'][6])).to.be.within(50, 200)
    expect(rows['dc01-app1'].slice(7, 9)).to.deep.equal(['-', '0'])
    expect(rows['dcb1-n1'].slice(1, 6)).to.deep.equal(['db,app', '6/6', 'UN 1.21 GiB', '1', '12'])
    expect(rows['dcb1-n1'].slice(-2)).to.deep.equal(['40 %', '1.0.0'])
    expect(lines.at(-1)).to.equal('all is well: 3 hosts')
  })

  it('names everything that is not as it should be, a line each, and ends with 1', async () => {
    putStandIns(hosts, 'dc01-db1', {
      units: { cassandra: 'missing' },
      failed: ['logrotate.service'],
      diskFree: 4,
    })
    putStandIns(hosts, 'dc01-app1', {
      units: { 'cinque-broker1': 'failed', 'cinque-operator': 'inactive' },
      enabled: ['cinque-operator'],
      unready: 'stopping',
      ahead: 7,
    })
    putStandIns(hosts, 'dcb1-n1', { gateways: [], down: ['127.60.0.1'], release: '1.1.0' })
    subjects = [
      well('dcb1'),
      { ...well('dc01'), state: 'down', serving: false, percent: 0, reason: '2 of 3 see no MQTT' },
    ]
    const { code, stdout, stderr } = await runHere('status', ...where)
    const lines = stdout.trimEnd().split('\n')
    expect({ code, stderr }).to.deep.equal({ code: 1, stderr: 'cinque: 10 problems\n' })
    expect(lines[0]).to.equal('dc01 dc01 (live): down, out of DNS')
    const clock = /^dc01-app1: its clock is [67]\.\d s off$/
    expect(lines.slice(-11).filter((line) => !clock.test(line))).to.deep.equal([
      // Not wrong by itself: it is so while hosts are upgraded.
      'different releases: 1.0.0 on dc01-db1, dc01-app1; 1.1.0 on dcb1-n1',
      'dc01-db1: cassandra is missing',
      'dc01-db1: logrotate.service has failed',
      'dc01-db1: / has 4 % free',
      'dc01-app1: cinque-broker1 is failed',
      'dc01-app1: cinque-operator is inactive',
      'dc01-app1: its API does not take requests: stopping',
      'dcb1-n1: its nats-server has no gateway to dc01-app1',
      'dc01-db1: Cassandra is down, as dcb1-n1 sees it',
      'dc01: checkers find it down, and it is out of DNS: 2 of 3 see no MQTT',
    ])
    expect(lines.filter((line) => clock.test(line))).to.have.length(1)
  })

  it('names a host that is not reached, and says to programs how the others are', async () => {
    await hosts.shutDown('dc01-app1')
    const { code, stdout } = await runHere('status', ...where, '--json')
    const all = JSON.parse(stdout) as {
      well: boolean
      problems: string[]
      hosts: {
        name: string
        ring: { by: string; up: boolean }[]
        rates: Record<string, number>
      }[]
    }
    expect({ code, well: all.well }).to.deep.equal({ code: 1, well: false })
    expect(all.problems).to.deep.equal(['dc01-app1: nothing listens for ssh there'])
    expect(all.hosts[0].ring.map(({ by, up }) => [by, up])).to.deep.equal([
      ['dc01-db1', true],
      ['dcb1-n1', true],
    ])
    expect(all.hosts[2].rates.cinque_mqtt_received_messages_total).to.be.within(50, 200)
  })

  it('by cinque top shows what they do, the busiest first, and those that are away before all', async () => {
    const { code, stdout } = await runHere(
      'top',
      ...where,
      '--times',
      '1',
      '--every',
      '1',
      '--sort',
      'messages',
    )
    expect(code).to.equal(0)
    const [, , away, busiest] = stdout.trimEnd().split('\n')
    expect(away).to.match(/^dc01-app1( +-){8} +nothing listens for ssh there$/)
    const [host, , load, memory, , , clients, messages, requests, units] = busiest.split(/ {2,}/)
    expect({ host, clients, requests }).to.deep.equal({ host: 'dcb1-n1', clients: '12', requests: '0' })
    expect(Number(messages)).to.be.within(50, 200)
    expect(load).to.match(/^\d+\.\d\d$/)
    expect(memory).to.match(/^\d+ %$/)
    expect(units).to.match(/^\w+ (\d+ %|-) \d+ MB, /)
  })
})
