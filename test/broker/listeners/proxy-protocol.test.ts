import { expect } from 'chai'
import * as fc from 'fast-check'
import { parseProxyHeader } from '#broker/listeners/proxy-protocol.ts'
import { Harness, closed, read } from './harness.ts'
import { eventually } from '../../patience.ts'

const SIGNATURE = '0d0a0d0a000d0a515549540a'
const tlv = (type: string, length: number): string =>
  type + length.toString(16).padStart(4, '0') + 'ff'.repeat(length)

/** Version 2: command and version, family and transport, then the rest behind its length. */
function v2(command: string, family: string, rest: string): Buffer {
  const length = (rest.length / 2).toString(16).padStart(4, '0')
  return Buffer.from(SIGNATURE + command + family + length + rest, 'hex')
}

// source, destination, source port 4660, destination port 1883
const IPV4 = 'c0000201 c6336401 1234 075b'.replaceAll(' ', '')
const IPV6 = '20010db8000000000000000000000001 20010db8000000000000000000000002 1234 075b'.replaceAll(' ', '')
const MAPPED = '00000000000000000000ffffc0000201 20010db8000000000000000000000002 1234 075b'.replaceAll(
  ' ',
  '',
)

describe('PROXY protocol', () => {
  const good: [string, Buffer, { address: string; port: number } | null][] = [
    [
      'version 1, TCP4',
      Buffer.from('PROXY TCP4 192.0.2.1 198.51.100.1 4660 1883\r\n'),
      { address: '192.0.2.1', port: 4660 },
    ],
    [
      'version 1, TCP6',
      Buffer.from('PROXY TCP6 2001:db8::1 2001:db8::2 4660 1883\r\n'),
      { address: '2001:db8::1', port: 4660 },
    ],
    ['version 1, UNKNOWN', Buffer.from('PROXY UNKNOWN\r\n'), null],
    [
      'version 1, UNKNOWN with what must be ignored',
      Buffer.from(`PROXY UNKNOWN ${'f:'.repeat(20)} 65535 65535\r\n`),
      null,
    ],
    ['version 2, TCP4', v2('21', '11', IPV4), { address: '192.0.2.1', port: 4660 }],
    ['version 2, TCP6', v2('21', '21', IPV6), { address: '2001:db8::1', port: 4660 }],
    ['version 2, IPv4 mapped into IPv6', v2('21', '21', MAPPED), { address: '192.0.2.1', port: 4660 }],
    [
      'version 2, TCP4 with TLVs',
      v2('21', '11', IPV4 + tlv('01', 4) + tlv('20', 300)),
      { address: '192.0.2.1', port: 4660 },
    ],
    ['version 2, LOCAL', v2('20', '00', ''), null],
    ['version 2, LOCAL with TLVs', v2('20', '11', IPV4 + tlv('04', 9)), null],
    ['version 2, AF_UNSPEC', v2('21', '00', tlv('04', 9)), null],
    ['version 2, AF_UNIX', v2('21', '31', 'aa'.repeat(216)), null],
  ]
  for (const [what, header, source] of good)
    it(`reads ${what}`, () => {
      const result = parseProxyHeader(Buffer.concat([header, Buffer.from('MQTT')]))
      expect(result).to.deep.equal({ state: 'header', source, length: header.length })
    })

  const bad: [string, Buffer][] = [
    ['MQTT at once', Buffer.from('100c00044d5154540402003c0000', 'hex')],
    ['an unknown protocol', Buffer.from('PROXY UDP4 192.0.2.1 192.0.2.2 1 2\r\n')],
    ['IPv6 as TCP4', Buffer.from('PROXY TCP4 2001:db8::1 2001:db8::2 1 2\r\n')],
    ['a name for an address', Buffer.from('PROXY TCP4 localhost 192.0.2.2 1 2\r\n')],
    ['a port too high', Buffer.from('PROXY TCP4 192.0.2.1 192.0.2.2 65536 2\r\n')],
    ['a signed port', Buffer.from('PROXY TCP4 192.0.2.1 192.0.2.2 +1 2\r\n')],
    ['a missing port', Buffer.from('PROXY TCP4 192.0.2.1 192.0.2.2 1\r\n')],
    ['one field more', Buffer.from('PROXY TCP4 192.0.2.1 192.0.2.2 1 2 3\r\n')],
    ['two spaces', Buffer.from('PROXY TCP4  192.0.2.1 192.0.2.2 1 2\r\n')],
    ['a line without end', Buffer.from(`PROXY UNKNOWN ${'x'.repeat(200)}`)],
    ['version 3', v2('31', '11', IPV4)],
    ['command 2', v2('22', '11', IPV4)],
    ['family 4', v2('21', '41', IPV4)],
    ['transport 3', v2('21', '13', IPV4)],
    ['a length below its addresses', v2('21', '11', IPV4.slice(2))],
  ]
  for (const [what, header] of bad)
    it(`refuses ${what}`, () => expect(parseProxyHeader(header)).to.have.property('state', 'malformed'))

  it('waits for the rest, wherever a header is cut', () => {
    for (const [, header] of good)
      for (let cut = 0; cut < header.length; cut++) {
        const { state } = parseProxyHeader(header.subarray(0, cut))
        // a binary header is complete without its TLVs
        expect(state).to.be.oneOf(header[0] === 0x0d && cut >= 16 ? ['more', 'header'] : ['more'])
      }
  })

  it('takes arbitrary bytes', () =>
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), fc.boolean(), (bytes, binary) => {
        const start = binary ? Buffer.from(SIGNATURE, 'hex') : Buffer.from('PROXY ')
        parseProxyHeader(Buffer.from(bytes))
        parseProxyHeader(Buffer.concat([start, bytes]))
      }),
    ))

  describe('on a listener', () => {
    let harness: Harness
    beforeEach(() => (harness = new Harness()))
    afterEach(() => harness.close())

    it('names the client, and hands on what came with the header', async () => {
      await harness.open('tcp://127.0.0.1:0?proxy=1')
      const next = harness.next()
      const client = await harness.dial()
      client.write('PROXY TCP4 192.0.2.1 198.51.100.1 4660 1883\r\nCONNECT')
      const { stream, info, head } = await next
      expect(info).to.deep.equal({
        remoteAddress: '192.0.2.1',
        remotePort: 4660,
        listener: `tcp://127.0.0.1:${harness.port}`,
        protocol: 'tcp',
      })
      expect(head?.toString()).to.equal('CONNECT')
      client.write('PUBLISH')
      expect((await read(stream, 7)).toString()).to.equal('PUBLISH')
      stream.write('PUBACK')
      expect((await read(client, 6)).toString()).to.equal('PUBACK')
    })

    it('leaves a stream that the broker pauses at once paused', async () => {
      await harness.open('tcp://127.0.0.1:0?proxy=1')
      const next = harness.next()
      const client = await harness.dial()
      client.write('PROXY UNKNOWN\r\n')
      const { stream } = await next
      const got: Buffer[] = []
      stream.on('data', (chunk: Buffer) => got.push(chunk))
      stream.pause()
      client.write('early')
      await eventually('the bytes are here', () => stream.readableLength === 5)
      expect(got).to.deep.equal([])
      stream.resume()
      await eventually('they are read', () => got.length === 1)
    })

    for (const [what, header] of [
      ['version 1', Buffer.from('PROXY TCP6 2001:db8::1 2001:db8::2 4660 1883\r\n')],
      ['version 2 with 3 KB of TLVs', v2('21', '21', IPV6 + tlv('20', 3000))],
    ] as const)
      it(`reads ${what} byte by byte`, async () => {
        await harness.open('tcp://127.0.0.1:0?proxy=1')
        const next = harness.next()
        const client = await harness.dial()
        client.setNoDelay(true)
        for (const byte of header) {
          client.write(Buffer.from([byte]))
          await new Promise((resolve) => setImmediate(resolve))
        }
        const { stream, info, head } = await next
        expect([info.remoteAddress, info.remotePort, head]).to.deep.equal(['2001:db8::1', 4660, null])
        client.write('CONNECT')
        expect((await read(stream, 7)).toString()).to.equal('CONNECT')
      })

    it("takes the proxy's own address for LOCAL: its health check", async () => {
      await harness.open('tcp://127.0.0.1:0?proxy=1')
      const next = harness.next()
      const client = await harness.dial()
      client.write(v2('20', '00', ''))
      const { info } = await next
      expect([info.remoteAddress, info.remotePort]).to.deep.equal(['127.0.0.1', client.localPort])
    })

    it('closes a connection without header, counts it and logs it', async () => {
      await harness.open('tcp://127.0.0.1:0?proxy=1')
      const client = await harness.dial()
      client.write(Buffer.from('100c00044d5154540402003c0000', 'hex'))
      await closed(client)
      expect(harness.refused('proxy_header')).to.equal(1)
      expect(harness.lines[0]).to.include({
        event: 'connection.refused',
        reason: 'proxy_header',
        address: '127.0.0.1',
        listener: `tcp://127.0.0.1:${harness.port}`,
      })
      expect(harness.accepted).to.deep.equal([])
    })

    it('closes a connection that does not finish its header in time', async () => {
      await harness.open('tcp://127.0.0.1:0?proxy=1', { connectTimeout: 0.1 })
      const client = await harness.dial()
      client.write('PROXY TCP4 192.0.2.1')
      await closed(client)
      expect(harness.refused('proxy_timeout')).to.equal(1)
      expect(harness.accepted).to.deep.equal([])
    })

    it('says nothing of a port scan', async () => {
      await harness.open('tcp://127.0.0.1:0?proxy=1')
      const client = await harness.dial()
      client.resume()
      client.end()
      await closed(client)
      expect([harness.accepted, harness.lines]).to.deep.equal([[], []])
    })

    it('closes what is under way with the listener', async () => {
      const listener = await harness.open('tcp://127.0.0.1:0?proxy=1')
      const client = await harness.dial()
      client.write('PROXY ')
      await new Promise((resolve) => setTimeout(resolve, 20))
      await listener.close()
      await closed(client)
    })
  })
})
