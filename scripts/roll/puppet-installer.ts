import { existsSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parse, stringify } from 'yaml'
import { z } from 'zod'
import type { Host, Inventory } from '#platform/inventory/inventory.ts'
import { apply, packTree } from '#scripts/fleet/apply.ts'
import type { FleetDirectory } from '#scripts/fleet/directory.ts'
import { isOperator } from '#scripts/fleet/operators.ts'
import type { Remote, RemoteOptions } from '#scripts/remote/remote.ts'
import { quote } from '#scripts/remote/shell.ts'
import { together } from '#scripts/remote/together.ts'
import { hashOf } from './releases.ts'
import type { Installer } from './ssh-hands.ts'

/** Hiera's highest level: what is so for this host and its disk alone. */
const ownFile = '/etc/cinque/hiera/host.yaml'
/** Where tar files of releases are on a host, and those that a schedule may bring to all. */
const artifacts = '/var/cache/cinque/artifacts'
export const upgrades = '/var/cache/cinque/upgrades'
const bootstrapMs = 600_000
/** 100 MB over 2 Mbit/s. */
const uploadMs = 600_000

/** Hosts that get their packet filter at a time. */
const admitAt = 4
/** What Puppet says of a service with `--noop`. */
const wouldRestart = /Service\[([\w-]+)\].*Would have triggered 'refresh'/

const ownSchema = z.record(z.string(), z.unknown()).nullable()

/**
 * Hosts by Puppet, from a directory with `secrets/HOST`, `local.yaml` (Hiera's values for all hosts) and
 * `artifacts/cinque-RELEASE.tar`; an operator on a host of the cell finds that where the host has its own. Nothing is written
 * there: an operator may only read it.
 */
export function puppetInstaller(inventory: Inventory, directory: FleetDirectory): Installer {
  const must = async (
    remote: Remote,
    host: Host,
    command: string,
    options: RemoteOptions = {},
  ): Promise<string> => {
    const { code, stdout, stderr, failure } = await remote.run(host, command, options)
    if (code === 0) return stdout
    throw new Error(failure ?? `${host.name}: ${stderr.trim().split('\n').at(-1) || `ended with ${code}`}`)
  }
  /** Sets values of the host's own, and leaves the others. */
  const setOwn = async (remote: Remote, host: Host, values: Record<string, unknown>): Promise<void> => {
    const before = ownSchema.parse(parse(await must(remote, host, `cat ${ownFile} 2>/dev/null || true`)))
    const text = stringify({ ...before, ...values })
    const into = `mkdir -p /etc/cinque/hiera && cat > ${ownFile}.new && mv ${ownFile}.new ${ownFile}`
    await must(remote, host, into, { input: text })
  }
  /** Does something with the tree for all hosts, as it is now. */
  const packed = async (
    local: Record<string, unknown>,
    act: (file: string) => Promise<unknown>,
  ): Promise<void> => {
    const work = mkdtempSync(join(tmpdir(), 'cinque-puppet-'))
    try {
      await act(await packTree({ inventory, local }, work))
    } finally {
      rmSync(work, { recursive: true, force: true })
    }
  }
  return {
    obstacle({ name }) {
      const secrets = join(directory.path, 'secrets', name)
      if (!existsSync(secrets)) return `its secrets are not in ${secrets}`
      const own = join(secrets, 'operator')
      if (!isOperator(directory, name) || existsSync(own)) return null
      return `an operator runs on it, and what that needs is not in ${own}: reinstall it from where all secrets are`
    },
    async deliver(host, remote, release) {
      const [file, unpacked] = [`${artifacts}/cinque-${release}.tar`, `/opt/cinque/releases/${release}`].map(
        quote,
      )
      const found = await must(remote, host, `if [ -f ${file} ] || [ -d ${unpacked} ]; then echo there; fi`)
      if (found.trim() === '') await upload(host, remote, release)
      await setOwn(remote, host, { 'profile::cinque::release': release })
    },
    replaces: (host, remote) => setOwn(remote, host, { 'profile::cassandra::replace': true }),
    async admit(hosts, remote) {
      const local = directory.local()
      const own = { inventory, fleet: directory, remote, local, only: 'profile::firewall' }
      await packed(local, (file) => together(hosts, admitAt, (host) => apply(host, file, own)))
    },
    async restarts(host, remote) {
      const local = directory.local()
      const due = new Set<string>()
      const onLine = (line: string): void => {
        const unit = wouldRestart.exec(line)?.[1]
        if (unit !== undefined) due.add(unit)
      }
      const own = { inventory, fleet: directory, remote, local, dryRun: true, onLine }
      await packed(local, (file) => apply(host, file, own))
      return [...due]
    },
    async install(host, remote) {
      await must(
        remote,
        host,
        `command -v puppet >/dev/null && [ -d /usr/share/puppet/modules/stdlib ] || {
  export DEBIAN_FRONTEND=noninteractive
  apt-get -qq update && apt-get -qq install --no-install-recommends puppet-agent puppet-module-puppetlabs-stdlib
} >&2`,
        { timeoutMs: bootstrapMs },
      )
      const local = directory.local()
      await packed(local, (file) => apply(host, file, { inventory, fleet: directory, remote, local }))
    },
  }

  /** A tar file of a release, whole or not at all. */
  async function upload(host: Host, remote: Remote, release: string): Promise<void> {
    const name = `cinque-${release}.tar`
    const own = ['artifacts', 'upgrades'].map((folder) => join(directory.path, folder))
    const here = [...own, artifacts, upgrades].map((folder) => join(folder, name))
    const file = here.find((one) => existsSync(one))
    if (file === undefined) {
      throw new Error(
        `${host.name} does not have release ${release}, and there is no ${here[0]}; make it: cinque release pack`,
      )
    }
    const digest = await hashOf({ release, file })
    const [to, part] = [`${artifacts}/${name}`, `${artifacts}/.${name}`].map(quote)
    const check = `echo ${quote(digest)}"  "${part} | sha256sum --check --status`
    const steps = [`mkdir -p ${artifacts}`, `cat > ${part}`, check, `mv ${part} ${to}`]
    await must(remote, host, steps.join(' && '), { input: { file }, timeoutMs: uploadMs })
  }
}
