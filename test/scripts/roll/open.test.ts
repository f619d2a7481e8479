import { mkdirSync, writeFileSync } from 'node:fs'
import { expect } from 'chai'
import { stringify } from 'yaml'
import { devInventory } from '#platform/inventory/dev.ts'
import { CliError } from '#scripts/output.ts'
import { openFleet } from '#scripts/roll/open.ts'
import { temporaryFolder } from '../child.ts'

describe('hosts of a roll for which nobody says whose they are', () => {
  let folder: ReturnType<typeof temporaryFolder>
  let before: string
  let env: NodeJS.ProcessEnv

  beforeEach(() => {
    folder = temporaryFolder()
    before = process.cwd()
    env = { ...process.env }
    process.chdir(folder.path)
    process.env['CINQUE_URL'] = 'http://127.0.0.1:1'
    process.env['CINQUE_TOKEN'] = 'token'
  })

  afterEach(() => {
    process.chdir(before)
    process.env = env
    folder.remove()
  })

  it('are those of the inventory that is here', async () => {
    writeFileSync('ssh_config', '')
    writeFileSync('cell.yaml', stringify(devInventory({ dcs: 2 })))
    const { inventory } = await openFleet({})
    expect(inventory.hosts.map(({ name }) => name)).to.deep.equal(['dc01-n1', 'dc02-n1'])
  })

  it('are not guessed where a cell of this machine is here as well', async () => {
    writeFileSync('cell.yaml', stringify(devInventory({ dcs: 2 })))
    mkdirSync('cinque-cell')
    const refused = await openFleet({}).catch((error: unknown) => error)
    expect(refused).to.be.instanceOf(CliError)
    expect(String((refused as CliError).remedy)).to.match(/--inventory cell.yaml, or --cell/)
  })

  it('are those of a cell of this machine where there is no inventory', async () => {
    const refused = await openFleet({}).catch((error: unknown) => error)
    expect(String(refused)).to.match(/no cell runs in .*cinque-cell/)
  })
})
