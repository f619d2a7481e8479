import { errorLine } from '#scripts/output.ts'

/** Something that must be so before a host is taken out of service. A file each. */
export interface Gate {
  /** As people call it: `schema`. */
  readonly name: string
  /**
   * What stands in the way of taking `host` out, a line each; none: nothing. It may reject: what can't be told stands in
   * the way, too.
   */
  look(host: string, signal: AbortSignal): Promise<readonly string[]>
}

/** A gate that does not answer in this time can't be told, ms. */
const lookTimeoutMs = 15_000

/** What stands in the way of taking a host out of service, by all gates, in their order. */
export async function obstaclesOf(
  gates: readonly Gate[],
  host: string,
  signal: AbortSignal,
): Promise<string[]> {
  const all = await Promise.all(
    gates.map(async (gate) => {
      const late = AbortSignal.timeout(lookTimeoutMs)
      try {
        return await gate.look(host, AbortSignal.any([signal, late]))
      } catch (error) {
        signal.throwIfAborted()
        const why = late.aborted ? `no answer for ${lookTimeoutMs / 1000} s` : errorLine(error)
        return [`${gate.name} can't be told: ${why}`]
      }
    }),
  )
  return all.flat()
}
