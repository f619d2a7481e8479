/** One word for a POSIX shell, whatever is in it. */
export function quote(text: string): string {
  return `'${text.replaceAll("'", String.raw`'\''`)}'`
}

/**
 * Runs a command in a process group of its own with a limit of time, and ends it when standard input ends: so when
 * whoever asked for it is gone.
 */
const watched = (command: string, seconds: number): string => `
exec 3<&0
timeout --kill-after=10 ${seconds} sh -c ${quote(command)} </dev/null 3<&- &
work=$!
{ cat <&3; kill $work; } >/dev/null 2>&1 &
watch=$!
exec 3<&-
wait $work
code=$?
kill $watch 2>/dev/null
`

const bounded = (command: string, seconds: number): string => `
timeout --kill-after=10 ${seconds} sh -c ${quote(command)}
code=$?
`

/**
 * What sshd is told to run: the command by sh as root, which others than root become by sudo. ssh means itself by 255,
 * so a command's own is told as 254. `input`: it reads its standard input; else it ends with the connection.
 */
export function remoteCommand(command: string, seconds: number, input: boolean): string {
  const body = (input ? bounded : watched)(command, seconds)
  const told = `${body}[ $code -ne 255 ] || code=254\nexit $code`
  const root = '[ "$(id -u)" -eq 0 ] || set -- sudo -n env SSH_CONNECTION="$SSH_CONNECTION"'
  return `exec sh -c ${quote(`${root}; exec "$@" sh -c ${quote(told)}`)}`
}
