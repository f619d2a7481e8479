import { writeFileSync } from 'node:fs'
import mocha from 'mocha'

/** mocha's spec reporter, which also says at once what failed, and leaves `passed failed` in the file that scripts/test reads. */
export default class TestReporter extends mocha.reporters.Spec {
  constructor(runner, options) {
    super(runner, options)
    runner.on('fail', (_test, error) => {
      process.stdout.write(`${error?.stack ?? error}\n`)
    })
    runner.once('end', () => {
      const { passes, failures } = runner.stats
      writeFileSync(process.env.CINQUE_TEST_RESULT, `${passes} ${failures}\n`)
    })
  }
}
