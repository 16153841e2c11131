// The recording proxy: an agent with a loop of its own plays a rollout, and what it asks and is answered is recorded with the
// tokens. Its address carries the rollout and the attempt: `/proxy/rollout/<id>/attempt/<n>/v1/…`. Keys that a client sends are
// not looked at, and not kept.

import { once } from 'node:events'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { Outcome } from '../../../domain.ts'
import { SparError } from '../../../errors.ts'
import type { Clock } from '../../../ports.ts'
import type { ModelServer } from '../types.ts'
import type { ProxySettings } from './attempt.ts'
import { createAttempts, type Ending, type Finished } from './attempts.ts'
import type { Dialect } from './dialect.ts'
import { badRequest, fault } from './faults.ts'
import { goneSignal, readBody, sendFault, sendJson, sendStream } from './http.ts'
import { proxyLimits, type ProxyLimits } from './limits.ts'
import { number, type Fields } from './read.ts'
import type { Records } from './record.ts'
import { dialectOf, methodOf, routeOf, type Route } from './routes.ts'

export interface ProxyOptions {
  server: ModelServer
  settings: ProxySettings
  records: Records
  /** Name of the run, for the records. */
  run: string
  clock: Clock
  limits?: Partial<ProxyLimits>
  /** Told of every call and ending, a line each: ids, counts, and what failed in full. */
  onLine?: (line: string) => void
  onFinished?: (finished: Finished) => void
}

export interface Proxy {
  /** Rejects with PROXY_LISTEN. */
  listen (host: string, port: number): Promise<{ host: string; port: number }>
  /** Takes no more calls, waits for those under way, ends every attempt, closes. Rejects with the first record that could not be written. */
  drain (msMax: number): Promise<void>
  /** The same at once. */
  close (): Promise<void>
}

export function createProxy ({ server, settings, records, run, clock, limits: given = {}, onLine = () => {}, onFinished = () => {} }: ProxyOptions): Proxy {
  const limits = { ...proxyLimits, ...given }

  const tell = (finished: Finished): void => {
    const { rollout, attempt, outcome, reward, calls, segments, untrainable, record } = finished
    onLine(`${rollout}.${attempt}: ${outcome}${reward === null ? '' : `, reward ${reward}`}, ${calls} calls, ${segments} segments${untrainable === null ? '' : `, not to be trained on: ${untrainable}`}; ${record}`)
    onFinished(finished)
  }
  const attempts = createAttempts({ server, settings, records, run, clock, limits, onFinished: tell })

  const call = async ({ rollout, attempt: number, name, dialect }: Extract<Route, { kind: 'call' }>, request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const gone = goneSignal(response)
    const asked = dialect.read(await readBody(request, limits.requestBytesMax), limits)
    const attempt = await attempts.enter(rollout, number)
    const begunAt = clock.now()
    const begun = attempt.begin(asked, gone)
    const label = `${rollout}.${number} call ${begun.number} (${name})`
    const to = { id: `${rollout}.${number}.${begun.number}`, createdAt: begunAt, model: server.model, asked }
    try {
      const answered = begun.answered.then(({ answer }) => answer)
      if (asked.stream) await sendStream(response, answered, { dialect, to, clock, quietMsMax: limits.quietMsMax })
      else sendJson(response, 200, dialect.whole(await answered, to))
      const { call } = await begun.answered
      onLine(`${label}: ${call.prompt_tokens ?? '?'} + ${call.completion_tokens ?? '?'} tokens, ${call.finish_reason}, ${seconds(clock.now() - begunAt)}${asked.leftOut.length > 0 ? `; left out: ${asked.leftOut.join(', ')}` : ''}`)
    } catch (error) {
      if (!response.headersSent) sendFault(response, dialect, error)
      onLine(`${label}: ${gone.aborted ? 'the client went away' : wordsOf(error)}, ${seconds(clock.now() - begunAt)}`)
    }
  }

  const finish = async ({ rollout, attempt }: { rollout: string; attempt: number }, request: IncomingMessage, response: ServerResponse): Promise<void> => {
    sendJson(response, 200, await attempts.finish(rollout, attempt, readEnding(await readBody(request, limits.requestBytesMax))))
  }

  const answer = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const route = routeOf(request.url ?? '/')
    const method = methodOf[route.kind]
    if (request.method !== method) throw fault('PROXY_METHOD', `Cannot ${request.method ?? 'do'} that: it takes ${method}`)
    if (route.kind === 'call') return await call(route, request, response)
    if (route.kind === 'finish') return await finish(route, request, response)
    sendJson(response, 200, route.kind === 'health' ? { open: attempts.open, in_flight: attempts.inFlight } : modelsOf(server.model))
  }

  const handle = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const dialect: Dialect = dialectOf(request.url ?? '/', request.headers)
    try {
      await answer(request, response)
    } catch (error) {
      // A client that went away in the middle of its request hears nothing, and nobody else needs to.
      if (response.destroyed) return
      sendFault(response, dialect, error)
      onLine(`${request.method ?? ''} ${(request.url ?? '').slice(0, 300)}: ${wordsOf(error)}`)
    }
  }

  const http = createServer({ requestTimeout: limits.requestMsMax, headersTimeout: limits.requestMsMax, keepAliveTimeout: limits.keepAliveMsMax, connectionsCheckingInterval: Math.min(limits.requestMsMax, 5_000) }, (request, response) => { void handle(request, response) })
  http.maxConnections = limits.connectionsMax
  const hurry = new AbortController()
  let ended: Promise<void> | null = null

  const within = async (msMax: number, what: Promise<unknown>): Promise<void> => {
    const over = new AbortController()
    const late = clock.sleep(msMax, AbortSignal.any([hurry.signal, over.signal])).catch(() => {})
    await Promise.race([what, late])
    over.abort()
    await late
  }

  const end = async (msMax: number): Promise<void> => {
    await within(msMax, attempts.settled())
    const failures = await attempts.finishAll()
    if (http.listening) {
      const closed = once(http, 'close')
      http.close()
      await within(limits.lingerMsMax, closed)
      http.closeAllConnections()
      await closed
    }
    if (failures.length > 0) throw failures[0]
  }

  return {
    async listen (host, port) {
      try {
        http.listen(port, host)
        await once(http, 'listening')
      } catch (error) {
        throw new SparError('PROXY_LISTEN', `Cannot listen on ${host}:${port}: ${(error as Error).message}`, { cause: error })
      }
      const address = http.address() as AddressInfo
      return { host: address.address, port: address.port }
    },
    drain: msMax => ended ??= end(msMax),
    close () {
      hurry.abort()
      return ended ??= end(0)
    }
  }
}

const seconds = (ms: number): string => `${(ms / 1000).toFixed(1)} s`
const wordsOf = (error: unknown): string => error instanceof SparError ? `${error.message} [${error.code}]` : (error as Error)?.stack ?? String(error)

const outcomes: readonly Outcome[] = ['scored', 'policy_fault', 'infra_fault', 'cancelled', 'stale']

function readEnding (body: Fields): Ending {
  const odd = Object.keys(body).find(name => name !== 'outcome' && name !== 'reward')
  if (odd !== undefined) throw badRequest(`it may say "outcome" and "reward", not ${JSON.stringify(odd.slice(0, 50))}`)
  const said = body['outcome'] ?? null
  const outcome = said === null ? null : outcomes.find(outcome => outcome === said)
  if (outcome === undefined) throw badRequest(`"outcome" is none of ${outcomes.join(', ')}`)
  const reward = number(body, 'reward', { min: -Number.MAX_VALUE, max: Number.MAX_VALUE })
  if (reward !== null && outcome !== null && outcome !== 'scored' && outcome !== 'policy_fault') throw badRequest(`an attempt that ended as ${outcome} has no reward`)
  return { outcome, reward }
}

/** As both vendors list models. */
const modelsOf = (model: string): Fields => ({
  object: 'list',
  data: [{ id: model, object: 'model', type: 'model', display_name: model, created: 0, created_at: '1970-01-01T00:00:00Z', owned_by: 'spar' }],
  has_more: false, first_id: model, last_id: model
})
