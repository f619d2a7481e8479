import { expect } from 'chai'
import { describe, it } from 'mocha'
import pino from 'pino'
import { StoreError } from '#platform/store/store.ts'
import { CliError } from '#scripts/output.ts'
import { whenServed } from '#scripts/run/when-served.ts'

const log = pino({ level: 'silent' })
const noSchema = new StoreError(
  'version',
  'keyspace cinque lacks migration 001-tables: run `cinque schema apply`',
)

/** A store that is there at the second try. */
function late(failure: Error): () => Promise<string> {
  let tries = 0
  return () => {
    tries += 1
    return tries === 1 ? Promise.reject(failure) : Promise.resolve('open')
  }
}

describe('a process that starts before its store is there', () => {
  it('waits as a service: the service manager need not start it again and again', async () => {
    const before = process.listenerCount('SIGTERM')
    expect(await whenServed(log, late(noSchema), { isService: true, everyMs: 1 })).to.equal('open')
    expect(process.listenerCount('SIGTERM'), 'what ends it while it waits is taken away').to.equal(before)
  })

  it('ends at a terminal with the line that says what to do', async () => {
    const failure = await whenServed(log, late(noSchema), { isService: false }).catch(
      (error: unknown) => error,
    )
    expect(failure).to.be.instanceOf(CliError).with.property('message', noSchema.message)
  })

  it('does not wait for what no time can mend', async () => {
    const failure = await whenServed(log, late(new Error('a fault of the program')), {
      isService: true,
      everyMs: 1,
    }).catch((error: Error) => error.message)
    expect(failure).to.equal('a fault of the program')
  })
})
