import type { Inventory } from '#platform/inventory/inventory.ts'
import { connect } from '#scripts/client/connect.ts'
import { ContextFile } from '#scripts/client/contexts.ts'
import type { TargetOptions } from '#scripts/client/target.ts'
import { failureOf } from '#scripts/client/failure.ts'
import { CliError, errorLine } from '#scripts/output.ts'

export interface WeightOptions extends Pick<TargetOptions, 'context' | 'url' | 'token'> {
  /** False: overrides are not asked for. */
  overrides?: boolean
}

/**
 * Percent of their own share that DCs and hosts get by a person's word (`cinque dc weight`). Only these need a change
 * of the zone: what is drained is taken out by the health checks, at once and without Route 53's API.
 */
export async function weightsOf(
  options: WeightOptions,
  { dcs, hosts }: Inventory,
): Promise<{ percents: ReadonlyMap<string, number>; notes: string[] }> {
  const none = new Map<string, number>()
  if (options.overrides === false) return { percents: none, notes: ['overrides were not asked for'] }
  if (!isTold(options)) {
    const note =
      'weights of `cinque dc weight` are not known here: tell the platform, by --context or --url with --token'
    return { percents: none, notes: [note] }
  }
  const known = new Set([...dcs, ...hosts].map(({ name }) => name))
  try {
    const { items } = await connect(options).get('/v1/checkers/overrides')
    const weights = items.filter(({ action, subject }) => action === 'weight' && known.has(subject))
    return {
      percents: new Map(weights.map(({ subject, percent }) => [subject, percent ?? 100])),
      notes: weights.map(
        ({ subject, percent, reason, expires_at: end }) =>
          `${subject}: ${percent} percent by override (${reason})${end === null ? '' : `; it ends at ${end}, then apply again`}`,
      ),
    }
  } catch (error) {
    const failure = failureOf(error)
    throw new CliError(`the overrides can't be read: ${errorLine(failure)}`, {
      remedy: 'Without them: --no-overrides. Weights that are in force would be taken back by that.',
      cause: error,
    })
  }
}

function isTold({ context, url }: WeightOptions): boolean {
  const { CINQUE_URL: fromEnv, CINQUE_CONTEXT: named } = process.env
  return [context, url, fromEnv, named].some(Boolean) || new ContextFile().find(undefined) !== undefined
}
