import type { Context } from 'mocha'

/** Mocha's limits only end what hangs. They are made for a machine of its own; one that shares its cores takes longer. */
const PATIENCE = 3

export const mochaHooks = {
  beforeEach(this: Context): void {
    const test = this.currentTest
    test?.timeout(test.timeout() * PATIENCE)
  },
}
