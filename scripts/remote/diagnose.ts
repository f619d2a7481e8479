import {
  closeSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  renameSync,
  rmSync,
  writeFileSync,
  writeSync,
} from 'node:fs'
import { randomBytes } from 'node:crypto'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { stringify } from 'yaml'
import type { Host } from '#platform/inventory/inventory.ts'
import { must } from '#scripts/child-process.ts'
import { version } from '#scripts/version.ts'
import type { CellLook } from './cell-look.ts'
import { diagnoseScript } from './diagnose-script.ts'
import { redactor } from './redact.ts'
import type { Remote } from './remote.ts'
import { statusDocument } from './status-document.ts'
import { together } from './together.ts'
import { verdictOf } from './verdict.ts'

export interface Diagnosed {
  readonly host: string
  readonly bytes: number
  /** Why not all of it is there. */
  readonly failure: string | null
}

/** Hosts at a time. */
const at = 4
const hostMs = 180_000

interface DiagnoseOptions {
  readonly cell: CellLook
  /** As journalctl takes it. */
  readonly since: string
  /** Made for it; `.tar.gz`. */
  readonly file: string
  readonly signal: AbortSignal
}

/**
 * Writes a bundle for whoever is to find out what is wrong: what each host says of itself, its journals, its
 * configuration. Secrets are taken out twice: their values on the host itself, what looks like one here. Never rejects
 * for a host.
 */
export async function diagnose(remote: Remote, options: DiagnoseOptions): Promise<Diagnosed[]> {
  const { cell, since, file, signal } = options
  const work = mkdtempSync(join(tmpdir(), 'cinque-diagnose-'))
  const name = `diagnose-${cell.inventory.cell}`
  const directory = join(work, name)
  try {
    mkdirSync(directory)
    const texts = {
      'about.txt': about(since),
      'inventory.yaml': stringify(cell.inventory),
      'status.json': JSON.stringify(statusDocument(cell, verdictOf(cell)), null, 2),
    }
    for (const [file_, text] of Object.entries(texts)) writeFileSync(join(directory, file_), redacted(text))
    const done = await together(cell.hosts, at, async (host) =>
      diagnoseHost(remote, host, { ...options, directory: join(directory, host.name) }),
    )
    signal.throwIfAborted()
    const failures = done
      .filter(({ failure }) => failure !== null)
      .map(({ host, failure }) => `${host}: ${failure}\n`)
    if (failures.length > 0) writeFileSync(join(directory, 'missing.txt'), failures.join(''))
    // Whole or not at all, and for nobody else's eyes.
    rmSync(`${file}.new`, { force: true })
    closeSync(openSync(`${file}.new`, 'wx', 0o600))
    await must('tar', ['-C', work, '-czf', `${file}.new`, name])
    renameSync(`${file}.new`, file)
    return done
  } finally {
    rmSync(work, { recursive: true, force: true })
    rmSync(`${file}.new`, { force: true })
  }
}

async function diagnoseHost(
  remote: Remote,
  host: Host,
  { cell, since, signal, directory }: DiagnoseOptions & { directory: string },
): Promise<Diagnosed> {
  mkdirSync(directory)
  // Nothing that a host logs begins a file.
  const mark = `@@${randomBytes(8).toString('hex')}`
  let [bytes, handle, redact] = [0, null as number | null, redactor()]
  const close = (): void => {
    if (handle !== null) closeSync(handle)
  }
  try {
    const script = diagnoseScript(cell.inventory, host, { mark, since })
    const { code, stderr, failure } = await remote.run(host, script, {
      timeoutMs: hostMs,
      signal,
      onLine: (line, from) => {
        if (from === 'stderr') return
        if (line.startsWith(`${mark} `)) {
          close()
          handle = openSync(join(directory, `${line.slice(mark.length + 1)}.txt`), 'wx', 0o600)
          redact = redactor()
        } else if (handle !== null) bytes += writeSync(handle, `${redact(line)}\n`)
      },
    })
    const why =
      code === 0 ? null : `${redactor()(stderr.trim().split('\n').at(-1) ?? '')} (sh ended with ${code})`
    return { host: host.name, bytes, failure: failure?.replace(`${host.name}: `, '') ?? why }
  } finally {
    close()
  }
}

function redacted(text: string): string {
  const redact = redactor()
  return text
    .split('\n')
    .map((line) => redact(line))
    .join('\n')
}

function about(since: string): string {
  return `Made by cinque ${version} at ${new Date().toISOString()}; journals since ${since}.

status.json     what \`cinque status\` said
inventory.yaml  hosts, addresses, ports
HOST/*.txt      what the host says of itself, its configuration, journals
missing.txt     hosts of which not all is there

[secret]: the value of a secret of the host, taken out there. [hidden]: what looked like one.
Names of devices and clients and addresses may be in journals: give it to nobody who may not see these.
`
}
