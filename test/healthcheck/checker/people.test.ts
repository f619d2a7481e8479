import { expect } from 'chai'
import type { RunningChecker } from '#healthcheck/checker/checker.ts'
import { startFleetChecker } from '../checkers.ts'
import { type LightFleet, startLightFleet } from '../light-fleet.ts'
import { mailServer } from '../notify/mail-server.ts'

describe('What checkers tell people', () => {
  let fleet: LightFleet
  let checkers: RunningChecker[] = []
  let server: Awaited<ReturnType<typeof mailServer>>

  before(async () => {
    server = await mailServer()
    const health = { interval: 1, quorum: 2, down_after: 2, up_after: 2 }
    fleet = await startLightFleet({ dcs: 3, hosts: 2, health })
    const smtp = {
      host: '127.0.0.1',
      port: server.port,
      tls: 'none' as const,
      from: 'cinque@example.com',
    }
    const names = fleet.inventory.hosts
      .filter(({ roles }) => roles.includes('checker'))
      .map(({ name }) => name)
    checkers = await Promise.all(
      names.map((name) =>
        startFleetChecker(fleet, name, (config) => ({
          ...config,
          notify: { ...config.notify, email: { smtp, to: ['ann@example.com'] } },
        })),
      ),
    )
    await Promise.all(checkers.map(({ firstRound }) => firstRound))
  })

  after(async () => {
    await Promise.all(checkers.map((checker) => checker.close()))
    await fleet.close()
    server.close()
  })

  /** Asks each checker again and again until it says so. */
  async function until(path: string, is: (text: string) => boolean): Promise<string[]> {
    return Promise.all(
      checkers.map(async ({ url }) => {
        for (;;) {
          // oxlint-disable-next-line no-await-in-loop -- until it is so
          const text = await (await fetch(url + path)).text()
          if (is(text)) return text
          // oxlint-disable-next-line no-await-in-loop
          await new Promise((later) => setTimeout(later, 200))
        }
      }),
    )
  }

  it('planned over REST in one place is on the pages of all, by a key that may only read', async () => {
    const body = JSON.stringify({
      title: 'Kernel of everything',
      subjects: ['dc03'],
      starts_at: new Date(Date.now() + 3_600_000).toISOString(),
      ends_at: new Date(Date.now() + 7_200_000).toISOString(),
    })
    const headers = { authorization: `Bearer ${fleet.adminToken}`, 'content-type': 'application/json' }
    const made = await fetch(`${fleet.adminUrl}/v1/maintenance`, { method: 'POST', headers, body })
    expect(made.status, await made.text()).to.equal(201)
    await until('/', (page) => page.includes('Kernel of everything'))
  }).timeout(60_000)

  it('a dead datacenter is on all pages and in one letter', async () => {
    await fleet.set({ dc: 'dc02' }, 'closed')
    await until('/status.json', (text) => JSON.parse(text).state === 'major')
    await until('/v1/health', (text) => {
      const { alerts } = JSON.parse(text) as { alerts: { key: string }[] }
      return alerts.some(({ key }) => key === 'DcDown/dc02')
    })
    // Each checker has learnt that it was sent: nobody will send it again.
    await until('/metrics', (text) => text.includes('cinque_notify_waiting 0\n') && server.letters.length > 0)
    expect(server.letters.map(({ text }) => /^Subject: (.*)$/m.exec(text)?.[1])).to.deep.equal([
      `[${fleet.inventory.cell}] critical: DcDown dc02`,
    ])
  }).timeout(90_000)

  it('only those who know the secret read what was sent, and only over TLS', async () => {
    for (const path of ['/hc/0123456789abcdef/notified', '/hc/notified', '/hc//notified'])
      expect((await fetch(checkers[0].url + path)).status, path).to.equal(404)
  })
})
