import { createHash, createHmac, pbkdf2, randomBytes } from 'node:crypto'
import { promisify } from 'node:util'
import type { ScramVerifier } from './principal.ts'

const derive = promisify(pbkdf2)

/** RFC 7677, section 4: at least 4096. */
const scramIterations = 4096

/**
 * What a server keeps of a password for SCRAM-SHA-256 (RFC 5802, section 3; RFC 7677): the password can't be had
 * from it, and neither can a client's proof. About 2 ms, off the event loop. RangeError: a password SCRAM can't carry.
 */
export async function scramVerifier(
  password: string,
  options: { salt?: Uint8Array; iterations?: number } = {},
): Promise<ScramVerifier> {
  const salt = options.salt ?? randomBytes(16)
  const iterations = options.iterations ?? scramIterations
  const salted = await derive(prepared(password), salt, iterations, 32, 'sha256')
  const clientKey = createHmac('sha256', salted).update('Client Key').digest()
  return {
    salt,
    iterations,
    storedKey: createHash('sha256').update(clientKey).digest(),
    serverKey: createHmac('sha256', salted).update('Server Key').digest(),
  }
}

/** The mappings of SASLprep (RFC 4013, 2.1 to 2.3) that change or refuse texts that people type. */
function prepared(text: string): string {
  const mapped = text
    .replace(/[\u00a0\u1680\u2000-\u200b\u202f\u205f\u3000]/g, ' ')
    .replace(/\p{Default_Ignorable_Code_Point}/gu, '')
    .normalize('NFKC')
  if (/[\p{Cc}\p{Co}\p{Cs}\ufffd]/u.test(mapped)) {
    throw new RangeError(
      'password: control and private-use characters are not allowed in SCRAM (RFC 4013, 2.3)',
    )
  }
  return mapped
}
