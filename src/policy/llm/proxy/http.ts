// HTTP as the proxy speaks it: bodies that are bounded, answers in one piece, and streams that are kept alive while the model
// is silent. A stream stays closed for a while, so that a fault which comes soon is a status, as clients know it.

import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Clock } from '../../../ports.ts'
import type { Dialect, ReplyTo } from './dialect.ts'
import { badRequest, fault, told, type Told } from './faults.ts'
import { isFields, type Fields } from './read.ts'
import type { Answer } from '../types.ts'

/** The body as an object; an empty one where there is none. Throws PROXY_TOO_LARGE, PROXY_MEDIA and PROXY_REQUEST. */
export async function readBody (request: IncomingMessage, bytesMax: number): Promise<Fields> {
  const tooLarge = (): Error => fault('PROXY_TOO_LARGE', `Cannot take the request: it is larger than ${bytesMax} bytes (requestBytesMax)`)
  if (Number(request.headers['content-length'] ?? 0) > bytesMax) throw tooLarge()
  const chunks: Buffer[] = []
  let size = 0
  for await (const chunk of request as AsyncIterable<Buffer>) {
    size += chunk.length
    if (size > bytesMax) throw tooLarge()
    chunks.push(chunk)
  }
  if (size === 0) return {}
  // A page in a browser can send anything but this to a server on its own machine without being allowed to.
  if (!/^application\/(?:[\w.-]+\+)?json\b/i.test(request.headers['content-type'] ?? '')) throw fault('PROXY_MEDIA', 'Cannot take the request: its content-type is not application/json')
  if ((request.headers['content-encoding'] ?? 'identity') !== 'identity') throw fault('PROXY_MEDIA', 'Cannot take the request: its body is compressed')
  return parse(Buffer.concat(chunks).toString('utf8'))
}

function parse (text: string): Fields {
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch (error) {
    throw badRequest(`its body is no JSON (${(error as Error).message.slice(0, 100)})`)
  }
  if (!isFields(value)) throw badRequest('its body is no object')
  return value
}

export function sendJson (response: ServerResponse, status: number, body: unknown, headers: Record<string, string> = {}): void {
  if (response.headersSent || response.destroyed) return
  response.writeHead(status, { 'content-type': 'application/json', ...headers }).end(JSON.stringify(body))
}

export function sendFault (response: ServerResponse, dialect: Dialect, thrown: unknown): Told {
  const fault = told(thrown)
  sendJson(response, fault.status, dialect.fault(fault), {
    // The clients of both vendors look at this before they look at the status.
    'x-should-retry': String(fault.retryable),
    ...fault.retryAfterMs === null ? {} : { 'retry-after': String(Math.ceil(fault.retryAfterMs / 1000)) },
    // What was not read of a request would be taken for the next one.
    ...response.req.complete ? {} : { connection: 'close' }
  })
  return fault
}

export interface StreamOptions { dialect: Dialect; to: ReplyTo; clock: Clock; quietMsMax: number }

/** Answers by events, and rejects with what the answer rejects with once the client is told. */
export async function sendStream (response: ServerResponse, answered: Promise<Answer>, { dialect, to, clock, quietMsMax }: StreamOptions): Promise<void> {
  const stream = dialect.stream(to)
  const over = new AbortController()
  const write = (events: string): void => {
    if (response.destroyed) return
    if (!response.headersSent) response.writeHead(200, { 'content-type': 'text/event-stream', 'cache-control': 'no-cache' }).write(stream.open())
    response.write(events)
  }
  const beat = async (): Promise<void> => {
    for (;;) {
      await clock.sleep(quietMsMax, over.signal)
      write(stream.pulse())
    }
  }
  const beating = beat().catch(() => {})
  try {
    const answer = await answered
    write(stream.answer(answer))
    response.end()
  } catch (error) {
    if (!response.headersSent) sendFault(response, dialect, error)
    else response.end(stream.fault(told(error)))
    throw error
  } finally {
    over.abort()
    await beating
  }
}

/** Aborts when the client goes away before it has its answer. */
export function goneSignal (response: ServerResponse): AbortSignal {
  const gone = new AbortController()
  response.on('close', () => { if (!response.writableFinished) gone.abort() })
  return gone.signal
}
