/** What keeps a backup or a restore from being done: one line that says what is wrong and what to do. */
export class BackupError extends Error {
  /**
   * `missing`: no repository, backup or table of that name; `key`: another key; `corrupt`: an object is missing, cut off
   * or altered; `busy`: another works in the repository; `version`: of a newer program or schema; `target`: where it
   * should be restored to will not do; `failed`: the rest.
   */
  readonly code: 'missing' | 'key' | 'corrupt' | 'busy' | 'version' | 'target' | 'failed'

  constructor(code: BackupError['code'], message: string, options?: ErrorOptions) {
    super(message, options)
    this.name = 'BackupError'
    this.code = code
  }
}
