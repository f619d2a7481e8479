/**
 * Does the work for each of many, in their order, `most` at a time. After a failure none is begun any more; rejects with the
 * first one when those under way are done.
 */
export async function someAtATime<T>(
  many: readonly T[],
  most: number,
  work: (one: T) => Promise<void>,
): Promise<void> {
  const left = [...many]
  const failures: unknown[] = []
  const worker = async (): Promise<void> => {
    for (let one = left.shift(); one !== undefined && failures.length === 0; one = left.shift()) {
      try {
        // oxlint-disable-next-line no-await-in-loop -- a bounded number of workers
        await work(one)
      } catch (error) {
        failures.push(error)
      }
    }
  }
  await Promise.all(Array.from({ length: most }, worker))
  if (failures.length > 0) throw failures[0]
}
