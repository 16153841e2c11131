// The calls of a rollout as runs of tokens for the loss, merged while it is played. A turn's prompt goes on from the last
// one where it starts with exactly the tokens that were seen and drawn before; where it does not, a new segment begins, and
// the cause is named. Nothing is ever encoded again. Since every prompt repeats the ones before it, a call keeps only where
// its tokens stand: a rollout's memory grows with its tokens, not with their square.

import type { Segment } from '../../workers/codec/tokens.ts'

/**
 * Why a segment was not gone on from:
 *   shortened     the next prompt ends before what was there (the conversation was cut)
 *   retokenised   it differs within what the policy drew: the server encoded its text again
 *   rewritten     it differs within what the policy was given
 */
export type BreakReason = 'shortened' | 'retokenised' | 'rewritten'

export interface SegmentCall { callId: string; prompt: Int32Array; completion: Int32Array; logprobs: Float32Array | null; version: string }

export interface Segments {
  /** Index of the segment that the call went to: its prompt is the segment's tokens up to there, its completion follows. */
  add (call: SegmentCall): number
  /** Tokens of the segment that is being written: the last prompt and its completion. A view: valid until the next `add`. */
  readonly last: Int32Array | null
  /** Why a prompt does not go on from the last segment; null: it does, or there is none. */
  breaks (prompt: Int32Array): BreakReason | null
  /** The first tokens of a segment, by its index. A view, as `last` is. */
  prefix (segment: number, tokens: number): Int32Array
  /** Typed arrays of their own. */
  read (): Segment[]
}

export function createSegments (): Segments {
  const drafts: Draft[] = []
  return {
    add ({ callId, prompt, completion, logprobs, version }) {
      const last = drafts.at(-1)
      const reason = last === undefined ? null : breakOf(last, prompt)
      if (last !== undefined) last.breakReason = reason
      if (last === undefined || reason !== null) drafts.push(createDraft())
      const draft = drafts.at(-1)!
      const given = prompt.subarray(draft.length)
      append(draft, given, 0, null)
      append(draft, completion, 1, logprobs)
      if (logprobs === null) draft.blind = true
      addVersion(draft, version, given.length + completion.length)
      draft.callIds.push(callId)
      return drafts.length - 1
    },
    get last () {
      const last = drafts.at(-1)
      return last === undefined ? null : last.tokens.subarray(0, last.length)
    },
    breaks: prompt => drafts.length === 0 ? null : breakOf(drafts.at(-1)!, prompt),
    prefix: (segment, tokens) => drafts[segment]!.tokens.subarray(0, tokens),
    read: () => drafts.map(segmentOf)
  }
}

/** Arrays that grow by doubling; `length` of them is written. */
interface Draft {
  tokens: Int32Array
  mask: Uint8Array
  logprobs: Float32Array
  length: number
  /** Some of its logprobs are not known. */
  blind: boolean
  versions: { version: string; tokens: number }[]
  callIds: string[]
  breakReason: BreakReason | null
}

const firstLength = 4096
const createDraft = (): Draft => ({ tokens: new Int32Array(firstLength), mask: new Uint8Array(firstLength), logprobs: new Float32Array(firstLength), length: 0, blind: false, versions: [], callIds: [], breakReason: null })

function append (draft: Draft, tokens: Int32Array, mask: 0 | 1, logprobs: Float32Array | null): void {
  const end = draft.length + tokens.length
  if (end > draft.tokens.length) {
    const room = Math.max(end, 2 * draft.tokens.length)
    const grown = { tokens: new Int32Array(room), mask: new Uint8Array(room), logprobs: new Float32Array(room) }
    for (const name of ['tokens', 'mask', 'logprobs'] as const) grown[name].set(draft[name].subarray(0, draft.length))
    Object.assign(draft, grown)
  }
  draft.tokens.set(tokens, draft.length)
  draft.mask.fill(mask, draft.length, end)
  if (logprobs !== null) draft.logprobs.set(logprobs, draft.length)
  draft.length = end
}

function addVersion ({ versions }: Draft, version: string, tokens: number): void {
  const last = versions.at(-1)
  if (last?.version === version) last.tokens += tokens
  else if (tokens > 0) versions.push({ version, tokens })
}

/** null: the prompt goes on from the draft. */
function breakOf ({ tokens, mask, length }: Draft, prompt: Int32Array): BreakReason | null {
  const both = Math.min(length, prompt.length)
  for (let at = 0; at < both; at++) if (tokens[at] !== prompt[at]) return mask[at] === 1 ? 'retokenised' : 'rewritten'
  return prompt.length < length ? 'shortened' : null
}

const segmentOf = ({ tokens, mask, logprobs, length, blind, versions, callIds, breakReason }: Draft): Segment => ({
  token_ids: tokens.slice(0, length), mask: mask.slice(0, length), logprobs: blind ? null : logprobs.slice(0, length),
  policy_versions: versions.map(run => ({ ...run })), call_ids: [...callIds], break_reason: breakReason
})
