import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { expect } from 'chai'
import { type Route53, Route53Error } from '#healthcheck/dns/route53/port.ts'
import { sdkRoute53 } from '#healthcheck/dns/route53/sdk.ts'
import { address, create } from './contract.ts'
import { motoCredentials } from './moto.ts'

type Reply = (request: IncomingMessage, response: ServerResponse) => void

const space = 'https://route53.amazonaws.com/doc/2013-04-01/'
const xml =
  (status: number, body: string): Reply =>
  (_, response) => {
    response.writeHead(status, { 'content-type': 'text/xml' }).end(`<?xml version="1.0"?>\n${body}`)
  }
const refusal = (status: number, code: string, message: string): Reply =>
  xml(
    status,
    `<ErrorResponse xmlns="${space}"><Error><Type>Sender</Type><Code>${code}</Code><Message>${message}</Message></Error><RequestId>1</RequestId></ErrorResponse>`,
  )
const page = (id: string, next: string): Reply =>
  xml(
    200,
    `<ListHealthChecksResponse xmlns="${space}"><HealthChecks><HealthCheck><Id>${id}</Id><CallerReference>r-${id}</CallerReference><HealthCheckConfig><Type>HTTP</Type><IPAddress>203.0.113.1</IPAddress></HealthCheckConfig><HealthCheckVersion>1</HealthCheckVersion></HealthCheck></HealthChecks><IsTruncated>${next !== ''}</IsTruncated>${next === '' ? '' : `<NextMarker>${next}</NextMarker>`}<MaxItems>1</MaxItems></ListHealthChecksResponse>`,
  )

/** What no emulator does: refusals of AWS as they are on the wire, and pages of health checks. */
describe('the SDK adapter to Route 53', () => {
  const environment = { ...process.env }
  let replies: Reply[]
  let asked: string[]
  let server: ReturnType<typeof createServer>
  let port: Route53 & { close(): void }

  beforeEach(async () => {
    Object.assign(process.env, motoCredentials)
    replies = []
    asked = []
    server = createServer((request, response) => {
      asked.push(`${request.method} ${request.url}`)
      request.resume().on('end', () => replies.shift()?.(request, response))
    })
    await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening))
    port = sdkRoute53({ endpoint: `http://127.0.0.1:${(server.address() as AddressInfo).port}` })
  })
  afterEach(async () => {
    process.env = { ...environment }
    port.close()
    server.closeAllConnections()
    await new Promise((closed) => server.close(closed))
  })

  const failure = async (answer: Promise<unknown>): Promise<Route53Error> => {
    try {
      await answer
    } catch (error) {
      if (error instanceof Route53Error) return error
      throw error
    }
    throw new Error('it did not fail')
  }

  it('reads all pages of health checks', async () => {
    replies = [page('a', 'b'), page('b', '')]
    expect((await port.checks()).map(({ id }) => id)).to.deep.equal(['a', 'b'])
    expect(asked[1]).to.include('marker=b')
  })

  it('sends nothing twice by itself', async () => {
    replies = [refusal(400, 'Throttling', 'Rate exceeded')]
    expect(await failure(port.records('Z1'))).to.include({ code: 'Throttling', message: 'Rate exceeded' })
    expect(asked).to.have.length(1)
  })

  it('tells what was refused from what is not known', async () => {
    replies = [
      refusal(
        403,
        'AccessDenied',
        'User: arn:aws:iam::1:user/x is not authorized to perform: route53:ListTags',
      ),
      refusal(400, 'PriorRequestNotComplete', 'still processing'),
      refusal(503, 'ServiceUnavailable', 'later'),
      (request) => request.socket.destroy(),
    ]
    const change = () => port.change('Z1', [create(address('a.example.org', '192.0.2.1'))], '')
    const denied = await failure(change())
    expect(denied.message).to.match(/^User: .* is not authorized to perform/)
    expect(denied).to.include({ code: 'AccessDenied', refused: true })
    expect(await failure(change())).to.include({ code: 'PriorRequestNotComplete', refused: true })
    expect(await failure(change())).to.include({ code: 'ServiceUnavailable', refused: false })
    expect(await failure(change())).to.include({ code: 'Unreachable', refused: false })
  })

  it('says what is wrong with a batch, all of it', async () => {
    const messages = ['first is wrong', 'second is wrong']
    replies = [
      xml(
        400,
        `<InvalidChangeBatch xmlns="${space}"><Messages>${messages.map((one) => `<Message>${one}</Message>`).join('')}</Messages></InvalidChangeBatch>`,
      ),
      refusal(400, 'InvalidChangeBatch', '[one line]'),
    ]
    const change = () => port.change('Z1', [create(address('a.example.org', '192.0.2.1'))], '')
    const listed = await failure(change())
    expect(listed.code).to.equal('InvalidChangeBatch')
    for (const message of messages) expect(listed.message).to.include(message)
    expect((await failure(change())).message).to.equal('[one line]')
  })

  it('says that nobody listens, and that nothing was sent', async () => {
    const nobody = sdkRoute53({ endpoint: 'http://127.0.0.1:1' })
    const error = await failure(nobody.zone('Z1'))
    nobody.close()
    expect(error).to.include({ code: 'Unreachable', message: 'ECONNREFUSED', refused: true })
  })

  it('says that there are no credentials', async () => {
    delete process.env.AWS_ACCESS_KEY_ID
    delete process.env.AWS_SECRET_ACCESS_KEY
    delete process.env.AWS_PROFILE
    Object.assign(process.env, {
      AWS_EC2_METADATA_DISABLED: 'true',
      AWS_SHARED_CREDENTIALS_FILE: '/nonexistent',
      AWS_CONFIG_FILE: '/nonexistent',
    })
    expect((await failure(port.zone('Z1'))).code).to.equal('CredentialsMissing')
  })
})
