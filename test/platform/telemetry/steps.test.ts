import { expect } from 'chai'
import { assert, constantFrom, integer, property } from 'fast-check'
import { parseSteps, StepError } from '#platform/telemetry/steps.ts'

const day = 86_400_000
const zones = [
  'UTC',
  'Europe/Budapest',
  'America/New_York',
  'America/St_Johns',
  'America/Sao_Paulo',
  'America/Havana',
  'Asia/Beirut',
  'Asia/Kathmandu',
  'Asia/Tehran',
  'Australia/Lord_Howe',
  'Pacific/Apia',
  'Pacific/Chatham',
  'Africa/Casablanca',
]
const from = Date.UTC(2000, 0, 3)
const to = Date.UTC(2035, 0, 1)

/** The date that a calendar on the wall there shows. */
function dateIn(zone: string): (time: number) => string {
  const format = new Intl.DateTimeFormat('sv-SE', { timeZone: zone, dateStyle: 'short' })
  return (time) => format.format(time)
}

describe('steps: days, weeks, months and years as people there count them', () => {
  it('a day begins at the first moment of its date, whatever clocks do that night', () => {
    assert(
      property(constantFrom(...zones), integer({ min: from, max: to }), (zone, time) => {
        const steps = parseSteps('1d', zone)
        const date = dateIn(zone)
        const start = steps.floor(time)
        const next = steps.next(start)
        expect(start).to.be.at.most(time)
        expect(next).to.be.above(time)
        expect(date(start) > date(start - 1), `${zone} ${new Date(start).toISOString()}`).to.equal(true)
        expect(date(next) > date(next - 1)).to.equal(true)
        expect(date(next - 1) >= date(start)).to.equal(true)
        expect(steps.floor(start)).to.equal(start)
        expect(steps.floor(next - 1)).to.equal(start)
      }),
      { numRuns: 2000 },
    )
  })

  for (const [step, begins] of [
    ['1mo', (date: string) => date.endsWith('-01')],
    ['1y', (date: string) => date.endsWith('-01-01')],
    ['3mo', (date: string) => /-(?:01|04|07|10)-01$/.test(date)],
    ['1w', (date: string) => new Date(`${date}T00:00:00Z`).getUTCDay() === 1],
  ] as const) {
    it(`steps of ${step} follow one another without a gap and begin where they should`, () => {
      assert(
        property(constantFrom(...zones), integer({ min: from, max: to }), (zone, time) => {
          const steps = parseSteps(step, zone)
          const date = dateIn(zone)
          let start = steps.floor(time)
          expect(start <= time && steps.next(start) > time).to.equal(true)
          for (let n = 0; n < 5; n++) {
            expect(begins(date(start)), `${zone} ${date(start)}`).to.equal(true)
            const next = steps.next(start)
            expect(next).to.be.above(start)
            expect(steps.floor(next)).to.equal(next)
            expect(steps.floor(next - 1)).to.equal(start)
            start = next
          }
        }),
        { numRuns: 300 },
      )
    })
  }

  it('a day has 23 or 25 hours when clocks change, 24 otherwise', () => {
    const steps = parseSteps('day', 'Europe/Budapest')
    const hours = (date: string): number => {
      const start = steps.floor(Date.parse(`${date}T12:00:00Z`))
      return (steps.next(start) - start) / 3_600_000
    }
    expect(['2026-03-29', '2026-10-25', '2026-11-21'].map(hours)).to.deep.equal([23, 25, 24])
  })

  it('a day that never was in a zone is in no step', () => {
    // Samoa went from December 29 to 31, 2011.
    const steps = parseSteps('1d', 'Pacific/Apia')
    const start = steps.floor(Date.parse('2011-12-30T09:59:00Z'))
    expect(new Date(start).toISOString()).to.equal('2011-12-29T10:00:00.000Z')
    expect(steps.next(start) - start).to.equal(day)
  })

  it('all spellings of one step mean the same', () => {
    for (const [one, other] of [
      ['15m', 'PT15M'],
      ['90m', 'PT1H30M'],
      ['30s', 'PT30S'],
      ['1d', 'P1D'],
      ['2w', 'P2W'],
      ['1mo', 'month'],
      ['1y', 'P1Y'],
    ]) {
      const [a, b] = [parseSteps(one, 'Asia/Tehran'), parseSteps(other, 'Asia/Tehran')]
      const start = a.floor(to)
      expect([b.floor(to), b.next(start)], one).to.deep.equal([start, a.next(start)])
    }
  })

  it('what is no step or no time zone is refused by its name', () => {
    for (const text of [
      '',
      '0m',
      '1',
      'm',
      '61s',
      '1.5h',
      '-1h',
      'PT',
      'P1H',
      'PT1D',
      '101y',
      '99999999m',
      'valueOf',
    ])
      expect(() => parseSteps(text), text)
        .to.throw(StepError)
        .with.property('field', 'step')
    for (const zone of ['', 'Nowhere', '../../etc', 'Europe/Budapest\0'])
      expect(() => parseSteps('1d', zone), zone)
        .to.throw(StepError)
        .with.property('field', 'time_zone')
  })
})
