import { readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { expect } from 'chai'
import { parse, stringify } from 'yaml'
import { createClient } from '#client/index.ts'
import { checkerConfig } from '#healthcheck/checker/config.ts'
import { type Provisioned, provision } from '#healthcheck/checker/provision.ts'
import { type LightFleet, startLightFleet } from '../light-fleet.ts'

describe('Provisioning of checkers', () => {
  let fleet: LightFleet
  let file: string

  before(async () => {
    fleet = await startLightFleet({ dcs: 2, hosts: 1 })
    file = fleet.configOf('dc01-check')
  })

  after(() => fleet.close())

  function again(): Promise<Provisioned[]> {
    const { adminUrl: url, adminToken, inventory, inventoryFile } = fleet
    return provision({
      admin: createClient({ url, token: adminToken }),
      clientOf: (credential) => createClient({ url, ...credential }),
      inventory,
      inventoryFile,
      directory: dirname(dirname(file)),
      organisation: 'healthcheck',
    })
  }

  it('writes configurations that are complete, and secrets for their owner only', () => {
    expect(checkerConfig.safeParse(parse(readFileSync(file, 'utf8'))).error).to.equal(undefined)
    for (const name of ['checker.yaml', 'signing.key', 'device.key', 'api.key', 'secret', 'tls.key']) {
      expect(statSync(join(dirname(file), name)).mode & 0o077, name).to.equal(0)
    }
  })

  it('changes nothing when it is run again, and keeps what a person has added', async () => {
    const config = parse(readFileSync(file, 'utf8')) as object
    writeFileSync(file, stringify({ ...config, dns: { listen: '127.0.0.1:5300' } }))
    const before = readFileSync(file, 'utf8')
    expect((await again()).flatMap(({ made }) => made)).to.deep.equal([])
    expect(parse(readFileSync(file, 'utf8'))).to.deep.equal(parse(before))
  })

  it('makes anew what was lost here or revoked there', async () => {
    rmSync(join(dirname(file), 'device.key'))
    writeFileSync(join(dirname(file), 'api.key'), 'cq_revoked')
    rmSync(join(dirname(dirname(file)), 'authority', 'dc02-check.pem'))
    const made = Object.fromEntries((await again()).map((one) => [one.checker, one.made]))
    expect(made).to.deep.equal({ 'dc01-check': ['device', 'API key'], 'dc02-check': ['certificate'] })
    expect((await again()).flatMap((one) => one.made)).to.deep.equal([])
  })
})
