import { Command } from 'commander'
import { addApi } from './commands/api.ts'
import { addBroker } from './commands/broker.ts'
import { addDc } from './commands/dc.ts'
import { addDev } from './commands/dev.ts'
import { addDevices } from './commands/devices.ts'
import { addSchema } from './commands/schema.ts'
import { addSim } from './commands/sim.ts'
import { addTail } from './commands/tail.ts'
import { addToken } from './commands/token.ts'
import { version } from './version.ts'

/** The whole command line. Wrong usage throws CommanderError after one line on stderr. */
export function createProgram(): Command {
  const program = new Command('cinque')
    .description('MQTT IoT platform: broker, telemetry store and REST API')
    .version(version, '-V, --version', 'print the version')
    .helpOption('-h, --help', 'print this')
    .helpCommand(false)
    .exitOverride()
    .configureOutput({
      outputError: (text, write) =>
        write(
          text.replace(/^error: /, 'cinque: ').replace(/\n\(Did you mean (.*)\?\)/, '; did you mean $1?'),
        ),
    })
    .showHelpAfterError('  cinque --help lists commands and options')
  for (const add of [addDev, addDc, addBroker, addApi, addSim, addTail, addDevices, addToken, addSchema])
    add(program)
  return program
}
