/** Where a listener listens, as its URL says. */
export interface ListenAddress {
  readonly scheme: Scheme
  /** Host name or address, IPv6 without brackets. */
  readonly host: string
  /** 0: any free port. */
  readonly port: number
  /** The only path that a WebSocket listener accepts; null: all. */
  readonly path: string | null
  /** Whether every connection begins with a PROXY header. */
  readonly proxy: boolean
  /** Whether other processes may listen there as well; the kernel gives each its share of the connections. */
  readonly reusePort: boolean
}

const SCHEMES = ['tcp', 'tls', 'ws', 'wss'] as const
type Scheme = (typeof SCHEMES)[number]

/** The path that WebSocket clients are told to use where the URL has none. */
const DEFAULT_PATH = '/mqtt'

/** Throws an Error of one line that names the listener and the remedy. */
export function parseListenUrl(url: string): ListenAddress {
  const [, scheme = '', rest = ''] = /^([a-z]+):(\/\/.*)$/i.exec(url) ?? []
  const known = SCHEMES.find((one) => one === scheme.toLowerCase())
  if (known === undefined) fail(url, 'unknown scheme; use tcp://, tls://, ws:// or wss://')
  // as a scheme that WHATWG does not know, or ws://host:80 would lose its port
  const parsed = URL.canParse(`mqtt:${rest}`) ? new URL(`mqtt:${rest}`) : null
  if (parsed === null || parsed.hostname === '')
    fail(url, `not an address; write ${known}://host:port (all interfaces: ${known}://[::]:port)`)
  if (parsed.port === '') fail(url, `the port is missing; write ${known}://host:port, 0 for any free one`)
  if (parsed.username !== '' || parsed.password !== '')
    fail(url, 'a listener has no user name and password; remove what stands before @')
  if (parsed.hash !== '') fail(url, 'remove what follows #')
  const webSocket = known === 'ws' || known === 'wss'
  const path = parsed.pathname === '' || parsed.pathname === '/' ? null : parsed.pathname
  if (path !== null && !webSocket) fail(url, `remove the path ${path}; only ws:// and wss:// have one`)
  return {
    scheme: known,
    host: decodeURIComponent(parsed.hostname).replace(/^\[(.*)\]$/, '$1'),
    port: Number(parsed.port),
    path,
    ...parametersOf(url, parsed.searchParams),
  }
}

/** The URL that a client dials: the real port, and the path of a WebSocket. */
export function dialUrl(address: ListenAddress, port: number): string {
  const host = address.host.includes(':') ? `[${address.host}]` : address.host
  const webSocket = address.scheme === 'ws' || address.scheme === 'wss'
  return `${address.scheme}://${host}:${port}${webSocket ? (address.path ?? DEFAULT_PATH) : ''}`
}

function parametersOf(url: string, parameters: URLSearchParams): Pick<ListenAddress, 'proxy' | 'reusePort'> {
  const found = { proxy: false, reuse_port: false }
  for (const [name, value] of parameters) {
    if (name !== 'proxy' && name !== 'reuse_port')
      fail(url, `unknown parameter ${name}; there are proxy=1 and reuse_port=1`)
    if (value !== '0' && value !== '1') fail(url, `${name} is 1 or 0, not ${JSON.stringify(value)}`)
    found[name] = value === '1'
  }
  return { proxy: found.proxy, reusePort: found.reuse_port }
}

function fail(url: string, explanation: string): never {
  throw new Error(`listener ${url}: ${explanation}`)
}
