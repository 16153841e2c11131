// A rollout by its record: the transcript a page at a time, calls and runs of tokens.

import type { ToolCall } from '../../domain.ts'
import { decodeRecord, type RolloutRecord } from '../../rollout/record.ts'
import type { Segment } from '../../workers/codec/tokens.ts'
import { notFound } from '../failure.ts'
import { inspectLimits } from '../limits.ts'
import { tokensPerPage, turnsPerPage, type CallView, type RolloutView, type SegmentRow, type TokensView } from '../protocol.ts'
import type { RunReader } from '../records/types.ts'
import { rolloutRow } from './episode.ts'
import { turnViews } from './turns.ts'

const { textBytesMax, recordBytesMax, namesShownMax } = inspectLimits
/** Calls and segments of one rollout that are shown. */
const partsMax = 1_000

/** Throws INSPECT_NOT_FOUND. */
export async function rolloutView (reader: RunReader, rollout: string, page: number): Promise<RolloutView> {
  const record = await readRecord(reader, rollout)
  const samples = new Map((await reader.samples()).filter(sample => sample.rollout_id === rollout).map(sample => [rollout, sample]))
  const row = await rolloutRow(reader, rollout, samples)
  const { options } = reader.info()
  const { role, lineage, timing, policy } = record
  const turns = turnsOf(record)
  const last = record.calls.findLast(call => call.prompt_tokens !== null && call.completion_tokens !== null)
  return {
    run: reader.run, episode: record.episode_id,
    row: row ?? { rollout, role, outcome: record.outcome, reason: '', reward: null, advantage: null, policy: { name: policy.name, version: policy.version_end }, turns: turns.length, delivery: record.attempt, hasRecord: true },
    isLive: false, bug: lineage.bug_id, order: lineage.order,
    budget: { turns: { used: turns.length, max: options.turnsMax[role] }, tokens: { used: last === undefined ? null : last.prompt_tokens! + last.completion_tokens!, max: options.tokensMax[role] } },
    startedAt: timing.started_at, endedAt: timing.ended_at, sandbox: sandboxOf(record), versions: { start: policy.version_start, end: policy.version_end },
    untrainable: record.untrainable, page, pages: Math.max(1, Math.ceil(turns.length / turnsPerPage)), turnsTotal: turns.length,
    turns: turnViews(turns, record.tool_calls.map(tool => ({ turn: tool.turn, exitCode: tool.exit_code, timedOut: tool.timed_out, truncatedBytes: tool.truncated_bytes, ms: tool.ms })), page, textBytesMax),
    calls: record.calls.slice(0, partsMax).map(callView), segments: record.segments.slice(0, partsMax).map(segmentRow), findings: record.integrity.findings.slice(0, namesShownMax).map(String)
  }
}

/** Throws INSPECT_NOT_FOUND. */
export async function tokensView (reader: RunReader, rollout: string, segment: number, page: number): Promise<TokensView> {
  const { segments } = await readRecord(reader, rollout)
  const part = segments[segment]
  if (part === undefined) throw notFound(`segment ${segment} of ${rollout}`)
  const total = part.token_ids.length
  const [from, to] = [page * tokensPerPage, (page + 1) * tokensPerPage]
  let at = 0
  return {
    segment, page, pages: Math.max(1, Math.ceil(total / tokensPerPage)), from, total,
    ids: [...part.token_ids.slice(from, to)], mask: [...part.mask.slice(from, to)], logprobs: part.logprobs === null ? null : [...part.logprobs.slice(from, to)].map(value => Number.isFinite(value) ? value : 0),
    versions: part.policy_versions.map(({ version, tokens }) => { const from = at; at += tokens; return { version, from, tokens } })
  }
}

/** The ids in a view are those of the topic, whatever a record says of itself. */
async function readRecord (reader: RunReader, rollout: string): Promise<RolloutRecord> {
  const bytes = await reader.record(rollout)
  if (bytes === null) throw notFound(`the record of ${rollout} of ${reader.run}`)
  return decodeRecord(bytes, `the record of ${rollout}`, recordBytesMax)
}

function turnsOf ({ messages }: RolloutRecord): Parameters<typeof turnViews>[0] {
  const turns: { reply: { text: string; call: ToolCall | null }; observation: { text: string } | null }[] = []
  for (const { role, content, tool_call: call } of messages) {
    const last = turns.at(-1)
    if (role === 'assistant') turns.push({ reply: { text: content, call: call as ToolCall | null }, observation: null })
    else if (last !== undefined) last.observation = { text: content }
  }
  return turns
}

function callView (call: RolloutRecord['calls'][number], index: number): CallView {
  return {
    n: index + 1, id: call.call_id, model: call.model, version: call.policy_version, endpoint: call.endpoint, promptTokens: call.prompt_tokens ?? call.prompt_token_ids?.length ?? null,
    completionTokens: call.completion_tokens ?? call.completion_token_ids?.length ?? null, cachedTokens: call.cached_tokens, finishReason: call.finish_reason, ms: call.ended_at - call.started_at,
    segment: call.segment ?? null, temperature: call.sampling.temperature, error: call.error === null ? null : { code: call.error.code, message: call.error.message.slice(0, 1_000) }
  }
}

function segmentRow ({ token_ids: ids, mask, logprobs, policy_versions: versions, break_reason: breakReason }: Segment, n: number): SegmentRow {
  const drawn = mask.reduce((sum, one) => sum + one, 0)
  const sum = logprobs === null ? null : logprobs.reduce((sum, logprob, index) => mask[index] === 1 ? sum + logprob : sum, 0)
  return { n, tokens: ids.length, drawn, logprob: sum === null || drawn === 0 || !Number.isFinite(sum) ? null : sum / drawn, versions: versions.slice(0, 100), breakReason }
}


function sandboxOf ({ sandboxes: [first] }: RolloutRecord): RolloutView['sandbox'] {
  return first === undefined ? null : { id: first.id, kind: first.kind, isolation: first.isolation }
}
