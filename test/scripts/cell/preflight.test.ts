import { expect } from 'chai'
import { mkdirSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, it } from 'mocha'
import { devInventory } from '#platform/inventory/dev.ts'
import type { Inventory } from '#platform/inventory/inventory.ts'
import { startCell } from '#scripts/cell/cell.ts'
import { askLauncher } from '#scripts/cell/control.ts'
import { claim } from '#scripts/cell/claim.ts'
import { bornFile, CellDirectory } from '#scripts/cell/directory.ts'
import { portsOf } from '#scripts/cell/parts.ts'
import { checkMemory, checkPorts, takeNet } from '#scripts/cell/preflight.ts'
import { CliError } from '#scripts/output.ts'
import { temporaryFolder } from '../child.ts'

async function refusal(work: () => unknown): Promise<string> {
  try {
    await work()
  } catch (error) {
    if (error instanceof CliError) return `${error.message}\n${error.remedy}`
    throw error
  }
  return ''
}

/** Each of these would otherwise end in a half-started cell, or in somebody else's data. */
describe('a cell that cannot be started says so in a line, with the remedy', () => {
  let folder: ReturnType<typeof temporaryFolder>
  beforeEach(() => (folder = temporaryFolder()))
  afterEach(() => folder.remove())

  it('port in use', async () => {
    const server = createServer().listen(1883, '127.212.3.1')
    const text = await refusal(() => checkPorts(portsOf(devInventory({ net: 212 }))))
    server.close()
    expect(text).to.match(/^127\.212\.3\.1:1883 \(dc03 broker\) is in use\n.*ss -ltnp/)
  })

  it('not enough memory', async () => {
    expect(await refusal(() => checkMemory(devInventory({ full: true }), 1_000_000))).to.match(
      /^not enough memory: 11 Cassandra nodes .* MB are free\n.*--full/,
    )
  })

  it('a directory with the data of a plain `cinque dev`', async () => {
    writeFileSync(join(folder.path, 'data.mdb'), '')
    expect(await refusal(() => startCell({ directory: folder.path }))).to.match(
      /has files, but no cell\n.*--data/,
    )
  })

  it('a directory of another layout', async () => {
    writeFileSync(join(folder.path, 'cell.yaml'), 'layout: 99\n')
    expect(await refusal(() => startCell({ directory: folder.path }))).to.match(
      /has layout 99, this version reads 1\n.*--data/,
    )
  })

  it('a directory whose inventory somebody has edited wrongly', async () => {
    const directory = new CellDirectory(folder.path)
    const inventory = devInventory({ net: 212 })
    directory.create({ ...inventory, hosts: inventory.hosts.slice(1) })
    expect(await refusal(() => startCell({ directory: folder.path }))).to.match(
      /cannot read .*cell\.yaml: .*replicas: dc01 has 0 hosts/,
    )
  })

  it('a cell that was made with another number of nodes', async () => {
    const directory = new CellDirectory(folder.path)
    directory.create(devInventory({ net: 212 }))
    directory.write([bornFile], '')
    expect(await refusal(() => startCell({ directory: folder.path, full: true }))).to.match(
      /another|other --dcs/,
    )
  })

  it('a cell whose first start did not get to its end is made as the next one asks, without deleting anything by hand', async () => {
    const directory = new CellDirectory(folder.path)
    directory.create(devInventory({ net: 212, dcs: 5, mqttPort: 1 }))
    const { inventory, guard } = await claim(directory, { directory: folder.path, dcs: 2 })
    guard.close()
    expect(inventory).to.deep.equal(devInventory({ net: 212, dcs: 2 }))
    expect(directory.read()).to.deep.equal(inventory)
  })

  it('not a cell with data that is to have checkers, or none any more', async () => {
    const directory = new CellDirectory(folder.path)
    const asMade = devInventory({ net: 212 })
    directory.create({ ...asMade, wan: [{ between: ['dc01', 'dc02'], ms: 3 }] })
    directory.write([bornFile], '')
    const start = async (checkers?: boolean): Promise<Inventory> => {
      const { inventory, guard } = await claim(directory, { directory: folder.path, checkers })
      guard.close()
      return inventory
    }
    const watched = await start(true)
    expect(watched.hosts.filter(({ roles }) => roles.includes('checker'))).to.have.length(5)
    expect([watched.dns?.zone, watched.wan]).to.deep.equal([
      'cell.test',
      [{ between: ['dc01', 'dc02'], ms: 3 }],
    ])
    expect(await start()).to.deep.equal(watched)
    expect((await start(false)).hosts).to.deep.equal(asMade.hosts)
  })

  it('a file where the directory should be', async () => {
    const file = join(folder.path, 'file')
    writeFileSync(file, '')
    expect(await refusal(() => startCell({ directory: file }))).to.match(/file is no directory\n.*--data/)
  })

  it('addresses that another cell has', async () => {
    new CellDirectory(folder.path).create(devInventory({ net: 212 }))
    const guard = await takeNet(212)
    const text = await refusal(() => startCell({ directory: folder.path }))
    guard?.close()
    expect(text).to.match(/^a cell with the addresses 127\.212\.x\.x runs already\n.*cinque dc status/)
  })

  it('a command for a cell that does not run', async () => {
    mkdirSync(join(folder.path, 'none'))
    expect(await refusal(() => askLauncher(join(folder.path, 'none'), { do: 'status' }))).to.match(
      /^no cell runs in .*\n.*cinque dev --dcs 5/,
    )
  })
})
