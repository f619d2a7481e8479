import { type AnswerOf, ApiError, type CinqueClient } from '#client/index.ts'
import type { Report as Told } from '#platform/rolls/transitions.ts'
import { pause } from '#scripts/pause.ts'

/** A roll as the API shows it. */
export type ShownRoll = AnswerOf<'/v1/rolls/{roll}', 'get'>

type Report = Omit<Told, 'note'> & { readonly note?: string }

/** Where it is written down how far a roll is, for whoever goes on with it. What it resolves with is durable. */
export interface Ledger {
  /** This runner carries it out from now on. */
  take(runner: string): Promise<ShownRoll>
  report(token: number, report: Report): Promise<ShownRoll>
  beat(token: number): Promise<ShownRoll>
  halt(token: number): Promise<ShownRoll>
}

/** Another runner carries it out now, or it has been ended: what this one does counts no more. */
export class LostError extends Error {}

/** How long to wait before the API is asked again, ms: it is restarted too. */
const retryMs = 1000

/** The ledger behind the API of any DC. Waits while no DC can write; ends with LostError or at `signal`. */
export function restLedger(client: CinqueClient, roll: string, signal: AbortSignal): Ledger {
  const path = { params: { path: { roll } } }
  return {
    take: (runner) => client.post('/v1/rolls/{roll}/take', { ...path, body: { runner } }),
    report: (token, report) =>
      patient(signal, () => client.post('/v1/rolls/{roll}/report', { ...path, body: { token, ...report } })),
    beat: (token) =>
      patient(signal, () => client.post('/v1/rolls/{roll}/beat', { ...path, body: { token } })),
    halt: (token) =>
      patient(signal, () => client.post('/v1/rolls/{roll}/halt', { ...path, body: { token } })),
  }
}

async function once<T>(ask: () => Promise<T>): Promise<T> {
  try {
    return await ask()
  } catch (error) {
    if (error instanceof ApiError && error.code === 'conflict')
      throw new LostError(error.detail, { cause: error })
    throw error
  }
}

/** A refusal is one; anything else passes. */
async function patient<T>(signal: AbortSignal, ask: () => Promise<T>): Promise<T> {
  for (;;) {
    try {
      // oxlint-disable-next-line no-await-in-loop -- until it is written
      return await once(ask)
    } catch (error) {
      const refused = error instanceof ApiError && error.status < 500 && error.status !== 429
      if (error instanceof LostError || refused || signal.aborted) throw error
    }
    // oxlint-disable-next-line no-await-in-loop
    await pause(retryMs, signal)
  }
}
