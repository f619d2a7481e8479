import type { Command } from 'commander'
import { addApi } from './commands/api.ts'
import { addBackup } from './commands/backup.ts'
import { addBroker } from './commands/broker.ts'
import { addCost } from './commands/cost.ts'
import { addDc } from './commands/dc.ts'
import { addDns } from './commands/dns.ts'
import { addDev } from './commands/dev.ts'
import { devices } from './commands/devices.ts'
import { addHealthcheck } from './commands/healthcheck.ts'
import { addFleet } from './commands/fleet.ts'
import { addHosts } from './commands/hosts.ts'
import { addInventory } from './commands/inventory.ts'
import { addLogs } from './commands/logs.ts'
import { addTop } from './commands/top.ts'
import { addDiagnose } from './commands/diagnose.ts'
import { addSsh } from './commands/ssh.ts'
import { addStatus } from './commands/status.ts'
import { addRelease } from './commands/release.ts'
import { addRun } from './commands/run.ts'
import { addOperator } from './commands/operator.ts'
import { addRestore } from './commands/restore.ts'
import { addCassandra } from './commands/cassandra.ts'
import { addSchema } from './commands/schema.ts'
import { addSim } from './commands/sim.ts'
import { addTail } from './commands/tail.ts'
import { addToken } from './commands/token.ts'
import { audit } from './commands/audit.ts'
import { batches } from './commands/batches.ts'
import { clients } from './commands/clients.ts'
import { commands } from './commands/commands.ts'
import { credentials } from './commands/credentials.ts'
import { groups } from './commands/groups.ts'
import { imports } from './commands/imports.ts'
import { keys } from './commands/keys.ts'
import { live } from './commands/live.ts'
import { maintenance } from './commands/maintenance.ts'
import { silence } from './commands/silence.ts'
import { me } from './commands/me.ts'
import { addNodeVerbs } from './commands/node.ts'
import { nodes } from './commands/nodes.ts'
import { organisations } from './commands/organisations.ts'
import { presence } from './commands/presence.ts'
import { provisioning } from './commands/provisioning.ts'
import { retention } from './commands/retention.ts'
import { roll } from './commands/roll.ts'
import { schedules } from './commands/schedules.ts'
import { sessions } from './commands/sessions.ts'
import { tasks } from './commands/tasks.ts'
import { telemetry } from './commands/telemetry.ts'
import { twins } from './commands/twins.ts'
import { usage } from './commands/usage.ts'
import { users } from './commands/users.ts'
import { addNoun, type Noun } from './rest/verb.ts'
import { addContext } from './commands/context.ts'
import { addCompletion } from './commands/completion.ts'
import { addLogin } from './commands/login.ts'
import { certificates } from './commands/certificates.ts'
import { authorities } from './commands/authorities.ts'
import { administrators } from './commands/administrators.ts'
import { emptyProgram } from './empty-program.ts'

/** What the REST API has, in the order of the help. */
export const nouns: readonly Noun[] = [
  devices,
  groups,
  credentials,
  nodes,
  imports,
  tasks,
  provisioning,
  authorities,
  certificates,
  telemetry,
  retention,
  commands,
  batches,
  twins,
  presence,
  clients,
  live,
  organisations,
  users,
  me,
  sessions,
  keys,
  administrators,
  roll,
  schedules,
  maintenance,
  silence,
  usage,
  audit,
]

/** The whole command line. Wrong usage throws CommanderError after one line on stderr. */
export function createProgram(): Command {
  const program = emptyProgram()
  program.commandsGroup('Run it:')
  for (const add of [addDev, addDc, addBroker, addApi, addHealthcheck, addOperator, addSchema, addCassandra])
    add(program)
  program.commandsGroup('Plan it:')
  for (const add of [addInventory, addHosts, addCost, addDns, addFleet, addRelease]) add(program)
  program.commandsGroup('Look after it:')
  for (const add of [addStatus, addTop, addRun, addLogs, addDiagnose, addNodeVerbs, addSsh]) add(program)
  program.commandsGroup('Back it up:')
  for (const add of [addBackup, addRestore]) add(program)
  program.commandsGroup('Try it:')
  for (const add of [addSim, addTail, addToken]) add(program)
  program.commandsGroup('Use it:')
  for (const noun of nouns) addNoun(program, noun)
  program.commandsGroup('This command line:')
  for (const add of [addLogin, addContext, addCompletion]) add(program)
  return program
}
