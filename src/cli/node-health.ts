// The node over HTTP, for whoever watches over it: alive, ready, what it does, and its metrics.

import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { SparError, toPlain } from '../errors.ts'
import { listen, shown } from '../listen.ts'
import type { Metrics } from '../metrics/types.ts'

export interface ServedHealth { url: string; close (): Promise<void> }
export interface Health { isReady (): boolean; status (): unknown; metrics: Pick<Metrics, 'expose' | 'contentType'> }

/** `at` is `host:port`. Rejects with NODE_HTTP when it cannot listen. */
export async function serveHealth (at: string, health: Health): Promise<ServedHealth> {
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
  const port = await listen(server, { host: match[1]!, port: Number(match[2]), code: 'NODE_HTTP', option: '--http' })
  return {
    url: `http://${shown((server.address() as AddressInfo).address)}:${port}`,
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
