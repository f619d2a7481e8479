import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect } from 'chai'
import type { CheckerOptions } from '#healthcheck/checker/checker.ts'
import { feedGdnsd } from '#healthcheck/checker/gdnsd.ts'
import type { Standing } from '#healthcheck/votes/vote.ts'
import { createLogger } from '#platform/log.ts'
import { Metrics } from '#platform/metrics.ts'
import { VirtualTime, VirtualTimers } from '../../virtual-time.ts'
import { exampleCell } from '../dns/cell.ts'

describe('A checker and the gdnsd beside it', () => {
  let directory: string
  beforeEach(() => (directory = mkdtempSync(join(tmpdir(), 'cinque-gdnsd-'))))
  afterEach(() => rmSync(directory, { recursive: true, force: true }))

  function feed(file: string) {
    const time = new VirtualTime()
    const metrics = new Metrics()
    const standings = new Map<string, Standing>()
    let changed = (): void => undefined
    const options = {
      config: { gdnsd: { states_file: file } },
      inventory: exampleCell(),
      log: createLogger({ level: 'silent' }),
      metrics,
      timers: new VirtualTimers(time),
    } as unknown as CheckerOptions
    const end = feedGdnsd(options, {
      standings: () => standings,
      onChange: (listener) => (changed = () => listener([], standings)),
    })
    const set = (subject: string, serving: boolean): void => {
      standings.set(subject, { subject, state: serving ? 'up' : 'down', serving, percent: 100, reason: '' })
      changed()
    }
    return { time, metrics, set, end }
  }

  const downIn = (file: string): number => readFileSync(file, 'utf8').split('DOWN').length - 1

  it('tells it at once when a DC goes, and when it is back', () => {
    const file = join(directory, 'cinque')
    const { set, end } = feed(file)
    set('dc01', false)
    expect(downIn(file)).to.equal(2)
    set('dc01', true)
    expect(downIn(file)).to.equal(0)
    end()
    set('dc02', false)
    expect(downIn(file), 'after its end').to.equal(0)
  })

  it('leaves what is there after a restart until the votes had time to come in', () => {
    const file = join(directory, 'cinque')
    const { time, end } = feed(file)
    time.run(59_000)
    expect(existsSync(file)).to.equal(false)
    time.run(1_000)
    expect(downIn(file)).to.equal(0)
    end()
  })

  it('tries again when it cannot be written, and counts it', () => {
    const file = join(directory, 'extfile', 'cinque')
    const { time, set, metrics, end } = feed(file)
    set('dc01', false)
    expect(metrics.total('cinque_gdnsd_failed_writes_total')).to.equal(1)
    mkdirSync(join(directory, 'extfile'))
    time.run(70_000)
    expect(downIn(file)).to.equal(2)
    end()
  })
})
