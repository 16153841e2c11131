// The node over HTTP, for whoever watches over it: alive, ready, what it does, and its metrics.

import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import { SparError, toPlain } from '../errors.ts'
import type { Metrics } from '../metrics/types.ts'

export interface Health { isReady (): boolean; status (): unknown; metrics: Pick<Metrics, 'expose' | 'contentType'> }

/** `at` is `host:port`. Rejects with NODE_HTTP when it cannot listen. */
export async function serveHealth (at: string, health: Health): Promise<{ url: string; close (): Promise<void> }> {
  const match = /^(.*):(\d+)$/.exec(at)
  if (match === null || Number(match[2]) > 65_535) throw new SparError('OPTION_INVALID', `Cannot use --http "${at}": it takes host:port, such as 127.0.0.1:8321`)
  const server = createServer((request, response) => {
    const answer = (status: number, body: unknown): void => {
      response.writeHead(status, { 'content-type': 'application/json', 'cache-control': 'no-store' })
      response.end(request.method === 'HEAD' ? '' : JSON.stringify(body) + '\n')
    }
    if (request.method !== 'GET' && request.method !== 'HEAD') return answer(405, { error: 'only GET is answered here' })
    if (request.url === '/healthz') return answer(200, { alive: true })
    if (request.url === '/readyz') return answer(health.isReady() ? 200 : 503, { ready: health.isReady() })
    if (request.url === '/status') return answer(200, health.status())
    if (request.url === '/metrics') return void expose(health.metrics, request, response)
    return answer(404, { error: 'there are /healthz, /readyz, /status and /metrics' })
  })
  await listen(server, match[1]!, Number(match[2]), at)
  const address = server.address() as { address: string; port: number }
  return {
    url: `http://${address.address.includes(':') ? `[${address.address}]` : address.address}:${address.port}`,
    close: () => new Promise(resolve => { server.close(() => resolve()); server.closeAllConnections() })
  }
}

async function expose (metrics: Health['metrics'], request: IncomingMessage, response: ServerResponse): Promise<void> {
  try {
    const text = await metrics.expose()
    response.writeHead(200, { 'content-type': metrics.contentType, 'cache-control': 'no-store' })
    response.end(request.method === 'HEAD' ? '' : text)
  } catch (error) {
    response.writeHead(500, { 'content-type': 'text/plain' })
    response.end(`Cannot read the metrics: ${toPlain(error).message}\n`)
  }
}

const listen = (server: Server, host: string, port: number, at: string): Promise<void> => new Promise((resolve, reject) => {
  server.once('error', error => reject(new SparError('NODE_HTTP', `Cannot listen on ${at}: ${error.message}. Choose another --http`)))
  server.listen(port, host, resolve)
})
