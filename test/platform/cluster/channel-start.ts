import type { Bus } from '#platform/cluster/bus.ts'
import { Channels } from '#platform/cluster/channels.ts'
import type { ChannelListener } from '#platform/cluster/peer.ts'
import { systemClock } from '#platform/clock.ts'
import { createLogger } from '#platform/log.ts'
import { Metrics } from '#platform/metrics.ts'
import { systemTimers } from '#platform/timers.ts'

const QUIET: ChannelListener = {
  opened: () => undefined,
  lost: () => undefined,
  back: () => undefined,
  gone: () => undefined,
  entry: () => undefined,
  relieved: () => undefined,
  stoodStill: () => undefined,
}

/** Channels in real time over `bus`, whose address is the incarnation. */
export function startChannels(name: string, bus: Bus, listener: Partial<ChannelListener>): Channels {
  const channels = new Channels({
    bus,
    info: { incarnation: bus.address, name, dc: 'dc01', version: '1.0.0', protocol: 1 },
    clock: systemClock,
    timers: systemTimers,
    log: createLogger({ level: 'silent' }),
    metrics: new Metrics(),
    listener: { ...QUIET, ...listener },
  })
  channels.start()
  return channels
}
