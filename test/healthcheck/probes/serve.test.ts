import { expect } from 'chai'
import { certificate } from '#healthcheck/probes/certificate.ts'
import { clock } from '#healthcheck/probes/clock.ts'
import { elsewhereOf } from '#healthcheck/probes/elsewhere.ts'
import { messageElsewhere } from '#healthcheck/probes/message-elsewhere.ts'
import { mqttRoundTrip } from '#healthcheck/probes/mqtt-round-trip.ts'
import type { Probe } from '#healthcheck/probes/probe.ts'
import { restRead } from '#healthcheck/probes/rest-read.ts'
import { restWrite } from '#healthcheck/probes/rest-write.ts'
import { telemetry, telemetryElsewhere } from '#healthcheck/probes/telemetry.ts'
import { type Fault, type LightFleet, startLightFleet } from '../light-fleet.ts'
import { type Bench, look, openBench, wrong } from './fixture.ts'

const host = 'dc01-n1'

describe('Probes of a real platform', () => {
  let fleet: LightFleet
  let bench: Bench

  before(async () => {
    fleet = await startLightFleet({ dcs: 2, hosts: 2 })
  })

  after(() => fleet.close())

  beforeEach(() => {
    bench = openBench(fleet)
  })

  afterEach(async () => {
    await bench.close()
    await fleet.set({}, null)
  })

  /** Those that a device or user needs. */
  function probes({ access, rest, sessions }: Bench = bench): Record<string, Probe> {
    return {
      'rest-read': restRead(rest, access),
      'rest-write': restWrite(rest, access),
      'mqtt-tcp': mqttRoundTrip(sessions, access.checker, 'tcp'),
      'mqtt-tls': mqttRoundTrip(sessions, access.checker, 'tls'),
      'mqtt-ws': mqttRoundTrip(sessions, access.checker, 'ws'),
      telemetry: telemetry({ access, rest, sessions, transport: 'tls' }),
    }
  }

  it('find a healthy host well, again and again on kept connections', async () => {
    for (let round = 0; round < 3; round++) {
      for (const probe of Object.values(probes())) await look(probe, bench.target(host), 15_000)
    }
    expect(bench.lost).to.deep.equal([])
  })

  const faults: [fault: Extract<Fault, string>, probe: string, says: RegExp][] = [
    ['closed', 'rest-read', /connection refused/],
    ['closed', 'rest-write', /connection refused/],
    ['closed', 'mqtt-tcp', /connection refused/],
    ['closed', 'mqtt-tls', /connection refused/],
    ['closed', 'mqtt-ws', /connection refused/],
    ['closed', 'telemetry', /connection refused/],
    ['frozen', 'rest-read', /accepts, but no TLS handshake follows/],
    ['frozen', 'mqtt-tls', /accepts, but no TLS handshake follows/],
    ['frozen', 'mqtt-ws', /accepts, but no TLS handshake follows/],
    ['frozen', 'mqtt-tcp', /does not answer CONNECT/],
    ['expired', 'rest-read', /the certificate has expired/],
    ['expired', 'mqtt-tls', /the certificate has expired/],
    ['expired', 'mqtt-ws', /the certificate has expired/],
    ['wrong name', 'rest-read', /for another name \(DNS:mqtt\.elsewhere\.test\)/],
    ['wrong name', 'mqtt-tls', /for another name/],
    ['unavailable', 'rest-read', /503 unavailable: the store cannot be written/],
    ['unavailable', 'rest-write', /503 unavailable/],
    ['unavailable', 'mqtt-ws', /no WebSocket: Unexpected server response: 503/],
    ['unavailable', 'mqtt-tcp', /closed/],
  ]
  for (const [fault, name, says] of faults) {
    it(`${name} says what is wrong with a host that is ${fault}`, async () => {
      await fleet.set({ host }, fault)
      expect(await wrong(probes()[name], bench.target(host))).to.match(says)
      // Its neighbour is not to blame.
      expect(await wrong(probes()[name], bench.target('dc01-n2'), 15_000)).to.equal('')
    })
  }

  it('tell at once that a kept connection has ended, and fail on a host that falls silent later', async () => {
    const { 'mqtt-tls': mqtt, 'rest-read': rest } = probes()
    await look(mqtt, bench.target(host), 15_000)
    await look(rest, bench.target(host), 15_000)
    await fleet.set({ host }, 'frozen')
    expect(await wrong(mqtt, bench.target(host), 300)).to.not.equal('')
    expect(await wrong(rest, bench.target(host), 300)).to.not.equal('')
    expect(bench.lost).to.deep.equal([])
    await fleet.set({ host }, 'closed')
    while (bench.lost.length < 2) await new Promise((resolve) => setTimeout(resolve, 10))
    expect(bench.lost.every((one) => one === host)).to.equal(true)
  })

  it('say that it is the checker which is refused, when its keys are not known', async () => {
    await bench.close()
    bench = openBench(fleet, { device: { id: bench.access.device.id, key: 'x'.repeat(43) }, apiKey: 'cq_no' })
    const { 'rest-read': read, 'mqtt-tcp': mqtt, 'rest-write': write } = probes()
    for (const probe of [read, mqtt, write]) {
      const error: unknown = await look(probe, bench.target(host), 15_000).catch((reason: unknown) => reason)
      expect((error as Error).constructor.name, probe.name).to.equal('RefusedError')
    }
  })

  it('do not trust a certificate of another authority', async () => {
    await bench.close()
    bench = openBench(fleet, { secure: (await import('node:tls')).createSecureContext() })
    expect(await wrong(probes()['rest-read'], bench.target(host))).to.match(/unknown authority/)
    expect(await wrong(probes()['mqtt-tls'], bench.target(host))).to.match(/unknown authority/)
  })

  it('leave nothing behind when they are stopped', async () => {
    await fleet.set({ host }, 'frozen')
    const before = process.getActiveResourcesInfo().filter((one) => one.startsWith('TCPSocketWrap')).length
    const stop = new AbortController()
    const looks = Object.values(probes()).map((probe) =>
      probe.run(bench.target(host), stop.signal).catch((error: unknown) => error),
    )
    setImmediate(() => stop.abort(new Error('stopped')))
    for (const outcome of await Promise.all(looks)) expect(outcome).to.be.instanceOf(Error)
    await bench.close()
    await fleet.set({ host }, 'closed')
    const sockets = (): number =>
      process.getActiveResourcesInfo().filter((one) => one.startsWith('TCPSocketWrap')).length
    while (sockets() > before) await new Promise((resolve) => setTimeout(resolve, 10))
  })

  describe('that look further', () => {
    it('read telemetry and receive messages in another DC', async () => {
      const { access, rest, sessions, targets } = bench
      const elsewhere = elsewhereOf(targets, () => false)
      const parts = { access, rest, sessions, transport: 'tls' } as const
      const read = await look(telemetryElsewhere(parts, elsewhere), bench.target(host), 15_000)
      expect(read).to.deep.equal({ read_in: 'dc02' })
      const message = messageElsewhere(sessions, access.checker, 'tls', elsewhere)
      expect(await look(message, bench.target(host), 15_000)).to.deep.equal({ received_in: 'dc02' })
    })

    it('say in which DC it did not come, and leave out hosts that fail anyhow', async () => {
      const { access, sessions, targets } = bench
      await fleet.set({ host: 'dc02-n1' }, 'closed')
      const all = elsewhereOf(targets, () => false)
      const message = messageElsewhere(sessions, access.checker, 'tls', all)
      expect(await wrong(message, bench.target(host))).to.match(/^received in dc02: .*connection refused/)
      const well = elsewhereOf(targets, (name) => name === 'dc02-n1')
      expect(well(bench.target(host))?.host.name).to.equal('dc02-n2')
      const none = elsewhereOf(targets, (name) => name.startsWith('dc02'))
      expect(none(bench.target(host))).to.equal(undefined)
    })

    it('count the days of certificates, and warn before they end', async () => {
      const services = ['https', 'mqtts'] as const
      const note = await look(certificate(bench.access, services, 14), bench.target(host))
      expect(note?.days).to.be.within(88, 90)
      expect(await wrong(certificate(bench.access, services, 91), bench.target(host))).to.match(
        /good for 9?\d\.\d days/,
      )
      await fleet.set({ host }, 'expired')
      expect(await wrong(certificate(bench.access, services, 14), bench.target(host))).to.match(/has expired/)
    })

    it('compare clocks of hosts with each other', async () => {
      const probe = clock(bench.rest, 10)
      const note = await look(probe, bench.target(host))
      expect(note?.skew).to.be.within(-2, 2)
    })
  })
})
