import { readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { createSecureContext } from 'node:tls'
import { parse } from 'yaml'
import type { Access } from '#healthcheck/probes/access.ts'
import type { Probe, ProbeNote, Target } from '#healthcheck/probes/probe.ts'
import { MqttSessions } from '#healthcheck/probes/mqtt-sessions.ts'
import { Rest } from '#healthcheck/probes/rest.ts'
import type { LightFleet } from '../light-fleet.ts'

/** What probes of a checker of the fleet have, with all that it holds. */
export interface Bench {
  readonly access: Access
  readonly rest: Rest
  readonly sessions: MqttSessions
  readonly targets: readonly Target[]
  /** Hosts whose kept connections have ended by themselves. */
  readonly lost: readonly string[]
  target(host: string): Target
  close(): Promise<void>
}

export function openBench(fleet: LightFleet, change: Partial<Access> = {}): Bench {
  const file = fleet.configOf('dc01-check')
  const read = (name: string): string => readFileSync(join(dirname(file), name), 'utf8').trim()
  const { probe } = parse(readFileSync(file, 'utf8')) as { probe: { device_id: string } }
  const access: Access = {
    inventory: fleet.inventory,
    checker: 'dc01-check',
    serviceName: 'mqtt.light.test',
    secure: createSecureContext({ ca: readFileSync(fleet.caFile, 'utf8') }),
    tls: true,
    device: { id: probe.device_id, key: read('device.key') },
    apiKey: read('api.key'),
    ...change,
  }
  const lost: string[] = []
  const rest = new Rest(access, (host) => lost.push(host))
  const sessions = new MqttSessions(access, (host) => lost.push(host))
  const targets = fleet.inventory.hosts
    .filter(({ roles }) => roles.includes('app'))
    .flatMap((host) => fleet.inventory.dcs.filter(({ name }) => name === host.dc).map((dc) => ({ dc, host })))
  return {
    access,
    rest,
    sessions,
    targets,
    lost,
    target: (host) => targets.filter((one) => one.host.name === host)[0],
    close: async () => {
      rest.close()
      await sessions.close()
    },
  }
}

/** Runs a probe with its own limit, or a shorter one. */
export function look(
  probe: Probe,
  target: Target,
  limitMs = probe.timeoutMs,
): Promise<ProbeNote | undefined> {
  return probe.run(target, AbortSignal.timeout(limitMs))
}

/** What a probe says is wrong; '': nothing. */
export function wrong(probe: Probe, target: Target, limitMs?: number): Promise<string> {
  return look(probe, target, limitMs).then(
    () => '',
    (error: unknown) => (error instanceof Error ? error.message : String(error)),
  )
}
