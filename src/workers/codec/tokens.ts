// Calls of a model and runs of tokens, as a trainer needs them: ids, logprobs and masks are typed arrays, and go over the
// wire as bytes. Nothing is ever encoded again from text: an id that is not known is null, and so is a logprob.

import { SparError, type PlainError } from '../../errors.ts'
import { toWire, vectorOf } from './arrays.ts'

export interface ModelCall {
  call_id: string
  endpoint: string
  model: string
  policy_version: string
  sampling: { temperature: number | null; top_p: number | null; top_k: number | null; seed: number | null; max_tokens: number | null }
  /** What the server's logprobs are of: `raw_logprobs`, `processed_logprobs`, … */
  logprobs_mode: string | null
  /** null: in a segment, or the server did not say. */
  prompt_token_ids: Int32Array | null
  completion_token_ids: Int32Array | null
  /** One for each token of the completion. */
  completion_logprobs: Float32Array | null
  /**
   * Index of the segment that holds the call's tokens, whose arrays above are null then: every prompt repeats the ones before
   * it. The prompt is the segment's first `prompt_tokens` tokens, the completion the `completion_tokens` behind them.
   */
  segment: number | null
  prompt_tokens: number | null
  completion_tokens: number | null
  finish_reason: string | null
  cached_tokens: number | null
  /** Milliseconds since 1970. */
  started_at: number
  ended_at: number
  error: PlainError | null
}

export interface Segment {
  token_ids: Int32Array
  /** 1 for a token that the policy drew, 0 for one that it was given. As long as `token_ids`. */
  mask: Uint8Array
  /** Over all tokens, 0 where the mask is 0. As long as `token_ids`; null: the server gave none. */
  logprobs: Float32Array | null
  /** Weights behind the tokens, run by run; together as long as `token_ids`. */
  policy_versions: { version: string; tokens: number }[]
  call_ids: string[]
  /** Why the next segment does not go on from this one; null for the last. */
  break_reason: string | null
}

export interface Tokens { calls: ModelCall[]; segments: Segment[] }

export interface TokenLimits { callsMax: number; segmentsMax: number; tokensMax: number }
/** Of one record; `tokensMax` of one array. */
export const tokenLimits: Readonly<TokenLimits> = { callsMax: 100_000, segmentsMax: 100_000, tokensMax: 16_000_000 }

/** The same with arrays in their wire form. Throws RECORD_BAD_TOKENS when lengths do not fit. */
export function tokensToWire ({ calls, segments }: Tokens): { calls: unknown[]; segments: unknown[] } {
  requireTokens({ calls, segments })
  const wire = (array: Int32Array | Float32Array | Uint8Array | null): unknown => array === null ? null : toWire(array)
  return {
    calls: calls.map(call => ({ ...call, prompt_token_ids: wire(call.prompt_token_ids), completion_token_ids: wire(call.completion_token_ids), completion_logprobs: wire(call.completion_logprobs) })),
    segments: segments.map(segment => ({ ...segment, token_ids: wire(segment.token_ids), mask: wire(segment.mask), logprobs: wire(segment.logprobs) }))
  }
}

/** Back from the wire, with views of its bytes where they are aligned. Throws RECORD_BAD_TOKENS and CODEC_BAD_ARRAY. */
export function tokensFromWire (wire: { calls: unknown; segments: unknown }, limits: TokenLimits = tokenLimits): Tokens {
  const itemLimits = { dimensionsMax: 1, itemsMax: limits.tokensMax }
  const ids = (value: unknown, what: string): Int32Array => vectorOf(value, what, '<i4', itemLimits)
  const logprobs = (value: unknown, what: string): Float32Array | null => value === null ? null : vectorOf(value, what, '<f4', itemLimits)
  const calls = listOf(wire.calls, 'calls', limits.callsMax).map((call, index) => ({
    ...call as unknown as ModelCall,
    prompt_token_ids: call['prompt_token_ids'] === null ? null : ids(call['prompt_token_ids'], `prompt_token_ids of call ${index}`),
    completion_token_ids: call['completion_token_ids'] === null ? null : ids(call['completion_token_ids'], `completion_token_ids of call ${index}`),
    completion_logprobs: logprobs(call['completion_logprobs'], `completion_logprobs of call ${index}`)
  }))
  const segments = listOf(wire.segments, 'segments', limits.segmentsMax).map((segment, index) => ({
    ...segment as unknown as Segment,
    token_ids: ids(segment['token_ids'], `token_ids of segment ${index}`),
    mask: vectorOf(segment['mask'], `mask of segment ${index}`, '|u1', itemLimits),
    logprobs: logprobs(segment['logprobs'], `logprobs of segment ${index}`)
  }))
  requireTokens({ calls, segments })
  return { calls, segments }
}

/** For JSON: typed arrays as lists of numbers. */
export function tokensToLists ({ calls, segments }: Tokens): { calls: unknown[]; segments: unknown[] } {
  const lists = (whole: object): object => Object.fromEntries(Object.entries(whole).map(([key, value]) => [key, ArrayBuffer.isView(value) ? [...value as Int32Array] : value]))
  return { calls: calls.map(lists), segments: segments.map(lists) }
}

function listOf (value: unknown, what: string, max: number): Record<string, unknown>[] {
  if (!Array.isArray(value) || !value.every(item => typeof item === 'object' && item !== null)) throw badTokens(`${what} are no list of maps`)
  if (value.length > max) throw badTokens(`there are more than ${max} ${what} (${what}Max)`)
  return value as Record<string, unknown>[]
}

function requireTokens ({ calls, segments }: Tokens): void {
  segments.forEach(requireSegment)
  calls.forEach((call, index) => {
    requireCall(call, index)
    if (call.segment != null) requirePlace(call, index, segments[call.segment])
  })
}

function requirePlace ({ segment, prompt_tokens: prompt, completion_tokens: completion }: ModelCall, index: number, place: Segment | undefined): void {
  const counts = [prompt, completion].every(count => Number.isSafeInteger(count) && count! >= 0)
  if (place === undefined || !counts || prompt! + completion! > place.token_ids.length) throw badTokens(`call ${index} is said to be the first ${prompt} and ${completion} tokens of segment ${segment}, which has ${place?.token_ids.length ?? 'none'}`)
}

function requireCall ({ completion_token_ids: ids, completion_logprobs: logprobs }: ModelCall, index: number): void {
  if (logprobs !== null && logprobs.length !== (ids?.length ?? 0)) throw badTokens(`call ${index} has ${ids?.length ?? 0} tokens and ${logprobs.length} logprobs`)
}

function requireSegment ({ token_ids: ids, mask, logprobs, policy_versions: versions }: Segment, index: number): void {
  if (mask.length !== ids.length) throw badTokens(`segment ${index} has ${ids.length} tokens and a mask for ${mask.length}`)
  if (logprobs !== null && logprobs.length !== ids.length) throw badTokens(`segment ${index} has ${ids.length} tokens and ${logprobs.length} logprobs`)
  const runs = Array.isArray(versions) && versions.every(run => typeof run?.version === 'string' && Number.isSafeInteger(run.tokens) && run.tokens > 0)
  if (!runs || versions.reduce((sum, run) => sum + run.tokens, 0) !== ids.length) throw badTokens(`the policy_versions of segment ${index} are no runs that cover its ${ids.length} tokens`)
}

const badTokens = (why: string): SparError => new SparError('RECORD_BAD_TOKENS', `Cannot use the tokens of a record: ${why}`)
