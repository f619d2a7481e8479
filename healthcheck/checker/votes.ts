import { join } from 'node:path'
import type { Override } from '../votes/vote.ts'
import { standingsSource } from '../votes/health-source.ts'
import { httpsAsk } from '../votes/https-ask.ts'
import { votePages } from '../votes/pages.ts'
import { keyring } from '../votes/sign.ts'
import { Voting } from '../votes/voting.ts'
import type { CheckerOptions } from './checker.ts'
import type { HealthSource } from './pages.ts'
import type { Route } from './route.ts'
import { StateFile } from './state.ts'

type Memory = ReturnType<Voting['memory']>

export interface Votes {
  readonly voting: Voting
  readonly route: Route
  readonly source: HealthSource
  /** What another checker has told people, see healthcheck/notify/. */
  notified(checker: string, signal: AbortSignal): Promise<string>
  close(): void
}

/** The checker's part in the voting: what it was before a restart, whom it asks, what it shows. */
export function openVotes(
  { config, inventory, secrets, log, metrics, clock, timers }: CheckerOptions,
  serve: readonly string[],
  overrides: () => readonly Override[],
): Votes {
  const file = new StateFile<Memory>(join(config.state, 'votes.json'), log)
  const peers = inventory.hosts
    .filter(({ name, roles }) => roles.includes('checker') && name !== config.name)
    .map(({ name, address }) => ({ checker: name, address, port: inventory.ports.checker }))
  const asking = httpsAsk({ peers, secret: secrets.path, ca: secrets.tls.ca })
  const before = file.read(isMemory)
  const voting = new Voting({
    checker: config.name,
    inventory,
    serve,
    keys: keyring({ checker: config.name, privateKey: secrets.signingKey, publicKeys: config.keys }),
    ask: asking.ask,
    overrides,
    timers,
    clock,
    metrics,
    ...(before === undefined ? {} : { before }),
  })
  voting.onChange((changed) => {
    for (const { subject, state, serving, percent, reason } of changed) {
      log.info(
        { event: 'health.standing', subject, state, serving, percent, reason },
        `${subject}: ${reason}`,
      )
    }
    file.write(voting.memory())
  })
  return {
    voting,
    route: votePages({
      secret: secrets.path,
      asserted: () => voting.asserted(),
      answer: (nonce) => voting.answer(nonce),
    }),
    source: standingsSource(voting),
    notified: (checker, signal) => asking.page(checker, 'notified', signal),
    close: () => {
      voting.stop()
      asking.close()
      file.write(voting.memory())
    },
  }
}

function isMemory(value: unknown): value is Memory {
  return (
    typeof value === 'object' &&
    value !== null &&
    !Array.isArray(value) &&
    Object.values(value).every((one) => typeof one === 'object' && one !== null && 'serving' in one)
  )
}
