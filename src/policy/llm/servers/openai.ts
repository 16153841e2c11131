// Chat completions as OpenAI has them. vLLM is asked for token ids and logprobs as well; what comes of any other server is text
// alone, which plays but cannot be trained on. A stream is put together to what the server would have answered in one piece,
// and then read by the same code.

import { SparError } from '../../../errors.ts'
import type { Ask } from '../types.ts'
import { createAssembly } from './assemble.ts'
import { roomLeft } from './faults.ts'
import type { ServerLimits } from './limits.ts'
import { readToolCalls, wireMessage, wireTools } from './messages.ts'
import { finishReason, openExtras, type Completion, type Line, type Protocol } from './protocol.ts'
import { count, fields, list, logprobs, tokenIds, type Fields } from './values.ts'

export interface OpenaiOptions { model: string; flavour: 'vllm' | 'generic' | 'auto'; stream: boolean; limits: ServerLimits }

export function createOpenai ({ model, flavour, stream, limits }: OpenaiOptions): Protocol {
  /** Not an async function: that would keep the body for as long as the model takes. */
  const send = (line: Line, ask: Ask, isVllm: boolean, maxTokens: number, signal: AbortSignal): Promise<Fields> => {
    const path = '/v1/chat/completions'
    const body = { ...requestOf(model, ask, isVllm), max_tokens: maxTokens }
    if (!stream) return line.http.post(path, JSON.stringify(body), signal).then(answer => fields(answer, 'answer'))
    const assembly = createAssembly(line.http.address, limits)
    return line.http.stream(path, JSON.stringify({ ...body, stream: true, stream_options: { include_usage: true } }), signal, assembly.add).then(assembly.end)
  }

  return {
    nativeTools: true,
    async complete (line, ask, signal) {
      const isVllm = flavour === 'auto' ? (await line.describe(signal)).flavour === 'vllm' : flavour === 'vllm'
      let answer: Fields
      try {
        answer = await send(line, ask, isVllm, ask.sampling.maxTokens, signal)
      } catch (error) {
        // The prompt may fit where prompt and completion together do not: the server says what is left, and once is enough.
        const left = error instanceof SparError && error.code === 'CONTEXT_EXHAUSTED' ? roomLeft(error.message) : null
        if (left === null || left < 1 || left >= ask.sampling.maxTokens) throw error
        answer = await send(line, ask, isVllm, left, signal)
      }
      return read(answer, ask, isVllm, line.http.address, limits)
    }
  }
}

function requestOf (model: string, { messages, tools, sampling }: Ask, isVllm: boolean): Fields {
  return {
    model,
    messages: messages.slice().map(wireMessage),
    ...tools === null || tools.length === 0 ? {} : { tools: wireTools(tools), tool_choice: 'auto' },
    temperature: sampling.temperature,
    top_p: sampling.topP,
    ...sampling.seed === null ? {} : { seed: sampling.seed },
    ...isVllm
      ? { ...openExtras(sampling.topK), logprobs: true, return_token_ids: true }
      : sampling.topK === null ? {} : { top_k: sampling.topK }
  }
}

function read (answer: Fields, ask: Ask, isVllm: boolean, address: string, limits: ServerLimits): Completion {
  const choice = fields(list(answer['choices'], 'choices')[0], 'choices[0]')
  const message = fields(choice['message'], 'choices[0].message')
  const toolCalls = readToolCalls(message['tool_calls'], ask.messages.length, limits.toolCallsMax)
  const isRefusal = typeof message['refusal'] === 'string' && message['refusal'] !== ''
  const usage = (answer['usage'] ?? {}) as Fields
  return {
    text: typeof message['content'] === 'string' && message['content'] !== '' ? message['content'] : isRefusal ? message['refusal'] as string : '',
    toolCalls,
    finishReason: isRefusal ? 'refused' : finishReason(choice['finish_reason'], toolCalls.length, address),
    ...readTokens(answer, choice, isVllm),
    promptTokens: count(usage['prompt_tokens']),
    completionTokens: count(usage['completion_tokens']),
    cachedTokens: count((usage['prompt_tokens_details'] as Fields | null | undefined)?.['cached_tokens']),
    policyVersion: null
  }
}

type Tokens = Pick<Completion, 'promptTokenIds' | 'completionTokenIds' | 'completionLogprobs' | 'untrainable'>

export const textOnly = (untrainable: string): Tokens => ({ promptTokenIds: null, completionTokenIds: null, completionLogprobs: null, untrainable })

function readTokens (answer: Fields, choice: Fields, isVllm: boolean): Tokens {
  if (!isVllm) return textOnly('the server is not known to give token ids')
  // Null for some models, though asked for. Tokens are not made up from the text: it may have been cut elsewhere.
  if (answer['prompt_token_ids'] == null) return textOnly('the server gave no token ids of the prompt')
  if (choice['token_ids'] == null) return textOnly('the server gave no token ids of the completion')
  const promptTokenIds = tokenIds(answer['prompt_token_ids'], 'prompt_token_ids')
  const completionTokenIds = tokenIds(choice['token_ids'], 'choices[0].token_ids')
  const content = (choice['logprobs'] as Fields | null | undefined)?.['content']
  if (content == null) return { promptTokenIds, completionTokenIds, completionLogprobs: null, untrainable: 'the server gave no logprobs' }
  const values = list(content, 'logprobs.content').map(entry => fields(entry, 'logprobs.content')['logprob'])
  return { promptTokenIds, completionTokenIds, completionLogprobs: logprobs(values, completionTokenIds.length, 'logprobs.content'), untrainable: null }
}
