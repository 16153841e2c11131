// The record of a rollout, as a trainer reads it: field names as in docs/records.md, kept as msgpack. A procedural policy
// has no tokens: its record says so in `untrainable` and carries messages and tool calls in full, never invented ids. Those
// of a model are typed arrays here and bytes in the file: see src/workers/codec.

import { Packr, unpack } from 'msgpackr'
import { SparError } from '../errors.ts'
import { tokensFromWire, tokensToLists, tokensToWire, type ModelCall, type Segment } from '../workers/codec/tokens.ts'
import type { Outcome, Role, Turn } from '../domain.ts'
import type { RolloutSession } from './session.ts'

export const recordSchema = 1

export interface RolloutRecord {
  schema_version: number
  run_id: string
  episode_id: string
  round_id: string
  lineage: { arena: string | null; image_digest: string | null; bug_id: string | null; order: number; parent_bug_id: string | null }
  rollout_id: string
  role: Role
  group_id: string
  member_index: number
  /** Which delivery of the work this was, from 1. */
  attempt: number
  policy: { name: string; version_start: string; version_end: string }
  calls: ModelCall[]
  segments: Segment[]
  untrainable: string | null
  messages: { role: 'assistant' | 'tool'; content: string; tool_call: unknown }[]
  tool_calls: { turn: number; tool: string; sandbox_id: string | null; exit_code: number | null; timed_out: boolean; truncated_bytes: number; ms: number }[]
  sandboxes: { id: string; role: string; kind: string; isolation: string; image_digest: string | null; outcome: string; wall_s: number }[]
  checks: { name: string; verdict: string; evidence: unknown }[]
  outcome: Outcome
  /** null is not zero: a rollout without a verdict has no reward. */
  reward: number | null
  reward_components: Record<string, number>
  advantage: number | null
  timing: { started_at: number; ended_at: number }
  integrity: { findings: string[] }
}

export interface RecordInput {
  run: string
  episodeId: string
  roundId: string
  /** `id` null: not known, since an agent of its own plays somewhere else. */
  arena: { id: string | null; image: string | null }
  bug: { id: string | null; order: number; parent: string | null }
  rolloutId: string
  role: Role
  groupId: string
  member: number
  delivery: number
  policy: { name: string; version: string }
  session: Pick<RolloutSession<unknown>, 'turns' | 'tools' | 'sandbox' | 'trace'>
  outcome: Outcome
  startedAt: number
  endedAt: number
  /** What was odd, as `code: text`. */
  findings?: readonly string[]
}

export function recordOf (input: RecordInput): RolloutRecord {
  const { session, arena, bug } = input
  const { calls, segments, untrainable } = session.trace ?? { calls: [], segments: [], untrainable: 'the policy is a program: it has no tokens and no logprobs' }
  const answered = calls.filter(call => call.error === null)
  return {
    schema_version: recordSchema,
    run_id: input.run,
    episode_id: input.episodeId,
    round_id: input.roundId,
    lineage: { arena: arena.id, image_digest: arena.image, bug_id: bug.id, order: bug.order, parent_bug_id: bug.parent },
    rollout_id: input.rolloutId,
    role: input.role,
    group_id: input.groupId,
    member_index: input.member,
    attempt: input.delivery,
    policy: { name: input.policy.name, version_start: answered[0]?.policy_version ?? input.policy.version, version_end: answered.at(-1)?.policy_version ?? input.policy.version },
    calls,
    segments,
    untrainable,
    messages: session.turns.flatMap(messagesOf),
    tool_calls: session.tools.map(tool => ({
      turn: tool.turn, tool: tool.tool, sandbox_id: session.sandbox?.id ?? null, exit_code: tool.exitCode, timed_out: tool.timedOut, truncated_bytes: tool.truncatedBytes, ms: tool.ms
    })),
    sandboxes: session.sandbox
      ? [{ id: session.sandbox.id, role: input.role, kind: session.sandbox.kind, isolation: session.sandbox.isolation, image_digest: arena.image, outcome: input.outcome, wall_s: (input.endedAt - input.startedAt) / 1000 }]
      : [],
    checks: [],
    outcome: input.outcome,
    reward: null,
    reward_components: {},
    advantage: null,
    timing: { started_at: input.startedAt, ended_at: input.endedAt },
    integrity: { findings: [...input.findings ?? []] }
  }
}

function messagesOf ({ reply, observation }: Turn): RolloutRecord['messages'] {
  const said = { role: 'assistant' as const, content: reply.text, tool_call: reply.call }
  return observation ? [said, { role: 'tool', content: observation.text, tool_call: null }] : [said]
}

/** Records off: a reader in another language, or after a restart, needs no shared structures. */
const packr = new Packr({ useRecords: false })

/** Throws RECORD_BAD_TOKENS when arrays that belong together differ in length. */
export const encodeRecord = (record: RolloutRecord): Uint8Array => packr.pack({ ...record, ...tokensToWire(record) })

export const recordBytesMax = 2 ** 30

/**
 * `where` names the record in errors. Arrays may be views of `bytes`. Throws RECORD_MALFORMED, RECORD_TOO_LARGE,
 * RECORD_SCHEMA_NEWER, RECORD_BAD_TOKENS and CODEC_BAD_ARRAY.
 */
export function decodeRecord (bytes: Uint8Array, where = 'the record', bytesMax = recordBytesMax): RolloutRecord {
  if (bytes.length > bytesMax) throw new SparError('RECORD_TOO_LARGE', `Cannot read ${where}: it has more than ${bytesMax} bytes (recordBytesMax)`, { data: { bytes: bytes.length } })
  const wire = unpackMap(bytes, where)
  const schema = wire['schema_version']
  if (typeof schema !== 'number' || !Number.isInteger(schema) || schema < 1) throw malformed(where, 'it has no schema_version')
  if (schema > recordSchema) {
    throw new SparError('RECORD_SCHEMA_NEWER', `Cannot read ${where}: it was written by a newer version (schema ${schema}, this one reads ${recordSchema})`)
  }
  return { ...wire as unknown as RolloutRecord, ...tokensFromWire({ calls: wire['calls'], segments: wire['segments'] }) }
}

function unpackMap (bytes: Uint8Array, where: string): Record<string, unknown> {
  let value: unknown
  try {
    value = unpack(bytes)
  } catch (error) {
    // The library repeats the content in its message.
    throw malformed(where, (error as Error).message.slice(0, 100), error)
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw malformed(where, 'it is no map')
  return value as Record<string, unknown>
}

const malformed = (where: string, why: string, cause?: unknown): SparError =>
  new SparError('RECORD_MALFORMED', `Cannot read ${where}: ${why}`, { cause })

/** The record as JSON can say it: lists for typed arrays. */
export const plainRecord = (record: RolloutRecord): object => ({ ...record, ...tokensToLists(record) })

/** The transcript for people, as Markdown. */
export function transcriptOf (record: RolloutRecord): string {
  const head = `# ${record.rollout_id}: ${record.role} (${record.policy.name} ${record.policy.version_start}), ${record.outcome}\n`
  return head + turnsOf(record).map(turn => `\n${turn}`).join('')
}

/** The same, a text for each turn: what was said and called, and what came of it. */
export function turnsOf ({ messages }: Pick<RolloutRecord, 'messages'>): string[] {
  const turns: string[] = []
  for (const { role, content, tool_call: call } of messages) {
    if (role === 'assistant') turns.push(`## ${content.trim()}\n${call ? fence(describeCall(call as Record<string, unknown>)) : ''}`)
    else turns[turns.length - 1] += fence(content)
  }
  return turns
}

const describeCall = (call: Record<string, unknown>): string =>
  call['tool'] === 'bash' ? `$ ${call['command'] as string}` : JSON.stringify(call, null, 1)

function fence (text: string): string {
  const marks = '`'.repeat(Math.max(3, ...[...text.matchAll(/`+/g)].map(match => match[0].length + 1)))
  return `\n${marks}\n${text.replace(/\n$/, '')}\n${marks}\n`
}
