/** Does the same for many, `at` of them at a time, in their order. Rejects with what rejects first. */
export async function together<T, R>(
  all: readonly T[],
  at: number,
  work: (one: T) => Promise<R>,
): Promise<R[]> {
  const results: R[] = []
  const left = all.entries()
  const worker = async (): Promise<void> => {
    for (const [i, one] of left) {
      // oxlint-disable-next-line no-await-in-loop -- a worker does one after the other
      results[i] = await work(one)
    }
  }
  await Promise.all(Array.from({ length: Math.min(at, all.length) }, worker))
  return results
}
