// aedes-server.ts PORT [CERT KEY]: aedes as it comes, without authentication. For bench/aedes.ts the environment adds
//   AEDES_DENY=FILTER      subscriptions to this filter are denied by its ACL hook
//   AEDES_STALL_STORE=1    storing a message for a session takes for ever, like a disk that hangs
import { readFileSync } from 'node:fs'
import net from 'node:net'
import tls from 'node:tls'
import { Aedes, type AedesOptions } from 'aedes'

const [port, cert, key] = process.argv.slice(2)
const denied = process.env['AEDES_DENY']
const options: AedesOptions =
  denied === undefined
    ? {}
    : { authorizeSubscribe: (_client, sub, done) => done(null, sub.topic === denied ? null : sub) }
const broker = await Aedes.createBroker(options)
if (process.env['AEDES_STALL_STORE'] !== undefined) {
  const persistence: unknown = Reflect.get(broker, 'persistence') // not in its types
  Object.assign(Object(persistence), { outgoingEnqueueCombi: () => new Promise(() => {}) })
}
const handle = (socket: net.Socket) => {
  broker.handle(socket)
}
const server =
  cert === undefined || key === undefined
    ? net.createServer(handle)
    : tls.createServer({ cert: readFileSync(cert), key: readFileSync(key) }, handle)
server.listen({ port: Number(port), host: '127.0.0.1', backlog: 4096 })
process.on('SIGTERM', () => process.exit(0))
