import type { Remote } from '#scripts/remote/remote.ts'
import { quote } from '#scripts/remote/shell.ts'

/** Exit codes of `fenced`, none of which a shell or systemctl uses. */
export const refusedCode = 86
export const busyCode = 87

/** Where a host keeps what it knows of runners. */
export const fenceDirectory = '/var/lib/cinque-roll'
/** Longer than anything that is done in one command but a repair. */
const waitSeconds = 600

interface FenceOptions {
  /** Seconds for which a command of another runner is waited for. */
  readonly wait?: number
  readonly directory?: string
}

/**
 * A shell command as a host runs it for the runner with `token`: never together with another one of these, and not at all
 * where a higher token has been seen. It holds its lock until it has really ended, also when its connection breaks, and
 * whoever comes next waits for that. Standard input is the command's.
 */
export function fenced(
  token: number,
  command: string,
  { wait = waitSeconds, directory = fenceDirectory }: FenceOptions = {},
): string {
  const at = quote(directory)
  return [
    `mkdir -p ${at} && cd ${at} && exec 9>>lock || exit 1`,
    `flock --timeout ${wait} 9 || { echo 'a command of another runner is still at work' >&2; exit ${busyCode}; }`,
    'seen=$(cat token 2>/dev/null)',
    // Without a number in it the file is no word of anybody.
    "case $seen in ''|*[!0-9]*) seen=0;; esac",
    `if [ "$seen" -gt ${token} ]; then echo "a runner with a newer token ($seen) has been here; this one has ${token}" >&2; exit ${refusedCode}; fi`,
    // A token is on disk before anything is done under it.
    `[ "$seen" -eq ${token} ] || { echo ${token} >token.new && sync token.new && mv token.new token; } || exit 1`,
    // A signal ends the command first, and this shell after it. What runs on in the background holds no lock.
    'trap : TERM INT HUP',
    `cd / && /bin/sh -c ${quote(command)} 9>&-`,
  ].join('\n')
}

/**
 * The same hosts, on which everything is done under a token, one command after the other. What a host refuses is told as
 * `failure`.
 */
export function fencedRemote(remote: Remote, token: number, options?: FenceOptions): Remote {
  return {
    ...remote,
    async run(host, command, how) {
      const finished = await remote.run(host, fenced(token, command, options), how)
      if (finished.code !== refusedCode && finished.code !== busyCode) return finished
      return {
        ...finished,
        failure: `${host.name}: ${finished.stderr.trim().split('\n').at(-1) ?? 'refused'}`,
      }
    },
  }
}
