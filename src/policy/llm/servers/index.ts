// Inference servers: one `ModelServer` over any number of endpoints that serve the same model by the same protocol. Here is the
// life of a turn: a place on an endpoint, a try, and what follows from how it ended.

import { SparError } from '../../../errors.ts'
import type { Clock, PolicyVersions, Random } from '../../../ports.ts'
import type { Answer, Ask, ModelServer } from '../types.ts'
import { judgeEndpoints } from './check.ts'
import { createEndpoint } from './endpoint.ts'
import { createRedactor, isBlamed, isTriedAgain } from './faults.ts'
import { serverLimits, type ServerLimits } from './limits.ts'
import { createOpenai } from './openai.ts'
import { resolveOptions, type ProtocolName, type ResolvedOptions } from './options.ts'
import { createPlaces, type Claim, type Place } from './places.ts'
import type { Completion, Protocol } from './protocol.ts'
import { createSglang } from './sglang.ts'
import { openTurn, type Turn } from './turn.ts'
import { createVllmCompletions } from './vllm-completions.ts'

export interface ServerOptions {
  protocol: ProtocolName
  /** Addresses with or without a path in front of the routes; a trailing `/v1` is taken off. No credentials, query or fragment. */
  urls: readonly string[]
  /** As the server knows it. */
  model: string
  /** `openai` alone: whether to ask for token ids and logprobs. `auto` looks at `GET /v1/models`. Default `auto`. */
  flavour?: 'vllm' | 'generic' | 'auto'
  /** `openai` alone: take the answer in events. Nobody reads along, so it is off. */
  stream?: boolean
  /** Variable of the environment that holds the key. Default `SPAR_API_KEY`; no key where it is not set. */
  apiKeyVariable?: string
  /** What the server was started with: `raw_logprobs`, `processed_logprobs`. Default: not known. */
  logprobsMode?: string | null
  limits?: Partial<ServerLimits>
}

export interface ServerPorts {
  clock: Clock
  random: Random
  env: Readonly<Record<string, string | undefined>>
  /**
   * Asked whenever a turn is sent. A turn that an update meets half way counts for the version that began it. What the server's
   * own answer says goes before it.
   */
  versions?: PolicyVersions
}

/** @throws OPTION_SERVER for options that cannot be used. */
export function createServer (options: ServerOptions, ports: ServerPorts): ModelServer {
  const resolved = resolveOptions(options, ports.env)
  const limits = { ...serverLimits, ...options.limits }
  const redact = createRedactor(resolved.key)
  const { clock, random } = ports
  const endpoints = resolved.urls.map((url, index) => createEndpoint({ url, model: resolved.model, key: resolved.key, redact, limits, clock, random: random.fork(`endpoint ${index}`) }))
  const places = createPlaces(endpoints, limits, clock)
  const protocol = createProtocol(resolved, limits)
  const pauses = random.fork('pauses')

  const tryOnce = async (ask: Ask, place: Place, signal: AbortSignal): Promise<Tried> => {
    if (place.isProbe) {
      await place.endpoint.look(signal)
      place.mended()
    }
    const version = ports.versions?.current() ?? null
    const startedAt = clock.now()
    const completion = await protocol.complete(place.endpoint, ask, signal)
    return { ...completion, policyVersion: completion.policyVersion ?? version, startedAt, endedAt: clock.now() }
  }

  const tryInPlace = async (ask: Ask, claim: Claim, turn: Turn): Promise<Tried & { endpoint: string }> => {
    const place = await places.take(claim, turn.signal)
    let ending: unknown = null
    try {
      return { ...await tryOnce(ask, place, turn.signal), endpoint: place.endpoint.address }
    } catch (thrown) {
      ending = turn.explain(thrown)
      if (isBlamed(ending)) claim.failedAt = place.endpoint
      throw ending
    } finally {
      place.leave(ending)
    }
  }

  /** Milliseconds until the next try; null: there is none. */
  const pauseAfter = (error: unknown, failed: number, turn: Turn): number | null => {
    if (!isTriedAgain(error) || failed >= limits.triesMax || turn.signal.aborted) return null
    const backoff = Math.min(limits.backoffMsMax, limits.backoffMsMin * 2 ** Math.min(failed - 1, 30)) * (0.5 + pauses.next() / 2)
    const asked = Math.min(limits.retryAfterMsMax, ((error as SparError).data['retryAfterMs'] as number | null | undefined) ?? 0)
    const pause = Math.max(backoff, asked)
    return clock.now() + pause < turn.endsAt ? pause : null
  }

  return {
    name: `${resolved.protocol} ${endpoints.map(endpoint => endpoint.address).join(',')}`,
    model: resolved.model,
    nativeTools: protocol.nativeTools,

    async ask (ask, signal) {
      const turn = openTurn(clock, limits.turnMsMax, signal)
      const claim: Claim = { conversation: ask.conversation, tokens: tokensOf(ask), failedAt: null }
      try {
        for (let failed = 0; ;) {
          try {
            return finish(await tryInPlace(ask, claim, turn), failed, resolved)
          } catch (thrown) {
            const error = turn.explain(thrown)
            const pause = pauseAfter(error, ++failed, turn)
            if (pause === null) throw withTries(error, failed)
            await clock.sleep(pause, turn.signal).catch(stopped => { throw turn.explain(stopped) })
          }
        }
      } finally {
        turn.close()
      }
    },

    async check () {
      const turn = openTurn(clock, limits.sideMsMax, new AbortController().signal)
      try {
        return judgeEndpoints(resolved.model, await Promise.all(endpoints.map(async ({ address, describe }) => {
          const [looked] = await Promise.allSettled([describe(turn.signal).catch((thrown: unknown) => { throw turn.explain(thrown) })])
          return { address, looked: looked! }
        })))
      } finally {
        turn.close()
      }
    },

    async close () {
      places.close()
      await Promise.all(endpoints.map(endpoint => endpoint.close()))
    }
  }
}

type Tried = Completion & Pick<Answer, 'startedAt' | 'endedAt'>

function createProtocol ({ protocol, model, flavour, stream }: ResolvedOptions, limits: ServerLimits): Protocol {
  if (protocol === 'openai') return createOpenai({ model, flavour, stream, limits })
  return protocol === 'sglang' ? createSglang({ model, limits }) : createVllmCompletions({ model, limits })
}

const finish = (tried: Tried & { endpoint: string }, retries: number, { model, logprobsMode }: ResolvedOptions): Answer =>
  ({ ...tried, model, logprobsMode: tried.completionLogprobs === null ? null : logprobsMode, retries })

const withTries = (error: unknown, tries: number): unknown =>
  error instanceof SparError ? new SparError(error.code, tries > 1 ? `${error.message} (${tries} tries)` : error.message, { retryable: error.retryable, data: { ...error.data, tries } }) : error

/** What a turn may come to, roughly: it only says which endpoint has more to do. */
function tokensOf ({ messages, tokensSoFar, messagesSoFar, sampling }: Ask): number {
  const from = tokensSoFar === null ? 0 : messagesSoFar
  const characters = messages.characters?.(from) ?? messages.slice(from).reduce((sum, { content }) => sum + content.length, 0)
  return (tokensSoFar?.length ?? 0) + Math.ceil(characters / 4) + sampling.maxTokens
}
