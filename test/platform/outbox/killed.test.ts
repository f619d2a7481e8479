import { join } from 'node:path'
import { expect } from 'chai'
import { mailServer, type Silence } from '../../healthcheck/notify/mail-server.ts'
import { Child, cleanEnv, root, temporaryFolder } from '../../scripts/child.ts'

const program = join(root, 'test', 'platform', 'outbox', 'worker-process.ts')
/** Longer than a worker has a letter for itself. */
const laterMs = 120_000

describe('a letter whose process is killed', () => {
  for (const [when, copies] of [
    ['before', 0],
    ['after', 1],
  ] as const satisfies readonly (readonly [Silence, number])[]) {
    it(`${when} the mail server has it comes once: a second copy has the same id`, async () => {
      const server = await mailServer()
      const folder = temporaryFolder()
      const start = (...args: string[]): Child =>
        new Child(process.execPath, [program, folder.path, String(server.port), ...args], { env: cleanEnv() })
      try {
        const silent = Promise.withResolvers<void>()
        server.silent = { when, then: silent.resolve }
        const first = start('0', 'ann@example.com')
        await Promise.race([silent.promise, first.end().then(({ stderr }) => expect.fail(stderr))])
        await first.end('SIGKILL')
        expect(server.letters.length).to.equal(copies)
        server.silent = null
        const early = await start('0').end()
        expect([early.stdout, server.letters.length], early.stderr).to.deep.equal(['', copies])
        const late = await start(String(laterMs)).end()
        expect(late.stdout, late.stderr).to.equal('idle\n')
        const ids = server.letters.map(({ text }) => /^Message-ID: (.*)$/im.exec(text)?.[1])
        expect(ids.length).to.equal(copies + 1)
        expect(new Set(ids).size).to.equal(1)
        expect((await start(String(2 * laterMs)).end()).stdout).to.equal('idle\n')
        expect(server.letters.length).to.equal(copies + 1)
      } finally {
        server.close()
        folder.remove()
      }
    })
  }
})
