import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect } from 'chai'
import { brokerConfig } from '#broker/config.ts'
import { configHelp } from '#scripts/config/help.ts'
import { configKeys, schemaOf } from '#scripts/config/keys.ts'
import { type ConfigSources, effective, loadConfig } from '#scripts/config/load.ts'
import { CliError } from '#scripts/output.ts'

const load = (sources: ConfigSources) => loadConfig(brokerConfig, sources)

const defaults = brokerConfig.parse({})

function failure(sources: ConfigSources): string {
  try {
    load(sources)
  } catch (error) {
    if (error instanceof CliError && error.exitCode === 2) return error.message
    throw error
  }
  throw new Error('accepted')
}

describe('configuration of the broker', () => {
  let folder: string
  before(() => {
    folder = mkdtempSync(join(tmpdir(), 'cinque-config-'))
  })
  after(() => rmSync(folder, { recursive: true }))

  function file(text: string): string {
    const path = join(folder, 'broker.yaml')
    writeFileSync(path, text)
    return path
  }

  it('accepts the example file in docs, so that a copied example starts', () => {
    const { config } = load({ file: 'docs/broker.example.yaml' })
    expect(config.auth.users[0].username).to.equal('gateway')
    expect(config.mqtt.server_keep_alive).to.equal(300)
  })

  it('takes defaults, then the file, then the environment, then --set, then options', () => {
    const { config, origins } = load({
      file: file('mqtt: { max_inflight: 1, maximum_qos: 1, receive_maximum: 1 }\nlog_level: debug'),
      env: { CINQUE_MQTT_MAXIMUM_QOS: '0', CINQUE_MQTT_RECEIVE_MAXIMUM: '2', PATH: '/bin' },
      sets: ['mqtt.receive_maximum=3', 'auth.anonymous=false'],
      flags: [['auth.anonymous', true, '--anonymous']],
    })
    expect(config.mqtt).to.include({
      max_inflight: 1,
      maximum_qos: 0,
      receive_maximum: 3,
      retain_available: true,
    })
    expect(config.auth.anonymous).to.equal(true)
    expect(origins.get('mqtt.maximum_qos')).to.equal('env CINQUE_MQTT_MAXIMUM_QOS')
    expect(origins.get('log_level')).to.match(/^file .*broker\.yaml$/)
    expect(origins.get('auth.anonymous')).to.equal('--anonymous')
  })

  it('reads --set values as YAML: numbers, lists, elements of lists, and texts that look like numbers', () => {
    const { config } = load({
      sets: [
        'listen=[tcp://127.0.0.1:0, ws://127.0.0.1:0]',
        'organisation=123',
        'auth.users.0.username=alice',
        'auth.users.0.password=42',
        'auth.users.1={username: bob, password: "x=y"}',
        'limits.connect_timeout=0.5',
      ],
    })
    expect(config.listen).to.deep.equal(['tcp://127.0.0.1:0', 'ws://127.0.0.1:0'])
    expect(config.organisation).to.equal('123')
    expect(config.auth.users).to.deep.equal([
      { username: 'alice', password: '42' },
      { username: 'bob', password: 'x=y' },
    ])
    expect(config.limits.connect_timeout).to.equal(0.5)
    expect(load({ env: { CINQUE_LISTEN: 'tcp://127.0.0.1:0' } }).config.listen).to.deep.equal([
      'tcp://127.0.0.1:0',
    ])
  })

  const refused: [what: string, sources: () => ConfigSources, message: RegExp][] = [
    [
      'an unknown key in --set',
      () => ({ sets: ['mqtt.recieve_maximum=1'] }),
      /unknown key mqtt\.recieve_maximum \(from --set\); did you mean mqtt\.receive_maximum\?/,
    ],
    [
      'an unknown key in a file',
      () => ({ file: file('mqtt: { max_inflite: 3 }') }),
      /unknown key mqtt\.max_inflite \(from file .*\); did you mean mqtt\.max_inflight\?/,
    ],
    [
      'an unknown key in an element',
      () => ({ sets: ['auth.users=[{username: a, pasword: b}]'] }),
      /unknown key auth\.users\.0\.pasword \(from --set\)/,
    ],
    [
      'an unknown variable',
      () => ({ env: { CINQUE_LISTENS: 'x' } }),
      /unknown variable CINQUE_LISTENS; did you mean CINQUE_LISTEN\?/,
    ],
    [
      'a number out of range',
      () => ({ sets: ['mqtt.receive_maximum=0'] }),
      /^mqtt\.receive_maximum: 0 will not do: expected a whole number from 1 to 65535 \(from --set\)$/,
    ],
    [
      'a word for a number',
      () => ({ env: { CINQUE_SYS_INTERVAL: 'often' } }),
      /^sys_interval: "often" will not do: expected a number of at least 0 \(from env CINQUE_SYS_INTERVAL\)$/,
    ],
    [
      'a word that is not on the list',
      () => ({ sets: ['mqtt.queue_policy=drop'] }),
      /"drop" will not do: expected one of drop_oldest, drop_newest/,
    ],
    [
      'a value for a section',
      () => ({ sets: ['limits=3'] }),
      /^limits: 3 will not do: expected a section with the keys max_connections/,
    ],
    ['half of a section', () => ({ sets: ['tls.cert=a.pem'] }), /^tls\.key is missing: expected a text$/],
    ['a prototype', () => ({ sets: ['__proto__.x=1'] }), /unknown key __proto__\.x/],
    ['a --set without value', () => ({ sets: ['log_level'] }), /--set log_level: expected path=value/],
    ['broken YAML in --set', () => ({ sets: ['listen=[a'] }), /^--set listen=\[a: /],
    [
      'broken YAML in the file',
      () => ({ file: file('mqtt: [') }),
      /cannot read the configuration .*broker\.yaml: /,
    ],
    ['a list as file', () => ({ file: file('- a') }), /broker\.yaml: expected sections and keys/],
    [
      'a file that is not there',
      () => ({ file: join(folder, 'none.yaml') }),
      /cannot read the configuration .*none\.yaml: ENOENT/,
    ],
  ]
  for (const [what, sources, message] of refused) {
    it(`refuses ${what} with one line that names it`, () => {
      expect(failure(sources())).to.match(message)
    })
  }

  it('never shows a password, neither in an error nor with --print-config', () => {
    const hash = 'secret'.repeat(3)
    expect(
      failure({ sets: ['auth.users.0.username=a', `auth.users.0.password_sha256=${hash}`] }),
    ).to.not.include('secret')
    const loaded = load({ sets: ['auth.users.0.username=a', 'auth.users.0.password=secret'] })
    const shown = effective(loaded, brokerConfig)
    expect(JSON.stringify(shown)).to.not.include('secret')
    expect(shown.find(({ path }) => path === 'auth.users')).to.deep.include({ origin: '--set' })
    expect(shown.find(({ path }) => path === 'mqtt.max_inflight')).to.deep.include({
      value: defaults.mqtt.max_inflight,
      origin: 'default',
    })
  })

  it('lists every key with its default in --help, also those within list elements', () => {
    const help = configHelp(brokerConfig)
    const keys = configKeys(schemaOf(brokerConfig))
    expect(keys.map(({ path }) => path)).to.include.members([
      'listen',
      'tls.cert',
      'mqtt.receive_maximum',
      'auth.users[].acl[].filter',
    ])
    for (const { path } of keys) expect(help).to.include(`  ${path}  (`)
    expect(help).to.include(
      `mqtt.receive_maximum  (default ${defaults.mqtt.receive_maximum}; a whole number from 1 to 65535)`,
    )
    expect(help).to.include('tls.cert  (required with its section; a text)')
  })
})
