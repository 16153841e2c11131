// HTTP to one endpoint: one pool of kept connections, bounded answers, errors with codes. The key goes out as a bearer header
// and nowhere else. Deadlines come in as a signal: an abort closes the socket at once, which tells the server to stop.

import type { Readable } from 'node:stream'
import { Pool, type Dispatcher } from 'undici'
import { fault, ofConnection, ofStatus, quote } from './faults.ts'
import type { ServerLimits } from './limits.ts'
import { createEventReader } from './sse.ts'

export interface Http {
  /** Origin and path in front of every route: no secrets. */
  readonly address: string
  /** An answer of any status; an answer above `bytesMax` is SERVER_PROTOCOL. */
  send (method: 'GET' | 'POST', path: string, body: string | null, bytesMax: number, signal: AbortSignal): Promise<{ status: number; text: string; retryAfterMs: number | null }>
  /** The parsed answer to a POST; every status but 200 is a fault, and so is what is no JSON. */
  post (path: string, body: string, signal: AbortSignal): Promise<unknown>
  /** A POST that is answered by events, each parsed; ends with `[DONE]` or with the connection. */
  stream (path: string, body: string, signal: AbortSignal, onEvent: (event: unknown) => void): Promise<void>
  close (): Promise<void>
}

export interface HttpOptions { url: URL; key: string | null; redact: (text: string) => string; limits: ServerLimits; now: () => number }

export function createHttp ({ url, key, redact, limits, now }: HttpOptions): Http {
  const pool = new Pool(url.origin, {
    connections: limits.concurrencyMax + limits.sideConnections,
    pipelining: 1,
    // The deadline of a turn rules: a long completion is silent until it is done.
    headersTimeout: 0,
    bodyTimeout: 0,
    connect: { timeout: limits.connectMsMax }
  })
  const prefix = url.pathname.replace(/\/+$/, '')
  const address = url.origin + prefix
  const headers = { 'content-type': 'application/json', ...key === null ? {} : { authorization: `Bearer ${key}` } }
  const what = (path: string): string => `ask ${address}${path}`

  /** Every fault of the connection gets its code here; an abort stays what it is, since only its owner knows whose it was. */
  const request = async <T>(method: 'GET' | 'POST', path: string, body: Body | null, signal: AbortSignal, read: (response: Dispatcher.ResponseData) => Promise<T>): Promise<T> => {
    try {
      const response = await pool.request({ method, path: prefix + path, headers: body === null ? headers : { ...headers, 'content-length': String(body.size) }, body: body?.pieces() ?? null, signal })
      try {
        return await read(response)
      } catch (error) {
        response.body.on('error', () => {}).destroy()
        throw error
      }
    } catch (error) {
      if (signal.aborted) throw error
      throw ofConnection(what(path), error, redact)
    }
  }

  const readText = async (path: string, response: Dispatcher.ResponseData, bytesMax: number): Promise<string> => {
    const chunks: Buffer[] = []
    let size = 0
    for await (const chunk of response.body as AsyncIterable<Buffer>) {
      size += chunk.length
      if (size > bytesMax) throw fault('SERVER_PROTOCOL', what(path), `its answer is larger than ${bytesMax} bytes`)
      chunks.push(chunk)
    }
    return (chunks.length === 1 ? chunks[0]! : Buffer.concat(chunks)).toString('utf8')
  }

  const refuse = async (path: string, response: Dispatcher.ResponseData): Promise<never> => {
    const text = await readText(path, response, limits.errorBytesMax)
    throw ofStatus(what(path), response.statusCode, quote(redact(text)), retryAfter(response, now))
  }

  return {
    address,
    send: (method, path, body, bytesMax, signal) => request(method, path, body === null ? null : bodyOf(body), signal, async response =>
      ({ status: response.statusCode, text: redact(await readText(path, response, bytesMax)), retryAfterMs: retryAfter(response, now) })),

    post: (path, body, signal) => request('POST', path, bodyOf(body), signal, async response =>
      response.statusCode === 200 ? parse(what(path), await readText(path, response, limits.answerBytesMax)) : await refuse(path, response)),

    stream: (path, body, signal, onEvent) => request('POST', path, bodyOf(body), signal, async response => {
      if (response.statusCode !== 200) return await refuse(path, response)
      let done = false
      let size = 0
      const reader = createEventReader(data => {
        if (data === '[DONE]') done = true
        else if (!done) onEvent(parse(what(path), data))
      })
      for await (const chunk of response.body as AsyncIterable<Buffer>) {
        size += chunk.length
        if (size > limits.answerBytesMax) throw fault('SERVER_PROTOCOL', what(path), `its answer is larger than ${limits.answerBytesMax} bytes`)
        reader.push(chunk)
        if (reader.pending > limits.eventBytesMax) throw fault('SERVER_PROTOCOL', what(path), `an event of its answer is larger than ${limits.eventBytesMax} bytes`)
      }
    }),

    close: () => pool.destroy()
  }
}

/** A body that is let go when it is sent: a prompt may be of megabytes, and its turn takes as long as the model does. */
interface Body { readonly size: number; pieces (): Readable }

function bodyOf (text: string): Body {
  let bytes: Buffer | null = Buffer.from(text)
  return {
    size: bytes.length,
    // The client takes any iterable; its types know of streams alone.
    pieces: () => once(() => {
      const whole = bytes!
      bytes = null
      return whole
    }) as unknown as Readable
  }
}

function * once (take: () => Buffer): Iterable<Buffer> {
  yield take()
}

function parse (what: string, text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    throw fault('SERVER_PROTOCOL', what, `its answer of ${text.length} characters is no JSON`)
  }
}

/** Seconds, or a date. */
function retryAfter (response: Dispatcher.ResponseData, now: () => number): number | null {
  const value = response.headers['retry-after']
  if (typeof value !== 'string') return null
  const ms = /^\d+(\.\d+)?$/.test(value) ? Number(value) * 1000 : Date.parse(value) - now()
  return Number.isFinite(ms) ? Math.max(0, ms) : null
}
