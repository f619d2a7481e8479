import { createServer } from 'node:http'
import type { Metrics } from '#platform/metrics.ts'
import { CliError, errorCode, errorLine } from '#scripts/output.ts'

/** Connections at a time: scrapers are few. */
const maxConnections = 16

/** Serves `GET /metrics` and nothing else. Rejects with CliError. */
export async function serveMetrics(
  metrics: Metrics,
  { host, port }: { host: string; port: number },
): Promise<{ url: string; close: () => void }> {
  const server = createServer({ requestTimeout: 10_000 }, (request, response) => {
    if (request.method === 'GET' && request.url === '/metrics') {
      response.setHeader('content-type', 'text/plain; version=0.0.4')
      response.end(metrics.render())
    } else {
      response.statusCode = 404
      response.end('only GET /metrics is here\n')
    }
  })
  server.maxConnections = maxConnections
  await new Promise<void>((resolve, reject) => {
    server.once('error', (error) => {
      const reason = errorCode(error) === 'EADDRINUSE' ? 'the port is in use' : errorLine(error)
      reject(new CliError(`cannot serve metrics at ${host}:${port}: ${reason}`, { cause: error }))
    })
    server.listen(port, host, resolve)
  })
  const bound = server.address()
  const real = typeof bound === 'object' && bound !== null ? bound.port : port
  const close = (): void => {
    server.close()
    server.closeAllConnections()
  }
  return { url: `http://${host.includes(':') ? `[${host}]` : host}:${real}/metrics`, close }
}
