// SGLang's own `/generate`: tokens in, tokens and logprobs out, with the version of the weights in every answer.
//
// Rendering a conversation: SGLang's `/tokenize` takes text alone and knows no chat template (some gateways in front of it do
// take messages). So where messages are refused, the prompt is had from `/v1/chat/completions` with `return_prompt_token_ids`
// and one token to sample, which is thrown away. That costs one step of the model, and the cache holds the prompt afterwards. A
// server that gives neither cannot be spoken to in tokens, and says so.

import { SparError } from '../../../errors.ts'
import { fault } from './faults.ts'
import type { ServerLimits } from './limits.ts'
import { wireMessage, wireTools } from './messages.ts'
import { textOnly } from './openai.ts'
import { createPrompts, type Render } from './prompts.ts'
import { finishReason, openExtras, postTokens, roomFor, type Completion, type Line, type Protocol } from './protocol.ts'
import { count, fields, list, logprobs, text, tokenIds, type Fields } from './values.ts'
import { tokenizer } from './vllm-completions.ts'

export function createSglang ({ model, limits }: { model: string; limits: ServerLimits }): Protocol {
  const prompts = createPrompts(limits.closingTokensMax)
  let way: 'tokenize' | 'chat' | null = null

  const renderer = (line: Line, signal: AbortSignal): Render => {
    const byTokenize = tokenizer(line, model, signal, () => {})
    const byChat = chatRenderer(line, model, signal)
    return async (messages, tools) => {
      if (way === 'chat') return await byChat(messages, tools)
      try {
        const tokens = await byTokenize(messages, tools)
        way = 'tokenize'
        return tokens
      } catch (error) {
        if (way !== null || !(error instanceof SparError) || error.code !== 'SERVER_REFUSED' || [401, 403].includes(error.data['status'] as number)) throw error
      }
      const tokens = await byChat(messages, tools)
      way = 'chat'
      return tokens
    }
  }

  return {
    nativeTools: false,
    async complete (line, ask, signal) {
      const { sampling } = ask
      const prompt = await prompts.tokensOf(ask, renderer(line, signal))
      const { contextTokensMax } = await line.describe(signal)
      const body = {
        sampling_params: {
          temperature: sampling.temperature,
          top_p: sampling.topP,
          ...openExtras(sampling.topK),
          ...sampling.seed === null ? {} : { sampling_seed: sampling.seed },
          max_new_tokens: roomFor(prompt.length, sampling.maxTokens, contextTokensMax, line.http.address)
        },
        return_logprob: true,
        stream: false
      }
      return read(fields(await postTokens(line, '/generate', body, 'input_ids', prompt, signal), 'answer'), prompt, line.http.address)
    }
  }
}

const chatRenderer = (line: Line, model: string, signal: AbortSignal): Render => async (messages, tools) => {
  const body = { model, messages: messages.map(wireMessage), ...tools === null || tools.length === 0 ? {} : { tools: wireTools(tools) }, max_tokens: 1, temperature: 0, return_prompt_token_ids: true }
  const answer = fields(await line.http.post('/v1/chat/completions', JSON.stringify(body), signal), 'answer')
  const choice = fields(list(answer['choices'], 'choices')[0], 'choices[0]')
  const ids = choice['prompt_token_ids'] ?? answer['prompt_token_ids']
  if (ids == null) {
    throw fault('SERVER_REFUSED', `have a conversation tokenised by ${line.http.address}`, 'its /tokenize takes no messages, and its chat completions give no prompt_token_ids. Take a newer SGLang, or protocol openai')
  }
  return tokenIds(ids, 'prompt_token_ids')
}

function read (answer: Fields, prompt: Int32Array, address: string): Completion {
  const meta = fields(answer['meta_info'], 'meta_info')
  const reason = fields(meta['finish_reason'], 'meta_info.finish_reason')
  const version = meta['weight_version']
  return {
    text: text(answer['text'], 'text'),
    toolCalls: [],
    finishReason: finishReason(reason['type'], 0, address),
    ...readTokens(meta, prompt),
    promptTokens: count(meta['prompt_tokens']) ?? prompt.length,
    completionTokens: count(meta['completion_tokens']),
    cachedTokens: count(meta['cached_tokens']),
    policyVersion: typeof version === 'string' || typeof version === 'number' ? String(version) : null
  }
}

/** `[logprob, token_id, text]` for each token: the logprob comes first. */
function readTokens (meta: Fields, prompt: Int32Array): ReturnType<typeof textOnly> {
  const entries = meta['output_token_logprobs']
  if (entries == null) return { ...textOnly('the server gave no token ids of the completion'), promptTokenIds: prompt }
  const rows = list(entries, 'output_token_logprobs').map(entry => list(entry, 'output_token_logprobs'))
  const said = count(meta['completion_tokens'])
  if (said !== null && said !== rows.length) throw fault('SERVER_PROTOCOL', 'read the answer', `"output_token_logprobs" is a list of ${rows.length} for ${said} completion tokens`)
  const completionTokenIds = tokenIds(rows.map(row => row[1]), 'output_token_logprobs')
  return { promptTokenIds: prompt, completionTokenIds, completionLogprobs: logprobs(rows.map(row => row[0]), rows.length, 'output_token_logprobs'), untrainable: null }
}
