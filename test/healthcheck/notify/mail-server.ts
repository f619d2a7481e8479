import { createServer, type AddressInfo } from 'node:net'

/** A letter as a mail server got it. */
export interface Received {
  readonly to: readonly string[]
  /** Headers and text. */
  readonly text: string
}

/** Where a mail server falls silent: before it has a letter, or when it has it and the sender does not know. */
export type Silence = 'before' | 'after'

/** A mail server without TLS on this host; `refuse`: it says 451 to what comes; `silent`: calls it, and says no more. */
export async function mailServer(): Promise<{
  port: number
  letters: Received[]
  refuse: boolean
  silent: { readonly when: Silence; readonly then: () => void } | null
  close(): void
}> {
  const letters: Received[] = []
  const server = createServer((socket) => {
    let line = ''
    let data: string | null = null
    let to: string[] = []
    socket.setEncoding('utf8')
    socket.on('error', () => undefined)
    socket.write('220 test\r\n')
    socket.on('data', (chunk: string) => {
      line += chunk
      for (let end = line.indexOf('\r\n'); end !== -1; end = line.indexOf('\r\n')) {
        const text = line.slice(0, end)
        line = line.slice(end + 2)
        if (data !== null) {
          if (text !== '.') data += `${text}\n`
          else {
            letters.push({ to, text: data })
            data = null
            to = []
            if (state.silent?.when === 'after') state.silent.then()
            else socket.write('250 taken\r\n')
          }
        } else if (/^RCPT TO:/i.test(text)) {
          to.push(text.replace(/^RCPT TO:<([^>]*)>.*/i, '$1'))
          if (state.silent?.when === 'before') state.silent.then()
          else socket.write(state.refuse ? '451 try again\r\n' : '250 ok\r\n')
        } else if (/^DATA/i.test(text)) {
          data = ''
          socket.write('354 go on\r\n')
        } else if (/^QUIT/i.test(text)) socket.end('221 bye\r\n')
        else socket.write('250 ok\r\n')
      }
    })
  })
  await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening))
  const state: Awaited<ReturnType<typeof mailServer>> = {
    port: (server.address() as AddressInfo).port,
    letters,
    refuse: false,
    silent: null,
    close: () => void server.close(),
  }
  return state
}
