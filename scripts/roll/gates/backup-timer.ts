import type { Host, Inventory } from '#platform/inventory/inventory.ts'
import type { Remote } from '#scripts/remote/remote.ts'
import type { Gate } from './gate.ts'

/** As alert BackupOld: backups are made every two hours, and take half an hour at most. Seconds. */
const oldAfter = 9000
const timeoutMs = 10_000

/** What the host says that makes backups; nothing of one that does not. Its state, when the newest was taken, its clock. */
const question = `[ -e /etc/systemd/system/cinque-backup.timer ] || exit 0
systemctl is-active cinque-backup.service cinque-drill.service | grep -c activating
file=$(sed -n 's/^metrics_file: *//p' /etc/cinque/backup.yaml)
sed -n 's/^cinque_backup_taken_timestamp_seconds //p' "$file" 2>/dev/null | grep . || echo 0
date +%s`

/** The newest backup that a host's own timer has made is not old, and no backup or drill is under way there. */
export function backupTimer(remote: Remote, { dcs, hosts }: Pick<Inventory, 'dcs' | 'hosts'>): Gate {
  const backupDcs = new Set(dcs.filter(({ kind }) => kind === 'backup').map(({ name }) => name))
  const able = hosts.filter(({ roles, dc }) => roles.includes('db') && backupDcs.has(dc))
  return {
    name: 'backup',
    look: async (host, signal) => {
      const all = await Promise.all(able.map((one) => ask(remote, one, host, signal)))
      return all.flat()
    },
  }
}

async function ask(remote: Remote, { name }: Host, out: string, signal: AbortSignal): Promise<string[]> {
  const { stdout, failure } = await remote.run({ name }, question, { signal, timeoutMs })
  // That a host is away others say; the one in question may be.
  if (failure !== null) return name === out ? [] : [`whether ${name} makes backups can't be told: ${failure}`]
  if (stdout.trim() === '') return []
  const [underWay, taken, now] = stdout.trim().split('\n').map(Number)
  if (underWay > 0) return [`a backup or drill is under way on ${name}`]
  if (taken === 0) return [`${name} has made no backup yet`]
  const age = now - taken
  return age > oldAfter ? [`the newest backup of ${name} is ${Math.round(age / 60)} minutes old`] : []
}
