// One attempt of a rollout as the proxy sees it: the calls that an agent makes, what they cost, and what they are as a record.
// A call is numbered when it begins, so that calls at the same time have their place.

import { toPlain } from '../../../errors.ts'
import type { Clock, PolicyTrace } from '../../../ports.ts'
import type { RolloutRecord } from '../../../rollout/record.ts'
import type { ModelCall } from '../../../workers/codec/tokens.ts'
import { callOf, unansweredCall, whyUntrainable } from '../calls.ts'
import type { Answer, AskedTool, ChatMessage, ModelServer, Sampling } from '../types.ts'
import { createCallIds } from './call-ids.ts'
import { createConversations, type Base } from './conversations.ts'
import type { Asked } from './dialect.ts'
import { badRequest, fault } from './faults.ts'
import type { ProxyLimits } from './limits.ts'

export interface ProxySettings {
  /** What a client does not say. */
  sampling: Omit<Sampling, 'seed'>
  /** The first call of an attempt is sampled with it, the next with the next; null: with none. */
  seed: number | null
  /** Version of the weights, where the server does not say it. */
  version: string
}

export interface AttemptOptions { rollout: string; attempt: number; server: ModelServer; settings: ProxySettings; clock: Clock; limits: ProxyLimits }

export interface Answered { call: ModelCall; answer: Answer }

export interface Attempt {
  readonly rollout: string
  readonly attempt: number
  readonly startedAt: number
  /** When something last came or went. */
  readonly usedAt: number
  readonly inFlight: number
  /**
   * Begins a call: its number, and what it comes to, which rejects with what the server rejects with. Throws PROXY_REQUEST where it
   * cannot be asked at all, PROXY_FINISHED, and PROXY_SPENT and PROXY_BUSY at the limits.
   */
  begin (asked: Asked, signal: AbortSignal): { number: number; answered: Promise<Answered> }
  /** Waits until the calls under way are over. */
  settled (): Promise<void>
  /** Takes no more calls and ends those under way; then the same. */
  stop (): Promise<void>
  trace (): PolicyTrace
  readonly conversations: number
  readonly messages: RolloutRecord['messages']
  /** Tools that agents asked for and did not get. */
  readonly leftOut: readonly string[]
}

export function createAttempt ({ rollout, attempt, server, settings, clock, limits }: AttemptOptions): Attempt {
  const conversations = createConversations(limits.conversationsMax)
  const ids = createCallIds()
  const calls = new Map<number, { call: ModelCall; said: Said | null }>()
  const leftOut = new Set<string>()
  const stopping = new AbortController()
  const running = new Set<Promise<unknown>>()
  const startedAt = clock.now()
  let usedAt = startedAt
  let begun = 0
  let untrainable: string | null = null

  const samplingOf = ({ sampling: { temperature, topP, topK, maxTokens, seed } }: Asked, number: number): Sampling => ({
    temperature: temperature ?? settings.sampling.temperature,
    topP: topP ?? settings.sampling.topP,
    topK: topK === null ? settings.sampling.topK : topK < 1 ? null : topK,
    maxTokens: maxTokens ?? settings.sampling.maxTokens,
    seed: seed ?? (settings.seed === null ? null : (settings.seed + number) % 2 ** 31)
  })

  const keep = (number: number, base: Base, sampling: Sampling, answer: Answer): ModelCall => {
    const call = callOf(`${rollout}.${number}`, sampling, answer, settings.version)
    untrainable ??= whyUntrainable(answer)
    conversations.settle(base, { number, callId: call.call_id, version: call.policy_version }, answer)
    calls.set(number, { call, said: { text: answer.text, toolCalls: answer.toolCalls, heard: null } })
    return call
  }

  const play = async (asked: Asked, number: number, signal: AbortSignal): Promise<Answered> => {
    const messages = ids.inward(asked.messages)
    const base = conversations.find(messages)
    const before = base.call === null ? null : calls.get(base.call)?.said
    if (before) before.heard ??= heardOf(messages.slice(base.messages.findLastIndex(message => message.role === 'assistant') + 1))
    const sampling = samplingOf(asked, number)
    const begunAt = clock.now()
    try {
      const answer = await server.ask({ messages: base.messages, tools: asked.tools, sampling, conversation: `${rollout}.${attempt}`, tokensSoFar: base.tokensSoFar, messagesSoFar: base.messagesSoFar }, signal)
      return { call: keep(number, base, sampling, answer), answer: { ...answer, toolCalls: ids.outward(answer.toolCalls, number) } }
    } catch (error) {
      calls.set(number, { call: unansweredCall(`${rollout}.${number}`, sampling, server, settings.version, { startedAt: begunAt, endedAt: clock.now(), error: toPlain(error) }), said: null })
      throw error
    }
  }

  const settled = async (): Promise<void> => { await Promise.allSettled(running) }

  const inOrder = (): { number: number; call: ModelCall; said: Said | null }[] => [...calls].sort(([one], [other]) => one - other).map(([number, kept]) => ({ number, ...kept }))

  return {
    rollout,
    attempt,
    startedAt,
    get usedAt () { return usedAt },
    get inFlight () { return running.size },
    get conversations () { return conversations.count },
    get leftOut () { return [...leftOut] },
    begin (asked, signal) {
      requireServed(asked, server)
      if (stopping.signal.aborted) throw fault('PROXY_FINISHED', `Cannot take a call for ${rollout}, attempt ${attempt}: it is finished`)
      if (begun >= limits.callsMax) throw fault('PROXY_SPENT', `Cannot take a call for ${rollout}, attempt ${attempt}: it has had ${begun} calls, as many as callsMax allows`)
      if (running.size >= limits.inFlightMax) throw fault('PROXY_BUSY', `Cannot take a call for ${rollout}, attempt ${attempt}: ${running.size} are under way, as many as inFlightMax allows`)
      usedAt = clock.now()
      for (const name of asked.leftOut) if (leftOut.size < limits.toolsMax) leftOut.add(name)
      const number = begun++
      const answered = play(asked, number, AbortSignal.any([signal, stopping.signal])).finally(() => {
        running.delete(answered)
        usedAt = clock.now()
      })
      running.add(answered)
      return { number, answered }
    },
    settled,
    async stop () {
      stopping.abort()
      await settled()
    },
    trace () {
      const { segments, places } = conversations.read()
      return {
        calls: inOrder().map(({ number, call }) => ({ ...call, segment: places.get(number) ?? null })),
        segments,
        untrainable: untrainable ?? (segments.length === 0 ? 'no call was answered' : null)
      }
    },
    get messages () { return inOrder().flatMap(({ said }) => said === null ? [] : saidOf(said)) }
  }
}

/** What the model said, and what the agent said to that. No tokens: every prompt repeats the ones before it. */
interface Said { text: string; toolCalls: readonly AskedTool[]; heard: string | null }

function requireServed (asked: Asked, server: ModelServer): void {
  const last = asked.messages.at(-1)
  if (last === undefined) throw badRequest('the conversation is empty')
  if (last.role === 'assistant') throw badRequest('the conversation ends with the assistant, and the beginning of a reply cannot be passed on to the inference server')
  if (asked.tools !== null && !server.nativeTools) throw badRequest('the inference server is asked for tokens and makes no tool calls of them. Start the proxy with openai=<url> for an agent that uses tools')
}

const heardOf = (messages: readonly ChatMessage[]): string => messages.map(message => message.content).join('\n')

function saidOf ({ text, toolCalls, heard }: Said): RolloutRecord['messages'] {
  const calls = toolCalls.map(({ name, arguments: given }) => ({ name, arguments: given }))
  const assistant = { role: 'assistant' as const, content: text, tool_call: calls.length === 0 ? null : calls.length === 1 ? calls[0] : calls }
  return heard === null ? [assistant] : [assistant, { role: 'tool', content: heard, tool_call: null }]
}
