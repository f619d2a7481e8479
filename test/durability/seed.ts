import { randomInt } from 'node:crypto'

/** The seed of this run: `CINQUE_SEED`, or a fresh one. Failures print it. */
export const seed = Number(process.env['CINQUE_SEED'] ?? randomInt(2 ** 31))

/** Resolves after so many milliseconds: how long a broker lives is chance, not a wait for something. */
export function lifetime(milliseconds: number): Promise<void> {
  return new Promise((resolve) => {
    setTimeout(resolve, milliseconds)
  })
}
