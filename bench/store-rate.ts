import path from 'node:path'
import { z } from 'zod'
import { run, type Pin } from './process.ts'

const printed = z.object({
  results: z.array(z.object({ kind: z.string(), store: z.array(z.number()), raw: z.array(z.number()) })),
})

/** Durable rows a second, by bench/store.ts. */
export interface StoreRate {
  /** lmdb-js putting the bytes of inbox rows. */
  readonly raw: number
  /** cinque's store, encoding included. */
  readonly store: number
}

/** One round of bench/store.ts on the broker's core. Rejects when it could not run. */
export async function measureStore(pin: Pin, directory: string | undefined): Promise<StoreRate> {
  const script = path.join(import.meta.dirname, 'store.ts')
  const where = directory === undefined ? [] : ['--directory', directory]
  const [command, args] = pin(process.execPath, [script, '--json', '--rounds', '1', ...where])
  const { code, stdout, stderr } = await run(command, args)
  if (code !== 0) throw new Error(stderr.trim() || `bench/store.ts ended with ${code ?? 'an error'}`)
  const inbox = printed.parse(JSON.parse(stdout)).results.find((result) => result.kind === 'inbox')
  return { raw: inbox?.raw[0] ?? NaN, store: inbox?.store[0] ?? NaN }
}
