/**
 * Resolves at the first SIGTERM or SIGINT. A second one ends the process at once, in whatever state it is; that
 * loses nothing that was acknowledged.
 */
export function untilStopped(): Promise<void> {
  return new Promise((resolve) => {
    let asked = false
    const stop = (): void => {
      if (asked) process.exit(1)
      asked = true
      resolve()
    }
    process.on('SIGTERM', stop)
    process.on('SIGINT', stop)
  })
}
