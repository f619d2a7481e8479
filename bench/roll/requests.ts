import type { Meter } from './meter.ts'
import type { Names } from './names.ts'

const patienceMs = 5000

/** A read by REST at one of the name's hosts, and once more at another one when that fails. */
export async function request(names: Names, port: number, token: string, meter: Meter): Promise<void> {
  const began = performance.now()
  const first = names.next()
  let why = await attempt(first, port, token)
  if (why !== null) {
    meter.retried++
    why = await attempt(names.next(first), port, token)
  }
  if (why === null) meter.took(performance.now() - began)
  else meter.failures.push(why)
}

/** Why it failed, or null. */
async function attempt(address: string, port: number, token: string): Promise<string | null> {
  try {
    const response = await fetch(`http://${address}:${port}/v1/devices?limit=10`, {
      headers: { authorization: `Bearer ${token}` },
      signal: AbortSignal.timeout(patienceMs),
    })
    await response.text()
    return response.status === 200 ? null : `${address}: ${response.status}`
  } catch (error) {
    const cause = error instanceof Error && error.cause instanceof Error ? error.cause : error
    return `${address}: ${cause instanceof Error ? cause.message : String(cause)}`
  }
}
