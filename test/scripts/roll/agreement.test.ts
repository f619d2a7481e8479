import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect } from 'chai'
import { stringify } from 'yaml'
import { type CinqueClient, createClient } from '#client/index.ts'
import { checkInventory, type Inventory } from '#platform/inventory/inventory.ts'
import { checkAgreement, stepsOf } from '#scripts/roll/agreement.ts'
import type { ShownRoll } from '#scripts/roll/ledger.ts'
import { adminToken, startTestApi, type TestApi } from '../../api/fixture.ts'
import { runHere } from '../cli-runner.ts'

function inventoryWith(...apps: readonly (readonly [name: string, address: string])[]): Inventory {
  const db = { name: 'dc01-n1', dc: 'dc01', roles: ['db', 'app'], address: '10.60.1.1' }
  const others = apps.map(([name, address]) => ({ name, dc: 'dc01', roles: ['app'], address }))
  const dcs = [{ name: 'dc01', number: 1, place: 'x', kind: 'live', replicas: 1 }]
  return checkInventory({ cell: 'test', dcs, hosts: [db, ...others] }, 'test')
}
const planned = inventoryWith(['dc01-app2', '10.60.1.12'], ['dc01-app3', '10.60.1.13'])
const variables = ['CINQUE_URL', 'CINQUE_TOKEN'] as const

describe('a roll that somebody else goes on with', () => {
  let api: TestApi
  let client: CinqueClient
  let directory: string
  const before = Object.fromEntries(variables.map((name) => [name, process.env[name]]))

  beforeEach(async () => {
    api = await startTestApi()
    client = createClient({ urls: [api.url], token: adminToken })
    directory = mkdtempSync(join(tmpdir(), 'cinque-agreement-'))
    writeFileSync(join(directory, 'ssh_config'), 'Host *\n  ProxyCommand false\n')
    process.env.CINQUE_URL = api.url
    process.env.CINQUE_TOKEN = adminToken
  })
  afterEach(async () => {
    for (const name of variables) {
      if (before[name] === undefined) delete process.env[name]
      else process.env[name] = before[name]
    }
    rmSync(directory, { recursive: true, force: true })
    await api.close()
  })

  const plan = (reason: string, inventory = planned): Promise<ShownRoll> =>
    client.post('/v1/rolls', {
      body: { kind: 'apply', reason, hosts: stepsOf('apply', inventory.hosts) },
    })
  const stateOf = async (id: string): Promise<string> =>
    (await client.get('/v1/rolls/{roll}', { params: { path: { roll: id } } })).state
  /** What one says who has this inventory. */
  const refusal = async (verb: readonly string[], inventory: Inventory): Promise<string> => {
    const file = join(directory, 'cell.yaml')
    writeFileSync(file, stringify(inventory))
    const { code, stderr } = await runHere('roll', ...verb, '--inventory', file)
    expect(code, stderr).to.equal(2)
    return stderr
  }

  it('never has hosts forget one that was just added, by an inventory that does not have it', async () => {
    const { id } = await plan('cinque node add dc01-app3')
    const said = await refusal(['run'], inventoryWith(['dc01-app2', '10.60.1.12']))
    expect(said).to.match(/roll \S+ \(apply: cinque node add dc01-app3\).*it has no host "dc01-app3"\n/)
    expect(said).to.match(/--inventory FILE.*cinque roll abort/)
    expect(await stateOf(id)).to.equal('ready')
  })

  it('never sends hosts to an address that another one has, or had', async () => {
    const { id } = await plan('asked for by hand')
    const said = await refusal(
      ['run'],
      inventoryWith(['dc01-app2', '10.60.1.12'], ['dc01-app3', '10.60.1.14']),
    )
    expect(said).to.match(/dc01-app3 is at 10\.60\.1\.14 there, and was planned at 10\.60\.1\.13\n/)
    expect(await stateOf(id)).to.equal('ready')
  })

  it('never has hosts know one again that is gone', async () => {
    const { id } = await plan('cinque node remove dc01-app3', inventoryWith(['dc01-app2', '10.60.1.12']))
    expect(await refusal(['run'], planned)).to.match(
      /it still has dc01-app3, which the others are to forget\n/,
    )
    expect(await stateOf(id)).to.equal('ready')
  })

  it('is not planned again for hosts that the inventory does not have', async () => {
    const { id } = await plan('cinque node add dc01-app3')
    await client.post('/v1/rolls/{roll}/abort', { params: { path: { roll: id } } })
    const said = await refusal(['again', id], inventoryWith(['dc01-app2', '10.60.1.12']))
    expect(said).to.match(/it has no host "dc01-app3"/)
    const { items } = await client.get('/v1/rolls', { params: { query: { limit: 5 } } })
    expect(items).to.have.length(1)
  })

  it('goes on with the inventory that it was planned with, and with one that knows more of others', async () => {
    const roll = await plan('cinque node add dc01-app3')
    checkAgreement(planned, roll, roll.steps)
    const more = inventoryWith(
      ...planned.hosts.slice(1).map(({ name, address }) => [name, address] as const),
      ['dc01-app4', '10.60.1.14'],
    )
    checkAgreement(more, roll, roll.steps)
    // What is left of it no longer names the host itself.
    const left = roll.steps.filter(({ host }) => host !== 'dc01-app3')
    expect(() => checkAgreement(inventoryWith(['dc01-app2', '10.60.1.12']), roll, left)).to.throw(
      /does not have dc01-app3, which the roll adds/,
    )
  })
})
