import { expect } from 'chai'
import { dialUrl, parseListenUrl } from '#broker/listeners/address.ts'

describe('listener URLs', () => {
  const good: [string, object][] = [
    ['tcp://127.0.0.1:1883', { scheme: 'tcp', host: '127.0.0.1', port: 1883, path: null, proxy: false }],
    ['tls://[::1]:0', { scheme: 'tls', host: '::1', port: 0, path: null, proxy: false }],
    ['ws://localhost:80', { scheme: 'ws', host: 'localhost', port: 80, path: null, proxy: false }],
    ['wss://[::]:443/', { scheme: 'wss', host: '::', port: 443, path: null, proxy: false }],
    [
      'ws://0.0.0.0:8083/edge?proxy=1',
      { scheme: 'ws', host: '0.0.0.0', port: 8083, path: '/edge', proxy: true },
    ],
    ['TCP://h:1?proxy=0', { scheme: 'tcp', host: 'h', port: 1, path: null, proxy: false }],
    [
      'tls://h:1?reuse_port=1&proxy=1',
      { scheme: 'tls', host: 'h', port: 1, path: null, proxy: true, reusePort: true },
    ],
  ]
  for (const [url, expected] of good)
    it(`reads ${url}`, () => expect(parseListenUrl(url)).to.deep.equal({ reusePort: false, ...expected }))

  const bad: [string, RegExp][] = [
    ['mqtt://h:1', /unknown scheme; use tcp:\/\//],
    ['127.0.0.1:1883', /unknown scheme/],
    ['tcp://127.0.0.1', /the port is missing/],
    ['tcp://:1883', /all interfaces: tcp:\/\/\[::\]:port/],
    ['tcp://h:70000', /not an address/],
    ['tcp://h:1/mqtt', /remove the path \/mqtt/],
    ['tcp://h:1?backlog=5', /unknown parameter backlog; there are proxy=1 and reuse_port=1/],
    ['tcp://h:1?proxy=yes', /proxy is 1 or 0, not "yes"/],
    ['tcp://u:p@h:1', /no user name and password/],
    ['ws://h:1/x#y', /remove what follows #/],
  ]
  for (const [url, message] of bad)
    it(`says what is wrong with ${url}`, () => {
      expect(() => parseListenUrl(url))
        .to.throw(message)
        .with.property('message')
        .that.includes(`listener ${url}: `)
        .and.does.not.include('\n')
    })

  it('gives the URL that clients dial, with the real port', () => {
    expect(dialUrl(parseListenUrl('tcp://[::1]:0'), 4711)).to.equal('tcp://[::1]:4711')
    expect(dialUrl(parseListenUrl('ws://127.0.0.1:0?proxy=1'), 4711)).to.equal('ws://127.0.0.1:4711/mqtt')
    expect(dialUrl(parseListenUrl('wss://h:1/edge'), 1)).to.equal('wss://h:1/edge')
  })
})
