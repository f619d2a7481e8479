import { expect } from 'chai'
import * as fc from 'fast-check'
import { serverSentEvents } from '#client/events.ts'

async function parse(...chunks: (string | Uint8Array)[]): Promise<unknown[]> {
  const body = chunks.map((chunk) => (typeof chunk === 'string' ? Buffer.from(chunk) : chunk))
  return Array.fromAsync(serverSentEvents(iterate(body)))
}

async function* iterate(chunks: Uint8Array[]): AsyncGenerator<Uint8Array> {
  yield* chunks
}

describe('server-sent events', () => {
  it('gives each event with its type and the last id', async () => {
    expect(
      await parse(': hello\n\nid: 7\nevent: value\ndata: {"a":1}\n\ndata: x\ndata: y\n\n'),
    ).to.deep.equal([
      { id: '7', event: 'value', data: '{"a":1}', retry: undefined },
      { id: '7', event: 'message', data: 'x\ny', retry: undefined },
    ])
  })

  it('drops an event that was cut off, since it comes again after reconnecting', async () => {
    expect(await parse('data: whole\n\ndata: ha')).to.deep.equal([
      { id: undefined, event: 'message', data: 'whole', retry: undefined },
    ])
  })

  it('gives the same however the network cuts the bytes', async () => {
    const bytes = Buffer.from('id: é1\r\ndata: füünf\r\n\r\nevent: e\ndata: 2\n\n')
    const whole = await parse(bytes)
    await fc.assert(
      fc.asyncProperty(fc.array(fc.nat(bytes.length), { maxLength: 8 }), async (cuts) => {
        const at = [0, ...cuts.toSorted((a, b) => a - b), bytes.length]
        const chunks = at.slice(1).map((end, i) => bytes.subarray(at[i], end))
        expect(await parse(...chunks)).to.deep.equal(whole)
      }),
    )
  })
})
