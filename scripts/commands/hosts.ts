import { type Command, Option } from 'commander'
import { providerOf } from '#platform/inventory/concerns.ts'
import { CliError, printJson, printLine, table } from '#scripts/output.ts'
import { defaultInventory, inventoryFrom } from './inventory.ts'

interface HostsOptions {
  inventory: string
  dc?: string
  role?: 'db' | 'app' | 'checker'
  json?: true
}

export function addHosts(program: Command): void {
  program
    .command('hosts')
    .summary('the hosts of a cell')
    .description('Lists the hosts of a cell as the inventory has them.')
    .option('--inventory <file>', 'the inventory', defaultInventory)
    .option('--dc <name>', 'only those of this DC')
    .addOption(new Option('--role <role>', 'only those with this role').choices(['db', 'app', 'checker']))
    .option('--json', 'print JSON')
    .addHelpText('after', '\nExample:\n  cinque hosts --inventory cell.yaml --dc dc01 --role app')
    .action(({ inventory: file, dc, role, json }: HostsOptions) => {
      const inventory = inventoryFrom(file)
      if (dc !== undefined && !inventory.hosts.some((host) => host.dc === dc)) {
        const names = inventory.dcs.map(({ name }) => name).join(', ')
        throw new CliError(`--dc ${dc}: there is no such DC; the DCs are ${names}`, { exitCode: 2 })
      }
      const hosts = inventory.hosts.filter(
        (host) => (dc === undefined || host.dc === dc) && (role === undefined || host.roles.includes(role)),
      )
      if (json === true) {
        printJson({ hosts: hosts.map((host) => ({ ...host, provider: providerOf(inventory, host) })) })
        return
      }
      const rows = hosts.map((host) => [
        host.name,
        host.dc,
        host.roles.join(','),
        host.address,
        host.roles.includes('app') ? String(host.brokers) : '-',
        providerOf(inventory, host) ?? '-',
        host.price === undefined ? '-' : host.price.toFixed(2),
      ])
      const head = ['HOST', 'DC', 'ROLES', 'ADDRESS', 'BROKERS', 'PROVIDER', 'EUR']
      for (const line of table(head, rows)) printLine(line)
    })
}
