// A process that sends letters, to be killed: node worker-process.ts DIRECTORY PORT AHEAD [ADDRESS]
// Its clock is AHEAD milliseconds ahead. With an address it invites it first. Prints `idle` when nothing waits any more.
import { smtpMailer } from '#platform/identity/smtp.ts'
import { createLogger } from '#platform/log.ts'
import { Metrics } from '#platform/metrics.ts'
import { openPlatform } from '#platform/platform.ts'
import { openLmdbStore } from '#platform/store/lmdb/store.ts'

const [directory, port, ahead, address] = process.argv.slice(2)
const clock = { now: () => Date.now() + Number(ahead) }
const log = createLogger({ level: 'silent' })
const metrics = new Metrics()
const mailer = smtpMailer({
  host: '127.0.0.1',
  port: Number(port),
  implicitTls: false,
  plain: true,
  from: 'cinque@example.com',
})
const store = await openLmdbStore({ directory, log })
const identity = { mailer, publicUrl: 'https://iot.example.com' }
const platform = await openPlatform({ store, clock, log, metrics, identity })
if (address !== undefined) {
  const { invitations, letters } = platform.identity
  const input = { email: address, role: 'viewer', groups: null, invitedBy: 'bob' } as const
  await invitations.create('default', input, ({ token }) =>
    letters.send('invitation', address, token, 'Come in:'),
  )
}
await platform.outboxWorker.look()
if (metrics.render().includes('cinque_outbox_waiting 0\n')) process.stdout.write('idle\n')
await platform.close()
await store.close()
