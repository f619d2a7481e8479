import { Command } from 'commander'
import { version } from './version.ts'

/** The command line without any command. */
export function emptyProgram(): Command {
  return new Command('cinque')
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
}
