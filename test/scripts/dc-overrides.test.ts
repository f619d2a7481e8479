import { createServer, type Server } from 'node:http'
import { type AddressInfo } from 'node:net'
import { mkdtempSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect } from 'chai'
import { stringify } from 'yaml'
import { devInventory } from '#platform/inventory/dev.ts'
import { adminToken, startTestApi, type TestApi } from '../api/fixture.ts'
import type { Finished } from './child.ts'
import { runHere } from './cli-runner.ts'

describe('cinque dc drain, undrain, weight, keep, overrides', () => {
  let api: TestApi
  let checker: Server
  let inventory: string
  let away: string[]
  const run = (...args: string[]): Promise<Finished> =>
    runHere('dc', ...args, '--url', api.url, '--token', adminToken)
  const drain = (name: string, ...more: string[]): Promise<Finished> =>
    run('drain', name, '--inventory', inventory, ...more)
  const said = async (): Promise<string[]> =>
    (await api.platform.overrides.list()).map(({ subject, action }) => `${subject} ${action}`)

  beforeEach(async () => {
    api = await startTestApi()
    away = []
    checker = createServer((_, response) => {
      const subjects = ['dc01', 'dc02', 'dc03'].map((subject) => ({
        subject,
        state: away.includes(subject) ? 'down' : 'up',
        serving: !away.includes(subject),
        percent: 100,
        reason: '',
        votes: [],
      }))
      response.end(JSON.stringify({ checker: 'watch', standings: { abstains: null, subjects } }))
    })
    await new Promise<void>((listening) => checker.listen(0, '127.0.0.1', listening))
    const { port } = checker.address() as AddressInfo
    const cell = devInventory({ dcs: 3 })
    inventory = join(mkdtempSync(join(tmpdir(), 'cinque-dc-')), 'inventory.yaml')
    const host = { name: 'watch', dc: 'outside', roles: ['checker'], address: '127.0.0.1' }
    writeFileSync(
      inventory,
      stringify({
        ...cell,
        hosts: [...cell.hosts, host],
        ports: { ...cell.ports, checker: port },
        health: { ...cell.health, quorum: 1 },
      }),
    )
  })
  afterEach(async () => {
    checker.closeAllConnections()
    checker.close()
    await api.close()
  })

  it('take a datacenter out for a time, list it, and give it back', async () => {
    const drained = await drain('dc01', '--reason', 'new disks', '--for', '2h')
    expect(drained, drained.stderr).to.include({ code: 0 })
    const [word] = await api.platform.overrides.list()
    expect(word).to.include({ subject: 'dc01', action: 'out', reason: 'new disks' })
    expect((word.expiresAt ?? 0) - Date.now()).to.be.within(7_100_000, 7_200_000)
    expect((await run('overrides')).stdout).to.match(
      /^NAME +IS +UNTIL .*\ndc01 +out +2.*Z +the platform's token +new disks\n$/,
    )
    const json = JSON.parse((await run('overrides', '--json')).stdout)
    expect(json.overrides[0].subject).to.equal('dc01')
    expect((await run('undrain', 'dc01')).stdout).to.equal('undrained dc01; it comes back by steps\n')
    expect((await run('overrides')).stdout).to.equal('nobody has said anything: checkers decide\n')
    const nothing = await run('undrain', 'dc01')
    expect([nothing.code, nothing.stderr]).to.deep.equal([
      1,
      `cinque: nobody's word about "dc01" is in force\n`,
    ])
  })

  it('weight and keep', async () => {
    await run('weight', 'dc02', '--percent', '30')
    await run('keep', 'dc03', '--reason', 'checkers are wrong')
    expect(await said()).to.have.members(['dc02 weight', 'dc03 in'])
  })

  it('refuse a second datacenter, unless told that it is meant', async () => {
    await drain('dc01', '--reason', 'disks')
    const second = await drain('dc02')
    expect([second.code, second.stderr]).to.deep.equal([
      1,
      "cinque: dc01 is out already (the platform's token: disks)\n  Give that one back first (`cinque dc undrain NAME`), or --force.\n",
    ])
    expect(await said()).to.deep.equal(['dc01 out'])
    expect((await run('drain', 'dc02')).stderr, 'without an inventory').to.match(/dc01 is out already/)
    expect((await drain('dc02', '--force')).code).to.equal(0)
    expect((await drain('dc01', '--reason', 'longer')).code, 'the same again').to.equal(1)
  })

  it('refuse the last live datacenter that checkers find well', async () => {
    away = ['dc01', 'dc02']
    const last = await drain('dc03')
    expect(last.stderr).to.match(/^cinque: dc03 is the last live datacenter that is in\n/)
    const none = await run('weight', 'dc03', '--percent', '0', '--inventory', inventory)
    expect(none.stderr).to.match(/is the last live datacenter/)
    expect(await said()).to.deep.equal([])
    expect((await drain('dc01')).code).to.equal(0)
  })

  it('refuse the last host of a datacenter', async () => {
    expect((await drain('dc01-n1')).stderr).to.match(/^cinque: dc01-n1 is the last host of dc01 that is in\n/)
  })

  it('go on without checkers, when these are away', async () => {
    await new Promise((closed) => checker.close(closed))
    expect((await drain('dc03')).code).to.equal(0)
  })

  for (const [args, message] of [
    [['drain', 'dc09'], /there is no datacenter or host dc09; there are dc01, dc02, dc03, dc01-n1/],
    [['drain', 'dc01', '--for', '2x'], /Expected a time, as 30m, 2h or 1d/],
    [['drain', 'dc01', '--for', '0h'], /Expected a time/],
    [['weight', 'dc01'], /required option '--percent <n>'/],
    [['weight', 'dc01', '--percent', '101'], /whole number from 0 to 100/],
  ] as [string[], RegExp][]) {
    it(`refuse ${args.join(' ')} in one line`, async () => {
      const more = args.includes('weight') ? [] : ['--inventory', inventory]
      const { code, stderr } = await run(...args, ...more)
      expect(stderr).to.match(message)
      expect(code).to.equal(2)
      expect(await said()).to.deep.equal([])
    })
  }
})
