// Calls of a model as the record keeps them, the same whoever holds the conversation: a rollout of ours (session.ts) or an
// agent with a loop of its own (proxy/). The tokens of a call stand in a segment.

import type { PlainError } from '../../errors.ts'
import type { ModelCall } from '../../workers/codec/tokens.ts'
import type { Answer, ModelServer, Sampling } from './types.ts'

/** Why nothing can be trained on an answer; null: it can. */
export function whyUntrainable ({ untrainable, promptTokenIds: prompt, completionTokenIds: completion, completionLogprobs: logprobs }: Answer): string | null {
  return untrainable ?? (prompt === null || completion === null ? 'the server does not say its token ids' : logprobs === null ? 'the server does not say its logprobs' : null)
}

const samplingOf = ({ temperature, topP, topK, seed, maxTokens }: Sampling): ModelCall['sampling'] => ({ temperature, top_p: topP, top_k: topK, seed, max_tokens: maxTokens })

/** `version` counts where the server does not say its own; the segment is not known yet. */
export const callOf = (callId: string, sampling: Sampling, answer: Answer, version: string): ModelCall => ({
  call_id: callId, endpoint: answer.endpoint, model: answer.model, policy_version: answer.policyVersion ?? version, sampling: samplingOf(sampling), logprobs_mode: answer.logprobsMode,
  prompt_token_ids: null, completion_token_ids: null, completion_logprobs: null, segment: null,
  prompt_tokens: answer.promptTokenIds?.length ?? answer.promptTokens, completion_tokens: answer.completionTokenIds?.length ?? answer.completionTokens, finish_reason: answer.finishReason, cached_tokens: answer.cachedTokens, started_at: answer.startedAt, ended_at: answer.endedAt, error: null
})

export interface Failure { startedAt: number; endedAt: number; error: PlainError }

export const unansweredCall = (callId: string, sampling: Sampling, server: ModelServer, version: string, { startedAt, endedAt, error }: Failure): ModelCall => ({
  call_id: callId, endpoint: server.name, model: server.model, policy_version: version, sampling: samplingOf(sampling), logprobs_mode: null,
  prompt_token_ids: null, completion_token_ids: null, completion_logprobs: null, segment: null, prompt_tokens: null, completion_tokens: null, finish_reason: null, cached_tokens: null,
  started_at: startedAt, ended_at: endedAt, error
})
