import { createInterface } from 'node:readline/promises'
import { applyPlan } from '#healthcheck/dns/route53/apply.ts'
import { isEmpty, makePlan, type Plan, safePercent } from '#healthcheck/dns/route53/plan.ts'
import { systemTimers } from '#platform/timers.ts'
import { CliError, printJson, printLine } from '#scripts/output.ts'
import { planJson, planLines } from './lines.ts'
import { type OpenZone, withZone, type ZoneOptions } from './zone.ts'

export interface PlanOptions extends ZoneOptions {
  adopt?: true
  check?: true
}

export interface ApplyOptions extends PlanOptions {
  yes?: true
  /** Percent. */
  force?: number
  /** Seconds. */
  settle: number
}

export async function runPlan(options: PlanOptions): Promise<void> {
  await withZone(options, (zone) => {
    const plan = planOf(zone, options)
    show(plan, options)
    refuseConflicts(plan)
    if (options.check === true && !isEmpty(plan)) process.exitCode = 1
    return Promise.resolve()
  })
}

export async function runApply(options: ApplyOptions): Promise<void> {
  await withZone(options, async (zone) => {
    const plan = planOf(zone, options)
    const json = options.json === true
    if (!json) show(plan, options)
    refuseConflicts(plan)
    const ended = (applied: object): void => {
      if (json) printJson({ ...planJson(plan), ...applied })
    }
    if (isEmpty(plan)) return ended({ applied: false })
    gateForce(plan, options)
    const dry = options.yes === true ? null : dryReason(process.env)
    if (dry !== null) {
      if (!json) printLine(`nothing was changed: a dry run, as ${dry}; --yes applies it`)
      return ended({ applied: false, dry_run: dry })
    }
    if (options.yes !== true && !(await agreed())) {
      printLine('nothing was changed')
      return ended({ applied: false })
    }
    const say = (line: string): void => {
      if (json) process.stderr.write(`${line}\n`)
      else printLine(line)
    }
    const { batches, checks, inSync } = await applyPlan(zone.port, plan, {
      timers: systemTimers,
      say,
      countPauseMs: options.settle * 1000,
    })
    if (!json)
      printLine(
        inSync
          ? 'done: all name servers of Route 53 have it'
          : 'accepted by Route 53; some of its name servers do not have it yet (`cinque dns status`)',
      )
    ended({ applied: true, batches, checks_done: checks, in_sync: inSync })
  })
}

function planOf({ tree, live, inventory, notes }: OpenZone, { adopt }: PlanOptions): Plan {
  const plan = makePlan(tree, live, { cell: inventory.cell, adopt: adopt === true })
  return { ...plan, notes: [...notes, ...plan.notes] }
}

function show(plan: Plan, { json }: PlanOptions): void {
  if (json === true) printJson(planJson(plan))
  else for (const line of planLines(plan)) printLine(line)
}

function refuseConflicts({ conflicts }: Plan): void {
  if (conflicts.length === 0) return
  const names = conflicts.map(({ name, type }) => `${name} ${type}`)
  const more = names.length > 5 ? ` and ${names.length - 5} more` : ''
  throw new CliError(
    `someone else's records are where ours must be: ${names.slice(0, 5).join(', ')}${more}`,
    {
      remedy:
        'Remove them, choose other names (dns.names of the inventory), or take them over with --adopt: they are replaced.',
    },
  )
}

function gateForce({ percent }: Plan, { force }: ApplyOptions): void {
  if (percent <= safePercent) return
  if (force === percent) return
  throw new CliError(
    force === undefined
      ? `${percent} % of what is ours would change, and more than ${safePercent} % needs a person's word`
      : `--force ${force}: the plan changes ${percent} % of what is ours`,
    { remedy: `Read the plan; if it is what you want: --force ${percent}` },
  )
}

/** Why nothing is changed without `--yes`; null: somebody is there to be asked. */
function dryReason({ CI }: NodeJS.ProcessEnv): string | null {
  if (CI !== undefined && CI !== '' && CI !== 'false') return 'CI is set'
  return process.stdin.isTTY && process.stdout.isTTY ? null : 'there is no terminal to ask at'
}

/** Ctrl-C and Ctrl-D are a no. */
async function agreed(): Promise<boolean> {
  const lines = createInterface({ input: process.stdin, output: process.stderr })
  const closed = new AbortController()
  lines.once('close', () => closed.abort())
  try {
    return (await lines.question('Apply this? Only "yes" does: ', closed)).trim() === 'yes'
  } catch (error) {
    if (!closed.signal.aborted) throw error
    process.stderr.write('\n')
    return false
  } finally {
    lines.close()
  }
}
