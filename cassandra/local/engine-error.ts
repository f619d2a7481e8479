/** An engine that cannot be had or started: one line that says what is wrong and what to do. */
export class EngineError extends Error {
  constructor(message: string, options?: ErrorOptions) {
    super(message, options)
    this.name = 'EngineError'
  }
}
