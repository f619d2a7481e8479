import { readFileSync } from 'node:fs'
import { must } from '#scripts/child-process.ts'
import { CliError, errorLine } from '#scripts/output.ts'

/** Clocks may differ by so much. */
const early = '5m'
const duration = /^(\d{1,4})([mhdw])$/
const seconds = { m: 60, h: 3600, d: 86_400, w: 604_800 } as const
/** Nobody renews what is good for years. */
const maxSeconds = 53 * seconds.w

interface SignOptions {
  /** Private key of the authority, or its public one while the private one is in ssh's agent. */
  readonly authority: string
  /** Who it is, for the logs of hosts. */
  readonly id: string
  /** Accounts or host names that it is good for. */
  readonly principals: readonly string[]
  readonly kind: 'person' | 'host'
  /** `12h`, `7d`; undefined: without an end. */
  readonly validFor?: string | undefined
}

export interface Signed {
  /** The file of the certificate: `KEY-cert.pub`. */
  readonly certificate: string
  readonly serial: number
}

/** Signs a public key; CliError: it or the authority cannot be read, or a value will not do. */
export async function sign(publicKey: string, options: SignOptions): Promise<Signed> {
  const { authority, id, principals, kind, validFor } = options
  if (!publicKey.endsWith('.pub')) {
    throw new CliError(`${publicKey}: a public key ends in .pub; the private one stays with its owner`, {
      exitCode: 2,
    })
  }
  for (const file of [publicKey, authority]) readable(file)
  for (const one of principals) {
    if (!/^[a-z_][\w.-]{0,63}$/i.test(one)) {
      throw new CliError(`"${one}" cannot be the name of an account or host`, { exitCode: 2 })
    }
  }
  // By it a single certificate can be revoked.
  const serial = Date.now()
  const args = ['-q', '-s', authority, '-I', id, '-n', principals.join(','), '-z', String(serial)]
  if (authority.endsWith('.pub')) args.push('-U')
  if (kind === 'host') args.push('-h')
  if (validFor !== undefined) args.push('-V', `-${early}:+${checked(validFor)}`)
  try {
    await must('ssh-keygen', [...args, publicKey])
  } catch (error) {
    throw new CliError(`cannot sign ${publicKey}: ${errorLine(error).replace(/^.*?: /, '')}`, {
      cause: error,
    })
  }
  return { certificate: publicKey.replace(/\.pub$/, '-cert.pub'), serial }
}

function checked(text: string): string {
  const [, count, unit] = duration.exec(text) ?? []
  const length = Number(count) * seconds[unit as keyof typeof seconds]
  if (length > 0 && length <= maxSeconds) return text
  throw new CliError(`--for ${text}: expected a time like 12h or 7d, a year at most`, { exitCode: 2 })
}

function readable(file: string): void {
  try {
    readFileSync(file)
  } catch (error) {
    throw new CliError(`cannot read ${file}: ${errorLine(error)}`, { exitCode: 2, cause: error })
  }
}
