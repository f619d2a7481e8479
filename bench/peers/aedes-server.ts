// aedes-server.ts PORT [CERT KEY]: aedes as it comes, without authentication
import { readFileSync } from 'node:fs'
import net from 'node:net'
import tls from 'node:tls'
import { Aedes } from 'aedes'

const [port, cert, key] = process.argv.slice(2)
const broker = await Aedes.createBroker()
const handle = (socket: net.Socket) => void broker.handle(socket)
const server =
  cert === undefined || key === undefined
    ? net.createServer(handle)
    : tls.createServer({ cert: readFileSync(cert), key: readFileSync(key) }, handle)
server.listen({ port: Number(port), host: '127.0.0.1', backlog: 4096 })
process.on('SIGTERM', () => process.exit(0))
