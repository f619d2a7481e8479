import { randomBytes } from 'node:crypto'

const run = randomBytes(4).toString('hex')
let count = 0

/** A client id or topic that no other test has used, also not on a broker that outlives this run. */
export const fresh = (prefix: string): string => {
  count += 1
  return `${prefix}${run}${count}`
}

/** For what only time can show (expiry, delays): resolves after so many milliseconds. */
export const elapse = (milliseconds: number): Promise<void> =>
  new Promise((resolve) => {
    setTimeout(resolve, milliseconds)
  })
