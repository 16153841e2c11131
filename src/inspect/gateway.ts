// The HTTP server of the page: its files, one value of a topic, actions, and the WebSocket. docs/inspect.md has the routes.

import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import { WebSocketServer } from 'ws'
import { SparError } from '../errors.ts'
import { shown } from '../listen.ts'
import type { Clock } from '../ports.ts'
import { accessOf, cookieOf, mayEnter } from './access.ts'
import { failureOf } from './failure.ts'
import { inspectLimits, type InspectLimits } from './limits.ts'
import type { Listening } from './listening.ts'
import { readPage, securityHeaders, type PageFile } from './page-files.ts'
import { protocolVersion, type Hello } from './protocol.ts'
import { readAction, readValue, type Source } from './source.ts'
import { serveSocket } from './socket.ts'

export interface GatewayOptions {
  source: Source
  clock: Clock
  /** Where it is served; closed with it. */
  listening: Listening
  /** Version of Spar. */
  version: string
  /** Told of every action that was asked for. */
  onAct?: (what: string) => void
  page?: Map<string, PageFile>
  limits?: Partial<InspectLimits>
}

export interface Gateway { url: string; port: number; close (): Promise<void> }

/** Closing it leaves the source open. */
export function serveGateway (options: GatewayOptions): Gateway {
  const { source, clock, listening, version, onAct = () => {}, page = readPage() } = options
  const limits = { ...inspectLimits, ...options.limits }
  const { access } = listening
  const sockets = new WebSocketServer({ noServer: true, maxPayload: limits.requestBytesMax, perMessageDeflate: false })
  const hello = (mayAct: boolean): Hello => ({ type: 'hello', protocol: protocolVersion, spar: version, source: source.kind, mayAct, now: clock.now(), everyMs: limits.everyMs })
  listening.serve((request, response) => {
    answer(request, response).catch(error => { fail(response, error) })
  })
  listening.server.on('upgrade', (request: IncomingMessage, socket: Socket, head: Buffer) => upgrade(request, socket, head))

  async function answer (request: IncomingMessage, response: ServerResponse): Promise<void> {
    for (const [name, value] of Object.entries(securityHeaders)) response.setHeader(name, value)
    const url = urlOf(request)
    if (url === null) return json(response, 400, { error: { code: 'HTTP_TARGET', message: 'The target of the request is no path. Ask for one that begins with a single /' } })
    const given = url.searchParams.get('token')
    const { mayLook, mayAct } = accessOf(request, access)
    if (url.pathname === '/healthz') return json(response, 200, { alive: true })
    if (given !== null && url.pathname === '/' && request.method === 'GET') {
      if (mayEnter(request, given, access)) response.setHeader('set-cookie', cookieOf(given, access.port))
      else if (!mayLook) return denied(response, access.token !== null)
      response.writeHead(303, { location: '/' })
      response.end()
      return
    }
    if (!mayLook) return denied(response, access.token !== null)
    if (url.pathname === '/act') return await acted(request, response, mayAct)
    if (request.method !== 'GET' && request.method !== 'HEAD') return json(response, 405, { error: { code: 'HTTP_METHOD', message: 'only GET is answered here' } })
    if (url.pathname === '/value') return json(response, 200, { value: await readValue(source, url.searchParams.get('topic') ?? '', limits.callMsMax) })
    const file = page.get(url.pathname)
    if (file === undefined) return json(response, 404, { error: { code: 'HTTP_NOT_FOUND', message: 'there is no such page' } })
    response.writeHead(200, { 'content-type': file.type, 'content-length': file.bytes.length })
    response.end(request.method === 'HEAD' ? undefined : file.bytes)
  }

  async function acted (request: IncomingMessage, response: ServerResponse, mayAct: boolean): Promise<void> {
    // A form of another site cannot send JSON without being asked first.
    if (request.method !== 'POST' || !(request.headers['content-type'] ?? '').startsWith('application/json')) return json(response, 405, { error: { code: 'HTTP_METHOD', message: 'an action comes by POST, as application/json' } })
    if (!mayAct) return json(response, 403, { error: { code: 'ACT_DENIED', message: 'Looking is allowed here, acting is not. Start with --allow-actions, or give the token for acting' } })
    const action = readAction(await readBody(request, limits.requestBytesMax))
    onAct(JSON.stringify(action))
    await source.act(action)
    json(response, 200, { error: null })
  }

  function upgrade (request: IncomingMessage, socket: Duplex, head: Buffer): void {
    const refuse = (status: string): void => { socket.end(`HTTP/1.1 ${status}\r\nconnection: close\r\n\r\n`) }
    socket.on('error', () => socket.destroy())
    const url = urlOf(request)
    if (url === null) return refuse('400 Bad Request')
    const { mayLook, mayAct } = accessOf(request, access)
    if (!mayLook) return refuse(access.token === null ? '403 Forbidden' : '401 Unauthorized')
    if (url.pathname !== '/socket') return refuse('404 Not Found')
    if (sockets.clients.size >= limits.socketsMax) return refuse('503 Service Unavailable')
    sockets.handleUpgrade(request, socket, head, socket => {
      serveSocket(socket, { source, clock, limits, mayAct, onAct })
      socket.send(JSON.stringify(hello(mayAct)))
    })
  }

  return {
    url: `http://${shown(access.host)}:${access.port}/`,
    port: access.port,
    async close () {
      for (const socket of sockets.clients) socket.terminate()
      sockets.close()
      await listening.close()
    }
  }
}

/** null: the target of a request is what its sender likes, and need not be a path. */
function urlOf ({ url = '/' }: IncomingMessage): URL | null {
  return URL.canParse(url, 'http://localhost') ? new URL(url, 'http://localhost') : null
}

function json (response: ServerResponse, status: number, body: unknown): void {
  response.writeHead(status, { 'content-type': 'application/json' })
  response.end(`${JSON.stringify(body)}\n`)
}

const denied = (response: ServerResponse, isToken: boolean): void => isToken
  ? json(response, 401, { error: { code: 'ACCESS_TOKEN', message: 'A token is needed: open /?token=…, or send Authorization: Bearer …' } })
  : json(response, 403, { error: { code: 'ACCESS_DENIED', message: 'This address answers pages of its own alone' } })

function fail (response: ServerResponse, error: unknown): void {
  if (response.headersSent) return response.destroy() as unknown as void
  const failure = failureOf(error)
  const status: Record<string, number> = { INSPECT_NOT_FOUND: 404, INSPECT_BAD_TOPIC: 400, ACT_REFUSED: 409, HTTP_BODY: 400 }
  json(response, status[failure.code] ?? 503, { error: failure })
}

async function readBody (request: IncomingMessage, bytesMax: number): Promise<unknown> {
  const chunks: Buffer[] = []
  let bytes = 0
  for await (const chunk of request as AsyncIterable<Buffer>) {
    bytes += chunk.length
    if (bytes > bytesMax) throw new SparError('HTTP_BODY', `Cannot read the request: it has more than ${bytesMax} bytes (requestBytesMax)`)
    chunks.push(chunk)
  }
  try {
    return JSON.parse(Buffer.concat(chunks).toString('utf8'))
  } catch {
    throw new SparError('HTTP_BODY', 'Cannot read the request: it is no JSON')
  }
}

