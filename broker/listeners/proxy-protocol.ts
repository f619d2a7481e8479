import net from 'node:net'
import type { Handshake, Handshakes } from './handshakes.ts'

/**
 * The PROXY protocol, versions 1 and 2 (HAProxy, "The PROXY protocol", 2020/03/05): a proxy that carries TCP says first
 * for whom. Only a listener with `?proxy=1` reads it, and there every connection must have it (section 2), or a client
 * could choose the address that it is banned by.
 */

/** For whom the proxy speaks; null: for itself (LOCAL, UNKNOWN), the connection's own address holds. */
type Source = { readonly address: string; readonly port: number } | null

export type ParseResult =
  | { readonly state: 'more' }
  | { readonly state: 'malformed'; readonly explanation: string }
  /** `length` of the header; it may be more than was given, as trailing TLVs need not be kept to be skipped. */
  | { readonly state: 'header'; readonly source: Source; readonly length: number }

/** Section 2.1: the longest line with its CRLF. */
const V1_MAX = 107
const V1_START = Buffer.from('PROXY ')
const V2_SIGNATURE = Buffer.from('\r\n\r\n\0\r\nQUIT\n', 'latin1')
const V2_FIXED = 16
const MORE: ParseResult = { state: 'more' }

export function parseProxyHeader(data: Buffer): ParseResult {
  if (startsLike(data, V2_SIGNATURE)) return parseBinary(data)
  if (startsLike(data, V1_START)) return parseText(data)
  return malformed('neither PROXY version 1 nor 2')
}

/** Section 2.1: `PROXY TCP4 192.0.2.1 198.51.100.1 56324 1883\r\n`. */
function parseText(data: Buffer): ParseResult {
  const end = data.subarray(0, V1_MAX).indexOf('\r\n')
  if (end === -1) return data.length < V1_MAX ? MORE : malformed(`no end of line within ${V1_MAX} bytes`)
  const [, protocol, source, destination, sourcePort, destinationPort, ...rest] = data
    .toString('latin1', 0, end)
    .split(' ')
  const length = end + 2
  if (protocol === 'UNKNOWN') return { state: 'header', source: null, length }
  const family = protocol === 'TCP4' ? 4 : protocol === 'TCP6' ? 6 : 0
  if (family === 0) return malformed('the protocol is none of TCP4, TCP6 and UNKNOWN')
  if (net.isIP(source ?? '') !== family || net.isIP(destination ?? '') !== family)
    return malformed(`an address is not of ${protocol}`)
  if (!isPort(sourcePort) || !isPort(destinationPort) || rest.length > 0) return malformed('bad ports')
  return { state: 'header', source: { address: source, port: Number(sourcePort) }, length }
}

/** Section 2.2. */
function parseBinary(data: Buffer): ParseResult {
  if (data.length < V2_FIXED) return MORE
  const version = data[12] >> 4
  const command = data[12] & 15
  const family = data[13] >> 4
  const transport = data[13] & 15
  const rest = data.readUInt16BE(14)
  const length = V2_FIXED + rest
  if (version !== 2) return malformed(`version ${version}`)
  if (command > 1) return malformed(`command ${command}`)
  if (command === 0) return { state: 'header', source: null, length }
  if (transport > 2 || family > 3) return malformed(`address family ${family}, transport ${transport}`)
  // over what we can't name (AF_UNSPEC, AF_UNIX, datagrams) the connection's own address holds
  if (transport !== 1 || (family !== 1 && family !== 2)) return { state: 'header', source: null, length }
  const size = family === 1 ? 4 : 16
  if (rest < 2 * size + 4) return malformed('shorter than its addresses')
  if (data.length < V2_FIXED + 2 * size + 4) return MORE
  const bytes = data.subarray(V2_FIXED, V2_FIXED + size)
  return {
    state: 'header',
    source: {
      address: size === 4 ? bytes.join('.') : ipv6Text(bytes),
      port: data.readUInt16BE(V2_FIXED + 2 * size),
    },
    length,
  }
}

/**
 * Reads the header from a socket that has just been accepted, then hands it on with what was read beyond (null:
 * nothing). The socket is flowing then, with no listener of ours on it. Bad headers are closed, logged and counted.
 */
export function readProxyHeader(
  socket: net.Socket,
  handshake: Handshake,
  handshakes: Handshakes,
  done: (head: Buffer | null) => void,
): void {
  let kept: Buffer | null = null
  /** Bytes of the header that are still to come, once it is parsed. */
  let skip = 0
  const onData = (data: Buffer): void => {
    let chunk = data
    if (skip === 0) {
      chunk = kept === null ? data : Buffer.concat([kept, data])
      const result = parseProxyHeader(chunk)
      if (result.state === 'more') {
        kept = chunk
        return
      }
      if (result.state === 'malformed') {
        handshakes.refuse('proxy_header', `bad PROXY header: ${result.explanation}`, handshake.address)
        socket.destroy()
        return
      }
      if (result.source !== null) {
        handshake.address = result.source.address
        handshake.port = result.source.port
      }
      kept = null
      skip = result.length
    }
    if (chunk.length < skip) {
      skip -= chunk.length
      return
    }
    socket.removeListener('data', onData)
    done(chunk.length > skip ? chunk.subarray(skip) : null)
  }
  socket.on('data', onData)
}

function startsLike(data: Buffer, start: Buffer): boolean {
  const length = Math.min(data.length, start.length)
  return data.compare(start, 0, length, 0, length) === 0
}

function isPort(text: string | undefined): boolean {
  return text !== undefined && /^(0|[1-9]\d{0,4})$/.test(text) && Number(text) <= 65_535
}

function ipv6Text(bytes: Buffer): string {
  const groups: string[] = []
  for (let i = 0; i < 16; i += 2) groups.push(bytes.readUInt16BE(i).toString(16))
  const text = new net.SocketAddress({ address: groups.join(':'), family: 'ipv6' }).address
  return text.startsWith('::ffff:') && text.includes('.') ? text.slice(7) : text
}

function malformed(explanation: string): ParseResult {
  return { state: 'malformed', explanation }
}
