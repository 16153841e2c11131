// What a trajectory costs to write and read: 5,000 tokens with ids, logprobs and mask in a record of ours, beside the same
// record with lists of numbers as JSON and as plain msgpack, in turns of 50 in the same run: one by one each would pay for
// the garbage of the one before. The second table is the same rollout with its calls, whose prompts repeat the tokens.
// `--check` turns the marks into an exit code. Usage: node dist/bench/codec.js [--check] [--tokens 5000] [--rounds 2000]

import { Packr, unpack } from 'msgpackr'
import { loadavg } from 'node:os'
import { parseArgs } from 'node:util'
import { createRandom } from '../src/random.ts'
import { decodeRecord, encodeRecord, plainRecord, recordSchema, type RolloutRecord } from '../src/rollout/record.ts'
import type { ModelCall, Segment } from '../src/workers/codec/tokens.ts'

const { values } = parseArgs({ options: { check: { type: 'boolean', default: false }, tokens: { type: 'string', default: '5000' }, rounds: { type: 'string', default: '2000' } } })
const marks = { ms: 0.05, kilobytes: 46 }
const tokens = Number(values.tokens)
const rounds = Number(values.rounds)
const random = createRandom(1)

function segmentOf (length: number): Segment {
  const mask = Uint8Array.from({ length }, (_, index) => index % 500 < 300 ? 1 : 0)
  return {
    token_ids: Int32Array.from({ length }, () => random.int(150_000)),
    mask,
    logprobs: Float32Array.from(mask, drawn => drawn === 1 ? -3 * random.next() : 0),
    policy_versions: [{ version: 'step-12', tokens: length }],
    call_ids: ['e0001.solve.1.0/1'],
    break_reason: null
  }
}

const recordOf = (segment: Segment, calls: ModelCall[]): RolloutRecord => ({
  schema_version: recordSchema, run_id: 'bench', episode_id: 'e0001', round_id: 'removal.1', lineage: { arena: '0123456789abcdef', image_digest: null, bug_id: 'bug-0123456789abcdef', order: 1, parent_bug_id: null },
  rollout_id: 'e0001.solve.1.0', role: 'solver', group_id: 'e0001.1', member_index: 0, attempt: 1, policy: { name: 'model', version_start: 'step-12', version_end: 'step-12' },
  calls, segments: [segment], untrainable: null, messages: [], tool_calls: [], sandboxes: [], checks: [], outcome: 'scored', reward: null, reward_components: {}, advantage: null,
  timing: { started_at: 1_700_000_000_000, ended_at: 1_700_000_001_000 }, integrity: { findings: [] }
})

/** Ten calls: each completion is drawn after a prompt that holds all tokens before it, so they say only where they stand. */
function callsOf (): ModelCall[] {
  return Array.from({ length: 10 }, (_, index) => {
    const [from, to] = [index * tokens / 10, index * tokens / 10 + tokens * 3 / 50].map(Math.floor) as [number, number]
    return {
      call_id: `e0001.solve.1.0/${index + 1}`, endpoint: 'completions', model: 'model', policy_version: 'step-12', sampling: { temperature: 1, top_p: 1, top_k: -1, seed: 1, max_tokens: 4096 }, logprobs_mode: 'processed_logprobs',
      prompt_token_ids: null, completion_token_ids: null, completion_logprobs: null, segment: 0, prompt_tokens: from, completion_tokens: to - from, finish_reason: 'stop', cached_tokens: 0, started_at: 1_700_000_000_000, ended_at: 1_700_000_000_500, error: null
    }
  })
}

interface Codec { name: string; encode: () => Uint8Array | string; decode: (bytes: never) => unknown }

function codecsOf (record: RolloutRecord): Codec[] {
  const plain = plainRecord(record)
  const packr = new Packr({ useRecords: false })
  return [
    { name: 'ours', encode: () => encodeRecord(record), decode: decodeRecord },
    { name: 'msgpack, lists of numbers', encode: () => packr.pack(plain), decode: unpack },
    { name: 'JSON', encode: () => JSON.stringify(plain), decode: JSON.parse as (text: never) => unknown }
  ]
}

const median = (times: number[]): number => times.sort((a, b) => a - b)[times.length >> 1]!

interface Figures { name: string; encodeMs: number; decodeMs: number; kilobytes: number }

const turn = 50

/** Medians, the codecs in turns; the first turns warm up. */
function measure (record: RolloutRecord): Figures[] {
  const rows = codecsOf(record).map(codec => ({ codec, encoded: codec.encode(), encode: [] as number[], decode: [] as number[] }))
  for (let round = -5 * turn; round < rounds; round += turn) {
    for (const row of rows) {
      const encode = timed(() => { row.encoded = row.codec.encode() })
      const decode = timed(() => { row.codec.decode(row.encoded as never) })
      if (round < 0) continue
      row.encode.push(...encode)
      row.decode.push(...decode)
    }
  }
  return rows.map(({ codec: { name }, encoded, encode, decode }) => ({ name, encodeMs: median(encode), decodeMs: median(decode), kilobytes: Buffer.byteLength(encoded) / 1000 }))
}

function timed (work: () => void): number[] {
  return Array.from({ length: turn }, () => {
    const startedAt = performance.now()
    work()
    return performance.now() - startedAt
  })
}

function print (title: string, figures: Figures[]): void {
  const baseline = figures.at(-1)!
  console.log(title)
  for (const { name, encodeMs, decodeMs, kilobytes } of figures) {
    console.log(`  ${name.padEnd(26)} encode ${encodeMs.toFixed(3)} ms, decode ${decodeMs.toFixed(3)} ms, ${kilobytes.toFixed(1)} KB; of JSON ${(encodeMs / baseline.encodeMs).toFixed(3)}, ${(decodeMs / baseline.decodeMs).toFixed(3)}, ${(kilobytes / baseline.kilobytes).toFixed(2)}`)
  }
}

const load = (): string => loadavg().map(value => value.toFixed(1)).join(' ')
console.log(`load ${load()} before`)
const segment = segmentOf(tokens)
const figures = measure(recordOf(segment, []))
print(`record of ${tokens} tokens`, figures)
print('the same with ten calls', measure(recordOf(segment, callsOf())))
const ours = figures[0]!
const holds = ours.encodeMs <= marks.ms && ours.decodeMs <= marks.ms && ours.kilobytes <= marks.kilobytes
console.log(`mark ≤ ${marks.ms} ms both and ≤ ${marks.kilobytes} KB ${holds ? 'holds' : 'MISSED'}`)
console.log(`load ${load()} after`)
if (values.check && !holds) process.exitCode = 1
