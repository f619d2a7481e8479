/** What ssh says, and what that means for a person. */
const meanings: readonly (readonly [RegExp, string])[] = [
  [
    /Host key verification failed|REMOTE HOST IDENTIFICATION|No .* host key is known|Certificate invalid/,
    'its host key is refused: nobody who is trusted has signed it for this host; find out who answers there before anything else',
  ],
  [/Permission denied/, 'it does not accept your key; sign it anew: cinque ssh sign'],
  [
    /Could not resolve hostname/,
    'the ssh configuration does not say where it is; write it anew: cinque ssh config',
  ],
  [/timed out|Timeout|not responding/i, 'it does not answer'],
  [/refused/i, 'nothing listens for ssh there'],
  [/No route|unreachable/i, 'there is no way to it'],
  [/closed by|reset by|Broken pipe|lost/i, 'the connection was lost'],
  [/^spawn .*ENOENT/, 'there is no ssh on this machine; install openssh-client'],
]

/** Why a host was not reached, in one line. */
export function failureOf(host: string, stderr: string): string {
  const meaning = meanings.find(([pattern]) => pattern.test(stderr))?.[1]
  const said = stderr.trim().split('\n').at(-1) ?? ''
  return `${host}: ${meaning ?? (said === '' ? 'ssh failed' : said)}`
}
