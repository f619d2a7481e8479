import { type ChildProcess, spawn } from 'node:child_process'
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { must } from '#scripts/child-process.ts'
import { ownTree, packRelease } from '#scripts/fleet/release.ts'
import { newestRelease } from '#scripts/roll/releases.ts'
import { onEarlyExit } from '../clean-up.ts'
import { bySchedule, restartBySchedule } from './schedule.ts'
import { said, type Step } from './step.ts'

const cinque = fileURLToPath(new URL('../../scripts/cinque.js', import.meta.url))
/** On a disk that is thrown away it is gone. */
const marker = '/var/lib/cinque-marker'

/** What a schedule has an operator on this machine do, as it would every day, week and month. */
export const byItself: Readonly<Record<string, Step>> = {
  daily: ({ fleet, data, far }) =>
    withOperator(data, () => restartBySchedule(fleet, far, fleet.inventory.hosts)),

  weekly: ({ fleet, data, app, db, far }) =>
    withOperator(data, async () => {
      const hosts = app === db ? [app] : [app, db]
      for (const host of hosts) await said(fleet, host, `touch ${marker}`)
      const { state, note } = await bySchedule(fleet, far, { job: 'reinstall', hosts })
      const kept = await Promise.all(
        hosts.map(async (host) => said(fleet, host, `test -e ${marker} && echo ${host.name} || true`)),
      )
      const old = kept.filter((name) => name !== '')
      return {
        what: `${hosts.map(({ name }) => name).join(' and ')} made anew by an operator: ${state}: ${note}; with their old disk: ${old.join(', ') || 'none'}`,
        good: state === 'done' && old.length === 0,
      }
    }),

  monthly: ({ fleet, data, far }) =>
    withOperator(data, async () => {
      const artifacts = join(data, 'artifacts')
      const before = newestRelease([artifacts])?.release
      const next = await packNext(artifacts, before ?? '0.1.0')
      // What a schedule may take is brought to a place of its own.
      const upgrades = join(data, 'upgrades')
      mkdirSync(upgrades, { recursive: true })
      await must('ln', ['-f', join(artifacts, `cinque-${next}.tar`), upgrades])
      const { state, note } = await bySchedule(fleet, far, { job: 'upgrade' })
      const hosts = fleet.inventory.hosts.filter(({ roles }) => roles.includes('app'))
      const runs = await Promise.all(
        hosts.map((host) => said(fleet, host, 'basename "$(readlink /opt/cinque/current)"')),
      )
      return {
        what: `${before} to ${next} by an operator: ${state}: ${note}`,
        good: state === 'done' && runs.every((release) => release === next),
      }
    }),
}

/** What this checkout would be as the next version. */
async function packNext(artifacts: string, release: string): Promise<string> {
  const tree = mkdtempSync(join(dirname(ownTree), '.cinque-next-'))
  try {
    const parts = readdirSync(ownTree).filter((name) => !name.startsWith('.'))
    // Links: nothing is copied, and what is to differ is made anew.
    await must('cp', ['-al', ...parts.map((name) => join(ownTree, name)), tree])
    const [, major, minor, patch] = /^(\d+)\.(\d+)\.(\d+)/.exec(release) ?? []
    const file = join(tree, 'package.json')
    const text = readFileSync(file, 'utf8')
    rmSync(file)
    writeFileSync(file, text.replace(/("version": ")[^"]+/, `$1${major}.${minor}.${Number(patch) + 1}`))
    return await packRelease(tree, artifacts)
  } finally {
    rmSync(tree, { recursive: true, force: true })
  }
}

async function withOperator<T>(data: string, act: () => Promise<T>): Promise<T> {
  const child = spawn(process.execPath, [cinque, 'operator', '--fleet', data], {
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  const early = onEarlyExit(() => child.kill())
  const ended = new Promise<void>((resolve) => child.once('close', () => resolve()))
  try {
    await ready(child)
    return await act()
  } finally {
    child.kill()
    await ended
    early.cancel()
  }
}

function ready({ stdout, stderr }: ChildProcess): Promise<void> {
  if (stdout === null || stderr === null) throw new Error('the operator has no output')
  createInterface(stderr).on('line', (line) => process.stderr.write(`  ${line}\n`))
  return new Promise((resolve, reject) => {
    const lines = createInterface(stdout)
    lines.on('line', (line) => line === 'ready' && resolve())
    lines.once('close', () => reject(new Error('the operator has ended')))
  })
}
