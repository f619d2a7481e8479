import type { Store } from '../store/store.ts'
import { type Command, commandOf, joined } from './command.ts'
import { type Facts, noFacts } from './facts.ts'
import { command, commandFact } from './tables.ts'

/** Records that one command may have: of processes that had to do with it. */
const maxRecords = 64

/** What is stored of a command. Rejects with StoreError. */
export async function readCommand(
  store: Store,
  org: string,
  id: string,
): Promise<{ request: Command | undefined; facts: Facts }> {
  const [row, records] = await Promise.all([
    store.get(command, { org, id }),
    store.range(commandFact, { org, id }, { limit: maxRecords }),
  ])
  if (row === undefined) return { request: undefined, facts: noFacts }
  const request = commandOf(row)
  return { request, facts: joined(records, request) }
}
