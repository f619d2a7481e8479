import { type Cell, startCell } from '#scripts/cell/cell.ts'
import { temporaryFolder } from '../scripts/child.ts'

/** A cell of five DCs of its own: real Cassandra, nats-server, brokers and APIs. */
export interface FiveDcs {
  readonly cell: Cell
  /** Ends everything and removes the data. */
  end(): Promise<void>
}

/** Rejects with one line when the engines cannot be had. Cells that tests left behind end with the process that started them. */
export async function startFiveDcs(say: (line: string) => void): Promise<FiveDcs> {
  const folder = temporaryFolder()
  try {
    const sets = ['auth.anonymous=true', 'sys_interval=0']
    const cell = await startCell({ directory: folder.path, sets, say })
    return {
      cell,
      async end() {
        await cell.kill()
        folder.remove()
      },
    }
  } catch (error) {
    folder.remove()
    throw error
  }
}
