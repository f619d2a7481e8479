import type { Context } from 'mocha'

/** Limits of tests only end what hangs: they are made for a machine that shares its cores with nobody. Hooks have their own. */
const PATIENCE = 3

export const mochaHooks = {
  beforeEach(this: Context): void {
    const test = this.currentTest
    test?.timeout(test.timeout() * PATIENCE)
  },
}
