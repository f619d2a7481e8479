import { expect } from 'chai'
import { describe, it } from 'mocha'
import { addressBytes } from '#healthcheck/dns/server/address.ts'
import { loadPlaces, loopbackPlaces, parsePlaces, type Places } from '#healthcheck/dns/server/places.ts'
import { devInventory } from '#platform/inventory/dev.ts'

function find(places: Places, address: string, prefix?: number): string {
  const bytes = addressBytes(address) ?? new Uint8Array(4)
  const { value, scope } = places.find(bytes, prefix ?? bytes.length * 8)
  return `${value?.continent ?? '-'}/${value?.country ?? '-'} ${scope}`
}

describe('where clients are, by their networks', () => {
  const places = parsePlaces(
    `# a comment
     10.0.0.0/8 EU        # and another
     10.1.0.0/16 NA/US
     10.1.2.0/24 EU/GB

     2001:db8::/32 SA/BR
     2001:db8:1::/48 OC
    `,
    'nets',
  )

  for (const [what, address, prefix, expected] of [
    ['the smallest network counts', '10.1.2.3', undefined, 'EU/GB 24'],
    ['the middle one', '10.1.3.0', 24, 'NA/US 24'],
    ['next to a smaller network, the answer holds for the rest only', '10.1.128.0', 24, 'NA/US 17'],
    ['a part that no other network is in', '10.200.0.0', 24, 'EU/- 9'],
    ['a resolver that tells too little is told to tell more', '10.1.0.0', 16, 'NA/US 24'],
    ['no network', '192.0.2.1', undefined, '-/- 1'],
    ['IPv6', '2001:db8:ffff::', 56, 'SA/BR 33'],
    ['IPv6, a smaller one', '2001:db8:1:2::', 56, 'OC/- 48'],
    ['IPv4 mapped into IPv6', '::ffff:10.1.2.3', undefined, 'EU/GB 24'],
  ] as const) {
    it(what, () => expect(find(places, address, prefix)).to.equal(expected))
  }

  it('never lets a resolver keep an answer for addresses that would get another', () => {
    for (let at = 0; at < 2000; at++) {
      const address = Uint8Array.of(10, at % 4, (at * 7) % 256, (at * 31) % 256)
      const { value, scope } = places.find(address, 24)
      for (const flipped of [scope, scope + 3, 23].filter((bit) => bit < 24 && bit >= scope)) {
        const other = address.slice()
        other[flipped >> 3] ^= 0x80 >> (flipped & 7)
        expect(places.find(other, 24).value, `${address.join('.')} and ${other.join('.')}`).to.equal(value)
      }
    }
  })

  for (const [what, text, line] of [
    ['no place', '10.0.0.0/8', /nets:1: must be a network and a place/],
    ['an unknown continent', '\n10.0.0.0/8 XX', /nets:2: must be/],
    ['too much', '10.0.0.0/8 EU DE', /nets:1: must be/],
    ['no network', '10.0.0/8 EU', /nets:1: "10\.0\.0\/8" must be a network/],
    ['no length', '10.0.0.0 EU', /must be a network/],
    ['a length that is too long', '10.0.0.0/33 EU', /must be a network/],
    ['an address in a network', '10.0.0.1/8 EU', /nets:1: 10\.0\.0\.1\/8 is one address/],
    ['two places for one network', '10.0.0.0/8 EU\n10.0.0.0/8 NA', /nets:2: 10\.0\.0\.0\/8 is there twice/],
  ] as const) {
    it(`refuses a file with its line: ${what}`, () => expect(() => parsePlaces(text, 'nets')).to.throw(line))
  }

  it('names a file that cannot be read', () => {
    expect(() => loadPlaces('nowhere.nets')).to.throw(/cannot read the networks in nowhere\.nets: ENOENT/)
  })

  it('knows where clients on the loopback networks of a development cell are', () => {
    const dev = loopbackPlaces(devInventory({ full: true }))
    expect(find(dev, '127.77.1.200')).to.match(/^NA/)
    expect(find(dev, '127.77.3.200')).to.match(/^EU/)
    expect(find(dev, '127.0.0.1')).to.match(/^-/)
  })
})
