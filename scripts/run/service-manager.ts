import { spawn } from 'node:child_process'
import type { Logger } from '#platform/log.ts'
import { errorLine } from '#scripts/output.ts'

/** systemd-notify(1): Node has no datagram sockets of the kind that systemd listens on. */
const program = 'systemd-notify'
/** As sd_watchdog_enabled(3) advises: twice within the time. */
const perWatchdog = 2

/**
 * Tells systemd that this process is ready, and then, where it asks for that, that it lives: a process whose event loop
 * stands still says nothing, and is killed and started again. Without systemd nothing happens.
 */
export function serviceReady(log: Logger, env: NodeJS.ProcessEnv = process.env): void {
  if (env.NOTIFY_SOCKET === undefined) return
  tell('READY=1', log, env)
  const watchdogMs = Number(env.WATCHDOG_USEC) / 1000
  if (!(watchdogMs > 0)) return
  setInterval(() => tell('WATCHDOG=1', log, env), watchdogMs / perWatchdog).unref()
}

function tell(word: string, log: Logger, env: NodeJS.ProcessEnv): void {
  const child = spawn(program, [word], { stdio: 'ignore', env })
  const failed = (why: string): void =>
    log.warn({ event: 'service.notify_failed', word, detail: why }, 'systemd could not be told')
  child.once('error', (error) => failed(errorLine(error)))
  child.once('exit', (code) => {
    if (code !== 0) failed(`${program} ended with ${code}`)
  })
  child.unref()
}
