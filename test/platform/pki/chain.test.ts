import 'reflect-metadata'
import { X509Certificate } from 'node:crypto'
import { ExtendedKeyUsage, Extension } from '@peculiar/x509'
import { expect } from 'chai'
import { distrust, parseChain, unfitAuthority } from '#platform/pki/chain.ts'
import { make, type Made } from './certificate-maker.ts'

const soon = new Date(Date.now() + 3_600_000)
const past = new Date(Date.now() - 3_600_000)

describe('certificates of devices are trusted for their authority only', () => {
  let root: Made
  let middle: Made
  let twin: Made

  before(async () => {
    root = await make({ cn: 'acme root', ca: true, pathLength: 1 })
    middle = await make({ cn: 'acme factory', by: root, ca: true, pathLength: 0 })
    // Of somebody else, with the same name.
    twin = await make({ cn: 'acme root', ca: true })
  })

  function why(chain: readonly Made[], authority: Made, now = Date.now()): Promise<string | null> {
    const parsed = parseChain(chain.map(({ raw }) => raw)) ?? []
    return distrust(parsed, new X509Certificate(authority.cert), now)
  }

  it('by the root, and by an intermediate that the device sends along', async () => {
    const direct = await make({ cn: 'd', by: root, usage: ExtendedKeyUsage.clientAuth })
    expect(await why([direct], root)).to.equal(null)
    expect(await why([direct, root], root)).to.equal(null)
    const leaf = await make({ cn: 'd', by: middle })
    expect(await why([leaf, middle], root)).to.equal(null)
    expect(await why([leaf, middle, root], root)).to.equal(null)
  })

  it('an intermediate may be the authority itself, without its root', async () => {
    const leaf = await make({ cn: 'd', by: middle })
    expect(await why([leaf], middle)).to.equal(null)
    const direct = await make({ cn: 'd', by: root })
    expect(await why([direct, root], middle), 'and then its root signs nothing').to.match(/does not end/)
  })

  it('thingsboard#14103: not a chain that comes without the authority it should end at', async () => {
    const leaf = await make({ cn: 'd', by: middle })
    expect(await why([leaf], root)).to.match(/does not end/)
    expect(await why([leaf, middle], twin)).to.match(/does not end/)
  })

  it('not by another authority of the same name', async () => {
    const leaf = await make({ cn: 'd', by: twin })
    expect(await why([leaf], root)).to.match(/does not end/)
    expect(await why([leaf, twin], root)).to.match(/does not end/)
    expect(await why([leaf], twin)).to.equal(null)
  })

  const bad: [what: string, make: () => Promise<Made[]>, why: RegExp][] = [
    ['one that has expired', async () => [await make({ cn: 'd', by: root, until: past })], /expired/],
    [
      'one that is not valid yet',
      async () => [await make({ cn: 'd', by: root, from: soon })],
      /not valid before/,
    ],
    [
      'one for servers',
      async () => [await make({ cn: 'd', by: root, usage: ExtendedKeyUsage.serverAuth })],
      /not for clients/,
    ],
    ['one that signed itself', async () => [await make({ cn: 'd' })], /does not end/],
    ['an authority', async () => [middle], /an authority is no device/],
    ['one with a weak signature', async () => [await make({ cn: 'd', by: root, hash: 'SHA-1' })], /weak/],
    [
      'one with a critical extension that nobody knows',
      async () => [
        await make({ cn: 'd', by: root, more: [new Extension('1.2.3.4', true, new Uint8Array([5, 0]))] }),
      ],
      /critical extension 1\.2\.3\.4/,
    ],
    [
      'one whose issuer is a device',
      async () => {
        const device = await make({ cn: 'device', by: root })
        return [await make({ cn: 'd', by: device }), device]
      },
      /no authority/,
    ],
    [
      'one that an intermediate which has expired signed',
      async () => {
        const old = await make({ cn: 'old', by: root, ca: true, until: past })
        return [await make({ cn: 'd', by: old }), old]
      },
      /"CN=old" has expired/,
    ],
    [
      'a longer chain than the authority allows',
      async () => {
        const one = await make({ cn: 'one', by: root, ca: true })
        const two = await make({ cn: 'two', by: one, ca: true })
        return [await make({ cn: 'd', by: two }), two, one]
      },
      /longer/,
    ],
    [
      'one by an authority with name constraints, which nobody checks',
      async () => {
        const limited = await make({
          cn: 'limited',
          by: root,
          ca: true,
          more: [new Extension('2.5.29.30', true, new Uint8Array([0x30, 0]))],
        })
        return [await make({ cn: 'd', by: limited }), limited]
      },
      /name constraints/,
    ],
  ]
  for (const [what, chain, reason] of bad) {
    it(`not ${what}`, async () => {
      expect(await why(await chain(), root)).to.match(reason)
    })
  }

  it('not when the authority itself has expired', async () => {
    const short = await make({ cn: 'short', ca: true, until: soon })
    const leaf = await make({ cn: 'd', by: short })
    expect(await why([leaf], short)).to.equal(null)
    expect(await why([leaf], short, soon.getTime() + 1)).to.match(/expired/)
  })

  it('what is no certificate is none, and what is no authority is not registered', async () => {
    expect(parseChain([Buffer.from('nonsense')])).to.equal(undefined)
    expect(await distrust([], new X509Certificate(root.cert), Date.now())).to.match(/no certificate/)
    const leaf = await make({ cn: 'd', by: root })
    expect(await unfitAuthority(new X509Certificate(leaf.cert), Date.now())).to.match(/no authority/)
    expect(await unfitAuthority(new X509Certificate(root.cert), Date.now())).to.equal(null)
  })
})
