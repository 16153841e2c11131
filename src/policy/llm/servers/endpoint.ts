// One endpoint: its connections, its fuse, how much it gets at a time and how much it has. It looks at its own health when its
// fuse wants to know, and at its own metrics now and then while turns end; nothing goes on here while no turn is asked for.

import type { Clock, Random } from '../../../ports.ts'
import { createDescriber } from './describe.ts'
import { fault, isBlamed } from './faults.ts'
import { createFuse, type Fuse } from './fuse.ts'
import { createHttp } from './http.ts'
import type { ServerLimits } from './limits.ts'
import { readLoad } from './metrics.ts'
import type { Line } from './protocol.ts'
import { createWindow, type Window } from './window.ts'

export interface Endpoint extends Line {
  readonly address: string
  readonly fuse: Fuse
  readonly window: Window
  /** Turns under way, and the tokens that they may come to. */
  active: number
  outstanding: number
  /** Turns it was ever given: breaks ties. */
  taken: number
  /** Whether the endpoint is well; a rejection says why not. */
  look (signal: AbortSignal): Promise<void>
  ended (error: unknown): void
  close (): Promise<void>
}

export interface EndpointOptions { url: URL; model: string; key: string | null; redact: (text: string) => string; limits: ServerLimits; clock: Clock; random: Random }

export function createEndpoint ({ url, model, key, redact, limits, clock, random }: EndpointOptions): Endpoint {
  const http = createHttp({ url, key, redact, limits, now: clock.now })
  const fuse = createFuse(limits, random)
  const window = createWindow(limits)
  const closing = new AbortController()
  let hasMetrics = true
  let isReading = false
  let readAt = -Infinity

  /** What is asked beside the turns never takes long. */
  const aside = async <T>(signal: AbortSignal, ask: (signal: AbortSignal) => Promise<T>): Promise<T> => {
    const hurry = new AbortController()
    const stop = (): void => hurry.abort()
    signal.addEventListener('abort', stop, { once: true })
    if (signal.aborted) stop()
    const late = clock.sleep(limits.sideMsMax, hurry.signal).then(stop, () => {})
    try {
      return await ask(hurry.signal)
    } catch (error) {
      if (!hurry.signal.aborted || signal.aborted) throw error
      throw fault('SERVER_DOWN', `look whether ${http.address} is well`, `it says nothing for ${limits.sideMsMax} ms`)
    } finally {
      signal.removeEventListener('abort', stop)
      stop()
      await late
    }
  }

  const isWell = async (path: string, signal: AbortSignal): Promise<number> => (await http.send('GET', path, null, limits.answerBytesMax, signal)).status

  const readMetrics = async (): Promise<void> => {
    if (!hasMetrics || isReading || clock.now() - readAt < limits.metricsMsMin) return
    isReading = true
    readAt = clock.now()
    try {
      const { status, text } = await aside(closing.signal, signal => http.send('GET', '/metrics', null, limits.answerBytesMax, signal))
      const load = status === 200 ? readLoad(text) : null
      if (load === null) hasMetrics = false
      else window.observe(load, endpoint.active)
    } catch { /* The next look may succeed; what is wrong shows in the turns. */ } finally {
      isReading = false
    }
  }

  const endpoint: Endpoint = {
    http,
    address: http.address,
    fuse,
    window,
    active: 0,
    outstanding: 0,
    taken: 0,
    describe: createDescriber(http, model, limits),
    look: signal => aside(signal, async hurry => {
      let status = await isWell('/health', hurry)
      if (status === 404 || status === 405) status = await isWell('/v1/models', hurry)
      if (status >= 500 || status === 429) throw fault('SERVER_DOWN', `look whether ${http.address} is well`, `it answers with status ${status}`)
    }),
    ended (error) {
      if (error === null) {
        fuse.succeed()
        window.succeed(endpoint.active)
      } else if ((error as { code?: unknown }).code === 'SERVER_BUSY') window.refuse(clock.now())
      else if (isBlamed(error)) fuse.fail(clock.now())
      void readMetrics()
    },
    async close () {
      closing.abort()
      await http.close()
    }
  }
  return endpoint
}
