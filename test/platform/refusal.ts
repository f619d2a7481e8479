import { PlatformError } from '#platform/errors.ts'

/** Code and words of what a service refuses; `not refused` if it does not. */
export async function refusal(promise: Promise<unknown>): Promise<string> {
  try {
    await promise
  } catch (error) {
    if (error instanceof PlatformError) return `${error.code}: ${error.message}`
    throw error
  }
  return 'not refused'
}
