// Answers of the fake server as the three kinds of server write them, whole and in chunks, and what a fault makes of them.

import type { Fault } from './faults.ts'
import { logprobOf } from './model.ts'

export type Fields = Record<string, unknown>
export interface FakeReply { content: string; toolCalls?: { name: string; arguments: string }[]; refusal?: string }
export interface Completion { prompt: number[]; ids: number[]; reply: FakeReply; finish: string; cached: number }

export interface Served { model: string; kind: string; weightVersion: string }
type Shape = (completion: Completion, body: Fields, served: Served) => Fields

const logprobsOf = ({ prompt, ids }: Completion): number[] => ids.map((id, index) => logprobOf(id, prompt.length + index))
const usageOf = ({ prompt, ids, cached }: Completion): Fields => ({ prompt_tokens: prompt.length, completion_tokens: ids.length, total_tokens: prompt.length + ids.length, prompt_tokens_details: { cached_tokens: cached } })
const textOf = ({ ids }: Completion): string => Buffer.from(ids.filter(id => id < 256)).toString('utf8')

export const shapes: Record<string, Shape> = {
  '/v1/chat/completions': (completion, body, { model, kind }) => {
    const { reply, finish, ids, prompt } = completion
    const speaksTokens = kind === 'vllm' && body['return_token_ids'] === true
    const calls = (reply.toolCalls ?? []).map((call, index) => ({ id: `call-${index}`, type: 'function', function: call }))
    const content = finish === 'length' ? textOf(completion) : reply.content
    return {
      id: 'chatcmpl-1', object: 'chat.completion', created: 1, model,
      choices: [{
        index: 0,
        message: { role: 'assistant', content: content === '' && calls.length > 0 ? null : content, ...calls.length > 0 && finish !== 'length' ? { tool_calls: calls } : {}, ...reply.refusal === undefined ? {} : { refusal: reply.refusal } },
        logprobs: body['logprobs'] === true ? { content: logprobsOf(completion).map((logprob, index) => ({ token: `token_id:${ids[index]}`, logprob, bytes: null, top_logprobs: [] })) } : null,
        finish_reason: finish,
        ...speaksTokens ? { token_ids: ids } : {},
        ...body['return_prompt_token_ids'] === true ? { prompt_token_ids: prompt } : {}
      }],
      usage: usageOf(completion),
      ...speaksTokens ? { prompt_token_ids: prompt } : {}
    }
  },
  '/v1/completions': (completion, body, { model }) => ({
    id: 'cmpl-1', object: 'text_completion', created: 1, model,
    choices: [{
      index: 0, text: textOf(completion), finish_reason: completion.finish === 'tool_calls' ? 'stop' : completion.finish,
      logprobs: body['logprobs'] === undefined ? null : { tokens: completion.ids.map(String), token_logprobs: logprobsOf(completion), top_logprobs: null, text_offset: [] },
      ...body['return_token_ids'] === true ? { token_ids: completion.ids, prompt_token_ids: completion.prompt } : {}
    }],
    usage: usageOf(completion)
  }),
  '/generate': (completion, body, { weightVersion }) => ({
    text: textOf(completion),
    output_ids: completion.ids,
    meta_info: {
      id: 'x', finish_reason: { type: completion.finish === 'tool_calls' ? 'stop' : completion.finish }, prompt_tokens: completion.prompt.length, completion_tokens: completion.ids.length, cached_tokens: completion.cached, weight_version: weightVersion,
      ...body['return_logprob'] === true ? { output_token_logprobs: logprobsOf(completion).map((logprob, index) => [logprob, completion.ids[index], null]) } : {}
    }
  })
}

/** Turns a whole answer into a wrong one. */
export function spoil (path: string, shape: Fields, fault: Fault | null): void {
  const choice = (shape['choices'] as Fields[] | undefined)?.[0] ?? {}
  const meta = (shape['meta_info'] ?? {}) as Fields
  if (fault?.kind === 'finish') {
    choice['finish_reason'] = fault.reason
    meta['finish_reason'] = { type: fault.reason }
  }
  if (fault?.kind === 'null tokens') {
    choice['token_ids'] = null
    meta['output_token_logprobs'] = null
  }
  if (fault?.kind === 'no logprobs') choice['logprobs'] = null
  if (fault?.kind === 'short logprobs') {
    if (path === '/generate') (meta['output_token_logprobs'] as unknown[]).pop()
    else Object.values(choice['logprobs'] as Fields).filter(Array.isArray).forEach(items => (items as unknown[]).pop())
  }
}

/** A chat completion in chunks, as vLLM cuts it: a role, some tokens at a time, a reason, the usage. */
export function chunksOf (shape: Fields): Fields[] {
  const choice = (shape['choices'] as Fields[])[0]!
  const message = choice['message'] as Fields
  const entries = (choice['logprobs'] as Fields | null)?.['content'] as unknown[] | undefined
  const ids = choice['token_ids'] as number[] | null | undefined
  const characters = [...(message['content'] as string | null) ?? '']
  const calls = (message['tool_calls'] ?? []) as { id: string; function: { name: string; arguments: string } }[]
  const step = 3
  const chunk = (delta: Fields, rest: Fields = {}): Fields => ({ id: shape['id'], object: 'chat.completion.chunk', choices: [{ index: 0, delta, logprobs: null, finish_reason: null, ...rest }] })
  const chunks: Fields[] = [{ ...chunk({ role: 'assistant', content: '' }), ...shape['prompt_token_ids'] === undefined ? {} : { prompt_token_ids: shape['prompt_token_ids'] } }]
  const rounds = Math.max(Math.ceil(characters.length / step), Math.ceil((ids?.length ?? 0) / step), Math.ceil((entries?.length ?? 0) / step))
  for (let round = 0; round < rounds; round++) {
    const part = <T>(items: readonly T[]): T[] => items.slice(round * step, (round + 1) * step)
    chunks.push(chunk(characters.length > round * step ? { content: part(characters).join('') } : {}, { ...ids === undefined ? {} : { token_ids: ids === null ? null : part(ids) }, ...entries === undefined ? {} : { logprobs: { content: part(entries) } } }))
  }
  calls.forEach((call, index) => {
    chunks.push(chunk({ tool_calls: [{ index, id: call.id, type: 'function', function: { name: call.function.name, arguments: '' } }] }))
    for (const piece of call.function.arguments.match(/[^]{1,4}/g) ?? []) chunks.push(chunk({ tool_calls: [{ index, function: { arguments: piece } }] }))
  })
  if (typeof message['refusal'] === 'string') chunks.push(chunk({ refusal: message['refusal'] }))
  chunks.push(chunk({}, { finish_reason: choice['finish_reason'] }))
  chunks.push({ id: shape['id'], object: 'chat.completion.chunk', choices: [], usage: shape['usage'] })
  return chunks
}
