import type { Command } from 'commander'

interface SchemaOptions {
  inventory: string
  dc?: string
  keyspace: string
  alone?: boolean
  username?: string
  passwordFile?: string
  ca?: string
  cert?: string
  key?: string
  json?: true
}

export function addSchema(program: Command): void {
  const schema = program.command('schema').description("the tables of a cell's Cassandra")
  withAccess(schema, 'apply')
    .summary('make the keyspace of a cell, or bring it up to date')
    .description(
      'Makes the keyspace of a cell, or brings it up to date: applies what is missing, finishes what was cut off, and waits\n' +
        'until all nodes agree. All nodes must be up. Run again it changes nothing.',
    )
    .option('--keyspace <name>', 'its name', 'cinque')
    .option(
      '--alone',
      'replicas in --dc only, while no other DC has a node: quicker by far; then `schema spread`',
    )
    .action(async ({ json = false, ...options }: Omit<SchemaOptions, 'json'> & { json?: boolean }) => {
      const { applySchema } = await import('#scripts/run/schema.ts')
      await applySchema({ ...options, json })
    })
  withAccess(schema, 'spread')
    .summary('give all DCs their replicas of a schema that was made with --alone')
    .description(
      'Gives all DCs of the inventory their replicas of a keyspace that was made with `schema apply --alone` and has no rows yet.\n' +
        'All nodes must be up. Run again it changes nothing.',
    )
    .option('--keyspace <name>', 'its name', 'cinque')
    .action(async ({ json = false, ...options }: Omit<SchemaOptions, 'json'> & { json?: boolean }) => {
      const { spreadSchema } = await import('#scripts/run/schema.ts')
      await spreadSchema({ ...options, json })
    })
  withAccess(schema, 'secure')
    .summary('give a new cluster its user, and take away the one that everybody knows')
    .description(
      'Gives a new Cassandra cluster the user of --username with the password of --password-file, and takes away the one that\n' +
        'every new cluster has (cassandra). All nodes must be up. Run again it changes nothing.',
    )
    .action(async ({ json = false, ...options }: Omit<SchemaOptions, 'json'> & { json?: boolean }) => {
      const { secureCluster } = await import('#scripts/run/schema.ts')
      await secureCluster({ ...options, json })
    })
}

function withAccess(schema: Command, verb: string): Command {
  return schema
    .command(verb)
    .requiredOption('--inventory <file>', 'which DCs there are, and how many replicas each has')
    .option('--dc <name>', 'DC whose nodes are asked (default: the first one)')
    .option('--username <name>', 'user of Cassandra')
    .option('--password-file <file>', "file with that user's password")
    .option('--ca <file>', 'PEM file of the authority that the nodes are checked against; turns TLS on')
    .option('--cert <file>', 'PEM file of our own certificate, where the nodes want one')
    .option('--key <file>', 'PEM file of its private key')
    .option('--json', 'print JSON')
}
