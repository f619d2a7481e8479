import { CreateHostedZoneCommand, Route53Client } from '@aws-sdk/client-route-53'
import { sdkRoute53 } from '#healthcheck/dns/route53/sdk.ts'
import { route53Contract } from './contract.ts'
import { FakeRoute53 } from './fake.ts'
import { ensureMoto, motoCredentials, startMoto } from './moto.ts'

describe('the port to Route 53: in memory', () => {
  route53Contract(() => {
    const port = new FakeRoute53()
    return Promise.resolve({
      port,
      makeZone: (name) => Promise.resolve(port.addZone(name).id),
      stop: () => Promise.resolve(),
    })
  })
})

describe('the port to Route 53: by the SDK, against moto', () => {
  const environment = { ...process.env }
  before(async function () {
    this.timeout(300_000)
    await ensureMoto()
    Object.assign(process.env, motoCredentials)
  })
  after(() => {
    process.env = environment
  })
  route53Contract(async () => {
    const moto = await startMoto()
    const port = sdkRoute53({ endpoint: moto.endpoint })
    const client = new Route53Client({ region: 'us-east-1', endpoint: moto.endpoint })
    return {
      port,
      makeZone: async (name) => {
        const command = new CreateHostedZoneCommand({ Name: name, CallerReference: name })
        return (await client.send(command)).HostedZone?.Id?.replace('/hostedzone/', '') ?? ''
      },
      stop: async () => {
        port.close()
        client.destroy()
        await moto.stop()
      },
    }
  })
})
