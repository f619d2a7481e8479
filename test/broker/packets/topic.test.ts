import { expect } from 'chai'
import * as fc from 'fast-check'
import {
  isValidFilter,
  isValidTopicBytes,
  isValidTopicName,
  matches,
  parseShare,
  topicLevels,
} from '#broker/packets/index.ts'

describe('topics and filters', () => {
  it('knows topic names [MQTT-4.7.0-1] [MQTT-4.7.3-1] [MQTT-4.7.3-2]', () => {
    for (const [topic, valid] of [
      ['a', true],
      ['/', true],
      ['a//b', true],
      [' ', true],
      ['Accounts payable', true],
      ['$SYS/x', true],
      ['temperatur/küche', true],
      ['', false],
      ['+', false],
      ['a/#', false],
      ['a+b', false],
      ['a\0', false],
    ] as const) {
      const buf = Buffer.from(topic)
      expect(isValidTopicName(topic), topic).to.equal(valid)
      expect(isValidTopicBytes(buf, 0, buf.length), topic).to.equal(valid)
    }
    expect(isValidTopicBytes(Buffer.from([0x61, 0xff]), 0, 2)).to.equal(false)
    expect(isValidTopicBytes(Buffer.from('é'), 0, 1), 'half a character').to.equal(false)
  })

  it("knows the specification's valid and invalid filters [MQTT-4.7.1-1] [MQTT-4.7.1-2]", () => {
    for (const [filter, valid] of [
      ['sport/tennis/player1/#', true],
      ['sport/#', true],
      ['#', true],
      ['sport/tennis/#', true],
      ['sport/tennis#', false],
      ['sport/tennis/#/ranking', false],
      ['+', true],
      ['+/tennis/#', true],
      ['sport+', false],
      ['sport/+/player1', true],
      ['+sport', false],
      ['/+', true],
      ['+/+', true],
      ['++', false],
      ['##', false],
      ['#/', false],
      ['a/#b', false],
      ['', false],
      ['a\0', false],
      ['/', true],
    ] as const) {
      expect(isValidFilter(filter), filter).to.equal(valid)
    }
  })

  it('knows shared subscriptions [MQTT-4.8.2-1] [MQTT-4.8.2-2]', () => {
    for (const [filter, share] of [
      ['$share/consumer1//finance', { group: 'consumer1', filter: '/finance' }],
      ['$share/g/sport/#', { group: 'g', filter: 'sport/#' }],
      ['$share/g/#', { group: 'g', filter: '#' }],
      ['$share/g', null],
      ['$share/g/', null],
      ['$share//a', null],
      ['$share/', null],
      ['$share/+/a', null],
      ['$share/g#/a', null],
      ['$share/g/a#', null],
    ] as const) {
      expect(parseShare(filter), filter).to.deep.equal(share)
      expect(isValidFilter(filter), filter).to.equal(share !== null)
    }
    expect(parseShare('share/g/a')).to.equal(null)
    expect(isValidFilter('$share'), 'a plain filter').to.equal(true)
    expect(isValidFilter('$SHARE/g'), 'a plain filter').to.equal(true)
  })

  it("matches as in the specification's examples (4.7.1, 4.7.2)", () => {
    for (const [filter, topic, expected] of [
      ['sport/tennis/player1/#', 'sport/tennis/player1', true],
      ['sport/tennis/player1/#', 'sport/tennis/player1/ranking', true],
      ['sport/tennis/player1/#', 'sport/tennis/player1/score/wimbledon', true],
      ['sport/tennis/player1/#', 'sport/tennis/player10', false],
      ['sport/#', 'sport', true],
      ['sport/#', 'sports', false],
      ['sport/tennis/+', 'sport/tennis/player1', true],
      ['sport/tennis/+', 'sport/tennis/player1/ranking', false],
      ['sport/+', 'sport', false],
      ['sport/+', 'sport/', true],
      ['+/+', '/finance', true],
      ['/+', '/finance', true],
      ['+', '/finance', false],
      ['#', 'a/b', true],
      ['#', '/', true],
      ['#', '$SYS/monitor', false],
      ['+/monitor/Clients', '$SYS/monitor/Clients', false],
      ['$SYS/#', '$SYS/monitor/Clients', true],
      ['$SYS/monitor/+', '$SYS/monitor/Clients', true],
      ['ACCOUNTS', 'Accounts', false],
      ['/finance', 'finance', false],
      ['a/+/c', 'a//c', true],
      ['a/+/#', 'a/b', true],
      ['a/+/#', 'a', false],
      ['a', 'a/', false],
      ['a/', 'a', false],
      ['+/#', '/', true],
      ['a/$x/#', 'a/$x', true],
    ] as const) {
      expect(matches(filter, topic), `${filter} ${topic}`).to.equal(expected)
    }
  })

  it('counts levels', () => {
    for (const [topic, levels] of [
      ['a', 1],
      ['/', 2],
      ['a/b/c', 3],
      ['a//c/', 4],
    ] as const) {
      expect(topicLevels(topic), topic).to.equal(levels)
    }
  })

  it('matches like the definition, level by level', () => {
    const level = fc.constantFrom('', 'a', 'b', '$')
    const topic = fc.array(level, { minLength: 1, maxLength: 4 })
    const filter = fc.array(fc.oneof(level, fc.constant('+')), { minLength: 1, maxLength: 4 })
    fc.assert(
      fc.property(filter, fc.boolean(), topic, (levels, hash, names) => {
        const parts = hash ? [...levels, '#'] : levels
        const text = names.join('/')
        fc.pre(text !== '' && parts.join('/') !== '')
        const wild = parts[0] === '+' || parts[0] === '#'
        const count = hash ? names.length >= levels.length : names.length === levels.length
        const expected =
          !(wild && text.startsWith('$')) &&
          count &&
          levels.every((one, i) => one === '+' || one === names[i])
        expect(matches(parts.join('/'), text)).to.equal(expected)
      }),
      { numRuns: 3000 },
    )
  })
})
