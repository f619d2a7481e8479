import type { Command } from 'commander'
import type { FiguresOptions } from '#scripts/run/figures.ts'

export function addCassandra(program: Command): void {
  program
    .command('cassandra')
    .description('nodes of Cassandra')
    .command('figures')
    .summary('what a node says of itself, for Prometheus')
    .description(
      'Prints what one Cassandra node says of itself in the text format of Prometheus: what waits, compactions, latencies and\n' +
        'sizes of tables, hints, caches. With --out the file is replaced as a whole.',
    )
    .addHelpText(
      'after',
      '\nExample:\n  cinque cassandra figures --address 10.4.0.11 --dc dcb1 --out /var/lib/prometheus/node-exporter/cassandra.prom',
    )
    .requiredOption('--address <address>', 'of the node')
    .requiredOption('--dc <name>', 'its datacenter, as Cassandra knows it')
    .option('--keyspace <name>', 'whose tables are looked at', 'cinque')
    .option('--username <name>', 'user of Cassandra')
    .option('--password-file <file>', "file with that user's password")
    .option('--ca <file>', 'PEM file of the authority that the node is checked against; turns TLS on')
    .option('--cert <file>', 'PEM file of our own certificate, where the node wants one')
    .option('--key <file>', 'PEM file of its private key')
    .option('--out <file>', 'where to (default: printed)')
    .action(async (options: FiguresOptions) => {
      const { showFigures } = await import('#scripts/run/figures.ts')
      await showFigures(options)
    })
}
