import { existsSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs'
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { expect } from 'chai'
import { run, temporaryFolder } from './child.ts'

describe('cinque, used wrongly', () => {
  let folder: ReturnType<typeof temporaryFolder>
  before(() => {
    folder = temporaryFolder()
  })
  after(() => folder.remove())

  const at = ['--url', 'http://127.0.0.1:9', '--token', 'none']
  const wrong: [args: string[], says: RegExp][] = [
    [['brokr'], /^cinque: unknown command 'brokr'; did you mean broker\?/],
    [['devices', 'lst'], /^cinque: unknown command 'lst'; did you mean list\?/],
    [['devices', 'add'], /^cinque: missing required argument 'name'/],
    [['dev', '--mqtt-prt', '1'], /^cinque: unknown option '--mqtt-prt'; did you mean --mqtt-port\?/],
    [['dev', '--mqtt-port', '70000'], /Expected a whole number from 0 to 65535/],
    [['dev', '--memory', '--data', 'x'], /^cinque: --data and --memory exclude each other/],
    [['broker', '--metrics', '9090'], /Expected host:port, as 127\.0\.0\.1:9090/],
    [['sim', '--rate', '0'], /Expected a number above 0/],
    [['sim', ...at, '--resolve', '--ca', 'ca.pem'], /--resolve and --ca exclude each other/],
    [['roll', 'list', '--fleet', '--url', 'http://127.0.0.1'], /--fleet and --url exclude each other/],
    [['sim', ...at, '--name-server', 'here'], /--name-server: Invalid IP address: here/],
    [['sim', ...at, '--ca', '/nowhere/ca.pem'], /--ca: .*ca\.pem/],
    [
      ['broker', '--set', 'mqtt.maximum_qos=3'],
      /^cinque: mqtt\.maximum_qos: 3 will not do: expected a whole number from 0 to 2 \(from --set\)$/m,
    ],
    [
      ['broker', '--listen', 'localhost:1883'],
      /^cinque: listener localhost:1883: unknown scheme; use tcp:\/\//,
    ],
    [
      ['broker', '--set', 'auth.users=[{username: a}, {username: a}]'],
      /^cinque: auth\.users: "a" is there twice$/m,
    ],
    [['broker', '--config', 'none.yaml'], /^cinque: cannot read the configuration none\.yaml/],
    [
      ['broker', '--cell', 'dc01.yaml', '--name', 'dc01-n1-broker1', '--memory'],
      /^cinque: --cell goes without --data and --memory$/m,
    ],
    [
      ['api', '--cell', 'dc01.yaml', '--name', 'dc01-n1-api', '--https', '127.0.0.1:8443'],
      /^cinque: --https needs a certificate\n {2}PEM files: --set tls\.cert=FILE/,
    ],
    [['tail', '--url', 'http://127.0.0.1:8080'], /^cinque: --url needs --token as well/],
    [['tail', '--url', 'here', '--token', 't'], /^cinque: --url here: expected one like http/],
  ]
  for (const [args, says] of wrong) {
    it(`says what is wrong with \`cinque ${args.join(' ')}\` and exits with 2`, async () => {
      const { code, stdout, stderr } = await run(args, folder.path)
      expect(code).to.equal(2)
      expect(stderr).to.match(says)
      expect(stdout).to.equal('')
      expect(stderr).to.not.match(/^\s+at /m)
    })
  }

  it('says how to start the platform when none runs here', async () => {
    const { code, stderr } = await run(['devices', 'list'], folder.path)
    expect(code).to.equal(1)
    expect(stderr).to.match(
      /^cinque: no running `cinque dev` in .*cinque-data\n {2}Start one with `cinque dev`/,
    )
  })

  it('says how to reach the datacenters that run here', async () => {
    const cwd = join(folder.path, 'with-cell')
    mkdirSync(join(cwd, 'cinque-cell'), { recursive: true })
    writeFileSync(join(cwd, 'cinque-cell', 'running.json'), '{}')
    const { code, stderr } = await run(['devices', 'list'], cwd)
    expect(code).to.equal(1)
    expect(stderr).to.match(/^cinque: no running `cinque dev` in .*\n {2}Datacenters run in .*--dc dc01/)
  })

  it('leaves the directory of a cell alone', async () => {
    const data = join(folder.path, 'cell')
    mkdirSync(data)
    writeFileSync(join(data, 'cell.yaml'), 'layout: 1\n')
    writeFileSync(join(data, 'running.json'), 'of the cell')
    const ports = ['--mqtt-port', '0', '--http-port', '0']
    for (const args of [
      ['dev', ...ports],
      ['broker', '--listen', 'tcp://127.0.0.1:0'],
    ]) {
      const { code, stderr } = await run([...args, '--data', data])
      expect(code).to.equal(1)
      expect(stderr).to.match(/^cinque: .*cell has the data of a cell\n {2}Start it with `cinque dev --dcs 5/)
    }
    expect(readdirSync(data)).to.have.members(['cell.yaml', 'running.json'])
  })

  it('does not start datacenters that could not be asked for anything', async () => {
    const data = join(folder.path, 'x'.repeat(100))
    const { code, stderr } = await run(['dev', '--dcs', '1', '--data', data])
    expect(code).to.equal(1)
    expect(stderr).to.match(/^cinque: .*: the path is too long for a socket in it\n.*--data DIR/)
    expect(existsSync(data)).to.equal(false)
  })

  it('asks whether the platform still runs when nothing listens at its address', async () => {
    const data = join(folder.path, 'stale')
    mkdirSync(data)
    const running = { pid: 1, url: 'http://127.0.0.1:2', mqtt: 'mqtt://127.0.0.1:2', token: 't' }
    writeFileSync(join(data, 'running.json'), JSON.stringify(running))
    for (const command of [['devices', 'list'], ['tail'], ['sim', '--seconds', '1']]) {
      const { code, stderr } = await run([...command, '--data', data])
      expect(code).to.equal(1)
      expect(stderr).to.match(
        /^cinque: cannot reach http:\/\/127\.0\.0\.1:2: nothing listens there\n {2}Is `cinque dev` running\?/,
      )
    }
  })

  it('says so when something else than cinque answers', async () => {
    const other = createServer((request, response) => {
      if (request.method === 'POST') response.statusCode = 404
      response.end('<html>hello</html>')
    }).listen(0, '127.0.0.1')
    await once(other, 'listening')
    const url = `http://127.0.0.1:${(other.address() as AddressInfo).port}`
    const list = await run(['devices', 'list', '--url', url, '--token', 't'])
    expect(list.code).to.equal(1)
    expect(list.stderr).to.match(/^cinque: http:\S+ gave an answer that this version does not understand\n/)
    const add = await run(['devices', 'add', 'x', '--url', url, '--token', 't'])
    expect(add.code).to.equal(1)
    expect(add.stderr).to.match(/^cinque: http:\S+ answered 404 Not Found$/m)
    other.close()
  })

  it('gives the failure as one JSON document with --json', async () => {
    const { code, stderr } = await run(['devices', 'list', '--json'], folder.path)
    expect(code).to.equal(1)
    expect(JSON.parse(stderr)).to.have.nested.property('error.message').that.includes('no running')
  })

  it('prints help and version on stdout and exits with 0', async () => {
    const help = await run(['--help'])
    expect(help).to.include({ code: 0, stderr: '' })
    for (const command of ['dev', 'broker', 'sim', 'tail', 'devices', 'token']) {
      expect(help.stdout).to.match(new RegExp(`^ {2}${command}\\b`, 'm'))
    }
    const version = await run(['--version'])
    expect(version.code).to.equal(0)
    expect(version.stdout).to.match(/^\d+\.\d+\.\d+\n$/)
  })
})
