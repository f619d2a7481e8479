import type { Fleet } from '#scripts/fleet/fleet.ts'
import type { Host } from '#platform/inventory/inventory.ts'
import { fill, rowsOf } from './rows.ts'
import { again, said, type Step, until } from './step.ts'

/** By their names on the command line, in the order in which they are done. */
export const faults: Readonly<Record<string, Step>> = {
  async app({ fleet, app }) {
    const started = performance.now()
    await fleet.reinstall(app)
    if (app.roles.includes('db')) await fleet.joined(app)
    await fleet.serves([app])
    const seconds = (performance.now() - started) / 1000
    return {
      what: `${app.name} from a wiped disk to serving in ${seconds.toFixed(0)} s (bar: 120 s)`,
      good: seconds < 120,
    }
  },

  async db({ fleet, db, far, megabytes }) {
    const rows = await fill(fleet, far, contactOf(fleet, far), { megabytes })
    const started = performance.now()
    await fleet.reinstall(db)
    await fleet.joined(db)
    const seconds = (performance.now() - started) / 1000
    const has = await rowsOf(fleet, far, db)
    return {
      what: `${db.name} from a wiped disk to up and normal for all others with ${megabytes} MB in ${seconds.toFixed(0)} s, ${has} of ${rows} rows (bar: 600 s with 1 GB)`,
      good: has === rows && seconds < 600,
    }
  },

  async watchdog({ fleet, app }) {
    const unit = 'cinque-broker1'
    const of = async (name: string): Promise<string> =>
      said(fleet, app, `systemctl show --property=${name} --value ${unit}`)
    const [before, pid] = [await of('NRestarts'), await of('MainPID')]
    await said(fleet, app, `kill -STOP ${pid}`)
    const started = performance.now()
    await until(async () => (await of('NRestarts')) !== before)
    const noticed = (performance.now() - started) / 1000
    await fleet.serves([app])
    const why = await said(
      fleet,
      app,
      `journalctl --unit ${unit} --output cat | grep --count 'Watchdog timeout'`,
    )
    return {
      what: `a frozen broker is started again after ${noticed.toFixed(0)} s of silence, and serves`,
      good: Number(why) > 0,
    }
  },

  async puppet({ fleet, app }) {
    const cut = fleet.reinstall(app).then(
      () => 'came to its end',
      (error: Error) => error.message,
    )
    // While the release is half unpacked, which takes a second.
    const half =
      'until ls -d /opt/cinque/releases/*.new 2> /dev/null; do sleep 0.02; done; pkill -KILL -f "[p]uppet apply"'
    const bare = ['sh', '-c', '[ ! -e /opt/cinque/current ]']
    await until(async () => (await fleet.machine(app).exec(bare)).code === 0)
    await said(fleet, app, half)
    const first = await cut
    const [second] = await fleet.apply([app])
    if (app.roles.includes('db')) await fleet.joined(app)
    await fleet.serves([app])
    const [third] = await fleet.apply([app])
    return {
      what: `Puppet killed while it unpacks (${first}); run again: ${second.outcome}, serves; a third time: ${third.outcome}`,
      good: first !== 'came to its end' && second.outcome === 'changed' && third.outcome === 'unchanged',
    }
  },

  async disk({ fleet, db, far, megabytes }) {
    const full = '/var/lib/cassandra/full'
    const contact = contactOf(fleet, far)
    await fill(fleet, far, contact, { megabytes: 1 })
    const before = await rowsOf(fleet, far, db)
    // All but 8 MB: a segment of the commit log needs 32.
    await said(fleet, db, `fallocate -l $(( $(df --output=avail -B1 / | tail -1) - 8388608 )) ${full}`)
    const wrote = await fill(fleet, far, contact, {
      megabytes: Math.min(megabytes, 100),
      from: before,
      consistency: 'localQuorum',
    })
    const state = await said(
      fleet,
      db,
      'systemctl is-active cassandra; nodetool info 2>&1 | grep -E "Gossip|Native" | tr -s " " | paste -sd,',
    )
    const others = fleet.inventory.hosts.filter(({ roles, dc }) => roles.includes('app') && dc !== db.dc)
    await fleet.serves(others)
    await said(fleet, db, `rm ${full} && systemctl restart --no-block cassandra`)
    const started = performance.now()
    await fleet.joined(db)
    await fleet.serves(fleet.inventory.hosts.filter(({ roles, dc }) => roles.includes('app') && dc === db.dc))
    let has = 0
    await until(
      async () => (has = await rowsOf(fleet, far, db)) === before + wrote,
      () => `${db.name} has ${has} of ${before + wrote} rows`,
    )
    const seconds = (performance.now() - started) / 1000
    return {
      what: `disk of ${db.name} full: all other DCs serve, ${wrote} rows are acknowledged there; on it: ${state.replaceAll('\n', ', ')}. With room and a restart it is well and has all ${has} rows after ${seconds.toFixed(0)} s`,
      good: true,
    }
  },

  async loss({ fleet, db, far }) {
    const numbers = [db, far].map(
      ({ dc }) => fleet.inventory.dcs.find(({ name }) => name === dc)?.number ?? 0,
    )
    const [low, high] = numbers.toSorted((a, b) => a - b)
    const times: string[] = []
    for (const percent of [0, 5]) {
      await fleet.network.lose([low, high], percent)
      const started = performance.now()
      await fill(fleet, far, contactOf(fleet, far), { megabytes: 20 })
      times.push(`${((performance.now() - started) / 1000).toFixed(1)} s with ${percent} %`)
    }
    await fleet.network.lose([low, high], 0)
    await fleet.serves()
    return {
      what: `20 MB to all replicas: ${times.join(', ')} of the packets lost between two DCs; all serve`,
      good: true,
    }
  },

  again,
}

/** The node of its own DC. */
function contactOf(fleet: Fleet, { dc }: Host): Host {
  const found = fleet.inventory.hosts.find((host) => host.dc === dc && host.roles.includes('db'))
  if (found === undefined) throw new Error(`${dc} has no db host`)
  return found
}
