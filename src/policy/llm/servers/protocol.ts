// What a wire protocol is to the rest: one request for one turn on one endpoint, and the completion that came of it. Choosing
// the endpoint, trying again and deadlines are no concern of a protocol.

import type { Answer, Ask } from '../types.ts'
import { fault } from './faults.ts'
import type { Http } from './http.ts'

/** What an endpoint says of itself. */
export interface Description {
  flavour: 'vllm' | 'sglang' | 'generic'
  contextTokensMax: number | null
  /** The models that it serves where ours is none of them; null: it serves ours, or does not say. */
  others: string[] | null
}

/** One endpoint, as a protocol sees it. */
export interface Line { http: Http; describe (signal: AbortSignal): Promise<Description> }

export type Completion = Pick<Answer,
  'text' | 'toolCalls' | 'finishReason' | 'promptTokenIds' | 'completionTokenIds' | 'completionLogprobs' | 'promptTokens' | 'completionTokens' | 'cachedTokens' | 'policyVersion' | 'untrainable'>

export interface Protocol {
  readonly nativeTools: boolean
  complete (line: Line, ask: Ask, signal: AbortSignal): Promise<Completion>
}

/** A finish reason as the wire has it, in our words. An abort is never a stop: it is thrown. */
export function finishReason (wire: unknown, toolCalls: number, address: string): Answer['finishReason'] {
  const what = `take the completion of ${address}`
  if (wire === 'abort' || wire === 'aborted') throw fault('SERVER_ABORTED', what, 'the server aborted it, which is not its end')
  if (wire === 'error') throw fault('SERVER_ERROR', what, 'the server failed in the middle of it')
  if (wire === 'length') return 'length'
  if (wire === 'content_filter') return 'refused'
  if (wire === 'tool_calls' || wire === 'function_call') return 'tool_calls'
  if (wire === 'stop') return toolCalls > 0 ? 'tool_calls' : 'stop'
  throw fault('SERVER_PROTOCOL', what, `its finish reason is ${JSON.stringify(wire) ?? 'missing'}`)
}

/**
 * Tokens for the completion of a prompt: what was asked for, or what the model's context leaves. A prompt that leaves nothing is
 * not sent.
 */
export function roomFor (promptTokens: number, asked: number, contextTokensMax: number | null, address: string): number {
  if (contextTokensMax === null) return asked
  const left = contextTokensMax - promptTokens
  if (left < 1) throw fault('CONTEXT_EXHAUSTED', `ask ${address}`, `the conversation has ${promptTokens} tokens, the model takes ${contextTokensMax}`, { promptTokens, contextTokensMax })
  return Math.min(asked, left)
}

/**
 * Posts a JSON object with one list of token ids. They are written as they are, since a prompt may have 100,000 of them; and not in
 * an async function, which would keep that text for as long as the model takes.
 */
export const postTokens = (line: Line, path: string, body: Record<string, unknown>, name: string, ids: Int32Array, signal: AbortSignal): Promise<unknown> =>
  line.http.post(path, `${JSON.stringify(body).slice(0, -1)},${JSON.stringify(name)}:[${ids.join(',')}]}`, signal)

/**
 * Sampling extras that vLLM and SGLang share. What is off is said to be off, because both would else take the defaults that the
 * model came with, and the record would name a distribution that the tokens were not drawn from.
 */
export const openExtras = (topK: number | null): Record<string, number> => ({ top_k: topK ?? -1, min_p: 0, repetition_penalty: 1 })
