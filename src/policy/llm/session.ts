// One rollout of a model: its conversation, the calls it cost, and how its replies are read. What the model does wrong is
// answered with what was wrong, and counts as its fault; what the server does wrong is thrown, and never counts.

import type { Observation, Reply, RolloutTask } from '../../domain.ts'
import { SparError, toPlain } from '../../errors.ts'
import type { Clock, PolicySession, PolicyTrace, PolicyVersions } from '../../ports.ts'
import type { ModelCall } from '../../workers/codec/tokens.ts'
import { callOf, unansweredCall, whyUntrainable } from './calls.ts'
import { readNativeCall } from './native.ts'
import { openingOf, type Prompts } from './prompts.ts'
import { createSegments } from './segments.ts'
import type { Spill } from '../../rollout/spill.ts'
import { createSpilledList } from '../../rollout/spilled-list.ts'
import { readTextCall } from './text-protocol.ts'
import { toolSchemas, type CallRead } from './tools.ts'
import type { Answer, ChatMessage, ModelServer, Sampling } from './types.ts'

/**
 * Characters of one conversation, as JSON: what is read back and sent in one request of a chat server. 128 results of 128 KB and as
 * many replies stay below it; what goes beyond ends the rollout, as a full context does.
 */
export const conversationCharsMax = 2 ** 25

export interface LlmSettings {
  sampling: Omit<Sampling, 'seed'>
  tools: 'native' | 'text'
  /** What a reply without a usable call comes to: told to the model, or the end of the rollout. */
  formatErrors: 'answer' | 'end'
  /** Time that the model's commands may take together, milliseconds; waiting for the server is not counted. */
  commandsMsMax: number
}

export interface LlmSessionOptions { server: ModelServer; prompts: Prompts; settings: LlmSettings; clock: Clock; task: RolloutTask; versions: PolicyVersions; /** Where messages are kept; null: in the heap. */ spill: Spill | null }

export function createLlmSession ({ server, prompts, settings, clock, task, versions, spill }: LlmSessionOptions): PolicySession {
  const opening = openingOf(prompts, task, settings.tools)
  const messages = createSpilledList<ChatMessage>(spill)
  messages.push({ role: 'system', content: opening.system })
  messages.push({ role: 'user', content: opening.user })
  const tools = settings.tools === 'native' ? toolSchemas(task.role) : null
  const calls: ModelCall[] = []
  const segments = createSegments()
  /** Messages that the tokens of the last segment stand for; 0 where there are no tokens. */
  let messagesSoFar = 0
  let untrainable: string | null = null
  let context = 0
  let commandsMs = 0
  let repliedAt: number | null = null

  const nextId = (): string => `${task.rolloutId}.${calls.length}`

  const keep = (sampling: Sampling, answer: Answer, version: string): void => {
    const { promptTokenIds: prompt, completionTokenIds: completion, completionLogprobs: logprobs } = answer
    const call = callOf(nextId(), sampling, answer, version)
    untrainable ??= whyUntrainable(answer)
    if (prompt !== null && completion !== null) call.segment = segments.add({ callId: call.call_id, prompt, completion, logprobs, version: call.policy_version })
    messagesSoFar = call.segment === null ? 0 : messages.length + 1
    calls.push(call)
  }

  const ask = async (tokensLeft: number, signal: AbortSignal): Promise<Answer> => {
    const sampling: Sampling = { ...settings.sampling, maxTokens: Math.max(1, Math.min(settings.sampling.maxTokens, tokensLeft)), seed: (task.seed + calls.length) % 2 ** 31 }
    const startedAt = clock.now()
    const version = versions.current()
    try {
      const answer = await server.ask({ messages, tools, sampling, conversation: task.rolloutId, tokensSoFar: messagesSoFar === 0 ? null : segments.last, messagesSoFar }, signal)
      keep(sampling, answer, version)
      return answer
    } catch (error) {
      calls.push(unansweredCall(nextId(), sampling, server, version, { startedAt, endedAt: clock.now(), error: toPlain(error) }))
      throw error
    }
  }

  const read = (answer: Answer): CallRead => {
    const call = settings.tools === 'native' ? readNativeCall(task.role, answer.toolCalls) : readTextCall(task.role, answer.text)
    if (call.call === null && answer.finishReason === 'length') return { call: null, fault: `the reply was cut off at its limit of tokens; ${call.fault}` }
    return call
  }

  return {
    async next (observation, signal) {
      if (observation !== null) {
        if (repliedAt !== null) commandsMs += clock.now() - repliedAt
        for (const told of toldOf(messages.last!, observation, Math.max(0, settings.commandsMsMax - commandsMs))) messages.push(told)
        if (messages.characters() > conversationCharsMax) return ended(`its conversation has more than ${conversationCharsMax} characters`)
        if (commandsMs > settings.commandsMsMax) return ended(`its commands took more than ${settings.commandsMsMax / 1000} s together`)
      }
      let answer: Answer
      try {
        answer = await ask(observation?.tokensLeft ?? task.tokensMax, signal)
      } catch (error) {
        if (error instanceof SparError && error.code === 'CONTEXT_EXHAUSTED') return ended('the conversation does not fit the context of the model')
        throw error
      }
      messages.push({ role: 'assistant', content: answer.text, toolCalls: answer.toolCalls })
      context = answer.promptTokens !== null && answer.completionTokens !== null ? answer.promptTokens + answer.completionTokens : context
      repliedAt = clock.now()
      const counted = context > 0 ? { contextTokens: context } : {}
      if (answer.finishReason === 'refused') return { ...ended('the server\'s filter refused the reply'), text: answer.text, ...counted }
      const { call, fault } = read(answer)
      if (call === null && settings.formatErrors === 'end') return { text: answer.text, call: null, fault, ends: true, ...counted }
      return { text: answer.text, call, fault, ...counted }
    },
    trace: (): PolicyTrace => ({ calls, segments: segments.read(), untrainable: untrainable ?? (segments.last === null ? 'no call was answered' : null) }),
    get lastCall () { return calls.at(-1) ?? null },
    async close () { messages.free() }
  }
}

const ended = (reason: string): Reply => ({ text: '', call: null, fault: reason, ends: true })

/** The result as the model reads it: as the answer to its call, or as a message where it made none that the server knows. */
function toldOf (last: ChatMessage, observation: Observation, msLeft: number): ChatMessage[] {
  const content = resultText(observation, msLeft)
  const ids = last.role === 'assistant' ? last.toolCalls.map(call => call.id) : []
  return ids.length === 0 ? [{ role: 'user', content }] : ids.map(id => ({ role: 'tool', content, toolCallId: id }))
}

function resultText ({ exitCode, text, turnsLeft, tokensLeft }: Observation, msLeft: number): string {
  const code = exitCode === null ? 'killed' : `exit code ${exitCode}`
  return `${text}${text === '' || text.endsWith('\n') ? '' : '\n'}[${code}; left: ${turnsLeft} turns, ${tokensLeft} tokens, ${Math.floor(msLeft / 1000)} s of commands]`
}
