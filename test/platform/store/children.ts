import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'

/** Writes numbered rows to the store in a directory until it is killed, and prints each number that is acknowledged. */
export const writerScript = fileURLToPath(new URL('writer-child.ts', import.meta.url))
/** Opens the store in a directory, writes a row and ends without closing. */
export const holdScript = fileURLToPath(new URL('forgetful-child.ts', import.meta.url))

/** A process that writes to a store. */
export class Writer {
  /** Greatest number acknowledged so far. */
  acknowledged = -1
  readonly #child: ChildProcess
  #partial = ''
  #waiting: { for: number; reached: () => void; failed: (error: Error) => void } | null = null

  constructor(directory: string) {
    this.#child = spawn(process.execPath, [writerScript, directory], { stdio: ['ignore', 'pipe', 'inherit'] })
    this.#child.stdout?.setEncoding('utf8').on('data', (text: string) => this.#read(text))
    this.#child.once('exit', (code) => this.#waiting?.failed(new Error(`the writer ended with ${code}`)))
  }

  /** Resolves when `number` is acknowledged. */
  reached(number: number): Promise<void> {
    if (this.acknowledged >= number) return Promise.resolve()
    return new Promise((reached, failed) => {
      this.#waiting = { for: number, reached, failed }
    })
  }

  /** kill -9; resolves when the process is gone and all that it had printed is read. */
  async kill(): Promise<void> {
    this.#waiting = null
    const closed = once(this.#child, 'close')
    this.#child.kill('SIGKILL')
    await closed
  }

  #read(text: string): void {
    const lines = (this.#partial + text).split('\n')
    this.#partial = lines.pop() ?? ''
    for (const line of lines) this.acknowledged = Math.max(this.acknowledged, Number(line))
    if (this.#waiting !== null && this.acknowledged >= this.#waiting.for) this.#waiting.reached()
  }
}

/** A writer that has written. */
export async function startWriter(directory: string): Promise<Writer> {
  const writer = new Writer(directory)
  await writer.reached(0)
  return writer
}
