// A client of inference servers and the fake servers behind it, closed with their test. Pauses are a few milliseconds.

import { setMaxListeners } from 'node:events'
import type { Test } from 'tap'
import { systemClock } from '../../src/clock.ts'
import type { SparError } from '../../src/errors.ts'
import { createServer, type ServerOptions, type ServerPorts } from '../../src/policy/llm/servers/index.ts'
import type { ServerLimits } from '../../src/policy/llm/servers/limits.ts'
import type { Answer, Ask, ChatMessage, ModelServer } from '../../src/policy/llm/types.ts'
import { createRandom } from '../../src/random.ts'
import { startFakeServer, type FakeServer, type FakeServerOptions } from './fake-server.ts'

export interface Way { name: string; fake: FakeServerOptions; options: Pick<ServerOptions, 'protocol' | 'flavour' | 'stream'>; givesTokens: boolean }

/** Every protocol, in every form that it has. */
export const ways: Way[] = [
  { name: 'openai, vLLM', fake: { kind: 'vllm' }, options: { protocol: 'openai', flavour: 'vllm' }, givesTokens: true },
  { name: 'openai, vLLM in events', fake: { kind: 'vllm' }, options: { protocol: 'openai', flavour: 'vllm', stream: true }, givesTokens: true },
  { name: 'openai, generic', fake: { kind: 'generic' }, options: { protocol: 'openai', flavour: 'generic' }, givesTokens: false },
  { name: 'openai, generic in events', fake: { kind: 'generic' }, options: { protocol: 'openai', flavour: 'generic', stream: true }, givesTokens: false },
  { name: 'vllm-completions', fake: { kind: 'vllm' }, options: { protocol: 'vllm-completions' }, givesTokens: true },
  { name: 'sglang, rendered by chat', fake: { kind: 'sglang' }, options: { protocol: 'sglang' }, givesTokens: true },
  { name: 'sglang, rendered by /tokenize', fake: { kind: 'sglang', tokenizesMessages: true }, options: { protocol: 'sglang' }, givesTokens: true }
]

export const quick: Partial<ServerLimits> = { triesMax: 3, turnMsMax: 30_000, backoffMsMin: 2, backoffMsMax: 5, fuseMsMin: 20, fuseMsMax: 50, retryAfterMsMax: 20 }

export async function openFake (t: Test, options: FakeServerOptions = {}): Promise<FakeServer> {
  const fake = await startFakeServer(options)
  t.teardown(() => fake.close())
  return fake
}

export interface ClientOptions extends Partial<ServerOptions> { ports?: Partial<ServerPorts> }

export function openClient (t: Test, urls: readonly string[], { ports = {}, ...options }: ClientOptions = {}): ModelServer {
  const server = createServer(
    { protocol: 'openai', flavour: 'vllm', model: 'fake', urls, ...options, limits: { ...quick, ...options.limits } },
    { clock: systemClock, random: createRandom(1), env: {}, ...ports })
  t.teardown(() => server.close())
  return server
}

export const hello: ChatMessage[] = [{ role: 'system', content: 'Be short.' }, { role: 'user', content: 'Is 7 a prime? Grüße 🦔' }]

/** An ask whose conversation is a list. */
export type ListAsk = Ask<readonly ChatMessage[]>

export const askOf = (change: Partial<ListAsk> = {}): ListAsk => ({
  messages: hello, tools: null, conversation: 'c1', tokensSoFar: null, messagesSoFar: 0,
  sampling: { temperature: 1, topP: 1, topK: null, seed: 7, maxTokens: 200 },
  ...change
})

/** The next turn of a conversation: what was answered, and what is said to it. */
export function follow (ask: ListAsk, answer: Answer, content: string): ListAsk {
  const { promptTokenIds: prompt, completionTokenIds: completion } = answer
  const said: ChatMessage[] = [...ask.messages, { role: 'assistant', content: answer.text, toolCalls: answer.toolCalls }]
  return {
    ...ask,
    messages: [...said, { role: 'user', content }],
    tokensSoFar: prompt === null || completion === null ? null : Int32Array.from([...prompt, ...completion]),
    messagesSoFar: said.length
  }
}

export const never: AbortSignal = new AbortController().signal
// Every turn of a test listens to it.
setMaxListeners(0, never)

export async function codeOf (asked: Promise<unknown>): Promise<SparError> {
  try {
    await asked
  } catch (error) {
    return error as SparError
  }
  throw new Error('it was answered')
}
