// vLLM's completions with a prompt of tokens: what the model sees is exactly what the record says. vLLM renders and tokenises
// (`POST /tokenize`) but parses no tool calls here, so tools are spoken of as text.

import type { Ask } from '../types.ts'
import type { ServerLimits } from './limits.ts'
import { wireMessage, wireTools } from './messages.ts'
import { textOnly } from './openai.ts'
import { createPrompts, type Render } from './prompts.ts'
import { finishReason, openExtras, postTokens, roomFor, type Completion, type Line, type Protocol } from './protocol.ts'
import { count, fields, list, logprobs, text, tokenIds, type Fields } from './values.ts'

export function createVllmCompletions ({ model, limits }: { model: string; limits: ServerLimits }): Protocol {
  const prompts = createPrompts(limits.closingTokensMax)

  return {
    nativeTools: false,
    async complete (line, ask, signal) {
      let contextTokensMax: number | null = null
      const prompt = await prompts.tokensOf(ask, tokenizer(line, model, signal, most => { contextTokensMax = most }))
      const { sampling } = ask
      const body = {
        model,
        max_tokens: roomFor(prompt.length, sampling.maxTokens, contextTokensMax, line.http.address),
        temperature: sampling.temperature,
        top_p: sampling.topP,
        ...openExtras(sampling.topK),
        ...sampling.seed === null ? {} : { seed: sampling.seed },
        // None besides the sampled token's own.
        logprobs: 0,
        return_token_ids: true
      }
      return read(fields(await postTokens(line, '/v1/completions', body, 'prompt', prompt, signal), 'answer'), prompt, line.http.address)
    }
  }
}

/** Renders and tokenises by `POST /tokenize`, which says how long a conversation may be as well. */
export const tokenizer = (line: Line, model: string, signal: AbortSignal, onContext: (most: number | null) => void): Render => async (messages, tools) => {
  const body = { model, messages: messages.map(wireMessage), add_generation_prompt: true, ...tools === null || tools.length === 0 ? {} : { tools: wireTools(tools) } }
  const answer = fields(await line.http.post('/tokenize', JSON.stringify(body), signal), 'answer')
  onContext(count(answer['max_model_len']))
  return tokenIds(answer['tokens'], 'tokens')
}

function read (answer: Fields, prompt: Int32Array, address: string): Completion {
  const choice = fields(list(answer['choices'], 'choices')[0], 'choices[0]')
  const usage = (answer['usage'] ?? {}) as Fields
  return {
    text: text(choice['text'], 'choices[0].text'),
    toolCalls: [],
    finishReason: finishReason(choice['finish_reason'], 0, address),
    ...readTokens(answer, choice, prompt),
    promptTokens: count(usage['prompt_tokens']) ?? prompt.length,
    completionTokens: count(usage['completion_tokens']),
    cachedTokens: count((usage['prompt_tokens_details'] as Fields | null | undefined)?.['cached_tokens']),
    policyVersion: null
  }
}

function readTokens (answer: Fields, choice: Fields, prompt: Int32Array): ReturnType<typeof textOnly> {
  if (choice['token_ids'] == null) return { ...textOnly('the server gave no token ids of the completion'), promptTokenIds: prompt }
  const completionTokenIds = tokenIds(choice['token_ids'], 'choices[0].token_ids')
  // What the server says that it saw goes before what was sent. It is the same, unless the server put something in front.
  const seen = choice['prompt_token_ids'] ?? answer['prompt_token_ids']
  const promptTokenIds = seen == null ? prompt : tokenIds(seen, 'choices[0].prompt_token_ids')
  const values = (choice['logprobs'] as Fields | null | undefined)?.['token_logprobs']
  if (values == null) return { promptTokenIds, completionTokenIds, completionLogprobs: null, untrainable: 'the server gave no logprobs' }
  return { promptTokenIds, completionTokenIds, completionLogprobs: logprobs(list(values, 'token_logprobs'), completionTokenIds.length, 'token_logprobs'), untrainable: null }
}
