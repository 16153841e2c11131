// Goal: what is written is read back, by us and by another language, and what is broken is refused with a code. The golden
// files are never rewritten: they stand for records that exist. `record-without-tokens` was written before there were tokens.

import fc from 'fast-check'
import { pack, unpack } from 'msgpackr'
import { spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { decodeRecord, encodeRecord, plainRecord, recordSchema, type RolloutRecord } from '../../../src/rollout/record.ts'
import { fromWire, swapped, toWire, type NumberArray, type WireArray } from '../../../src/workers/codec/arrays.ts'
import { tokenLimits, tokensFromWire, tokensToWire, type Segment, type Tokens } from '../../../src/workers/codec/tokens.ts'

const golden = (name: string): string => join(process.cwd(), 'test', 'golden', name)
const bytesOf = (name: string): Uint8Array => readFileSync(golden(`${name}.msgpack`))
const described = (name: string): unknown => JSON.parse(readFileSync(golden(`${name}.json`), 'utf8'))
const names = ['record', 'record-without-tokens', 'arrays']

// ---- golden files ---------------------------------------------------------------------------------------------------

interface Description { dtype: string; shape: number[]; values: (number | string)[] }

/** Typed arrays as the JSON of a golden file has them. */
function describe (value: unknown): unknown {
  if (ArrayBuffer.isView(value)) return describeArray(value as NumberArray, [(value as NumberArray).length])
  if (Array.isArray(value)) return value.map(describe)
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, describe(item)]))
}

const describeArray = (array: NumberArray, shape: number[]): Description =>
  ({ dtype: toWire(array, shape).dtype, shape, values: [...array as Iterable<number | bigint>].map(value => typeof value === 'bigint' ? String(value) : value) })

t.test('golden records are read, and written the same', async t => {
  for (const name of ['record', 'record-without-tokens']) {
    const record = decodeRecord(bytesOf(name))
    t.strictSame(describe(record), described(name), name)
    t.ok(Buffer.from(encodeRecord(record)).equals(bytesOf(name)), `${name}: the same bytes`)
  }
})

t.test('golden arrays of every type are read, and written the same', async t => {
  const wire = unpack(bytesOf('arrays')) as Record<string, unknown>
  const arrays = Object.entries(wire).map(([name, value]) => [name, fromWire(value, name)] as const)
  t.strictSame(Object.fromEntries(arrays.map(([name, { array, shape }]) => [name, describeArray(array, shape)])), described('arrays'))
  t.strictSame(Object.fromEntries(arrays.map(([name, { array, shape }]) => [name, { ...toWire(array, shape), data: Buffer.from(toWire(array, shape).data) }])), wire)
})

const noPython = spawnSync('python3', ['--version']).status !== 0 && 'python3 is not installed'

t.test('another language reads the golden files without a package', { skip: noPython }, async t => {
  for (const name of names) {
    const { stdout, stderr } = spawnSync('python3', [golden('read.py'), golden(`${name}.msgpack`), golden(`${name}.json`)], { encoding: 'utf8' })
    t.equal(stdout.trim(), 'same', `${name} ${stderr}`)
  }
})

// ---- round trips ----------------------------------------------------------------------------------------------------

const base = decodeRecord(bytesOf('record-without-tokens'))
const segmentOf = (ids: number[], logprobs: number[] | null): Segment => ({
  token_ids: Int32Array.from(ids),
  mask: Uint8Array.from(ids, id => id & 1),
  logprobs: logprobs && Float32Array.from(ids, (_, index) => logprobs[index % Math.max(1, logprobs.length)] ?? 0),
  policy_versions: ids.length === 0 ? [] : [{ version: 'größe', tokens: ids.length }],
  call_ids: ['c1'],
  break_reason: null
})
const segments = fc.array(fc.tuple(fc.array(fc.nat(2 ** 31 - 1), { maxLength: 40 }), fc.option(fc.array(fc.float({ noNaN: true }), { maxLength: 9 }))).map(drawn => segmentOf(...drawn)), { maxLength: 4 })

t.test('a record comes back as it was, wherever its bytes lie', async t => {
  fc.assert(fc.property(segments, fc.nat(9), fc.string(), (drawn, offset, text) => {
    const record: RolloutRecord = { ...base, segments: drawn, integrity: { findings: [text] } }
    const bytes = encodeRecord(record)
    const elsewhere = new Uint8Array(bytes.length + offset).subarray(offset)
    elsewhere.set(bytes)
    t.strictSame(decodeRecord(elsewhere), record)
  }), { numRuns: 150, seed: 1 })
})

t.test('a map that looks like an array stays a map where no array belongs', async t => {
  const call = { dtype: '<i4', shape: [1], data: 'text' }
  const record: RolloutRecord = { ...base, messages: [{ role: 'assistant', content: '', tool_call: call }] }
  t.strictSame(decodeRecord(encodeRecord(record)).messages[0]!.tool_call, call)
})

t.test('JSON has lists where the record has typed arrays', async t => {
  const { segments } = JSON.parse(JSON.stringify(plainRecord({ ...base, segments: [segmentOf([1, 2], [-0.5])] }))) as { segments: unknown[] }
  t.match(segments, [{ token_ids: [1, 2], mask: [1, 0], logprobs: [-0.5, -0.5] }])
})

t.test('bytes are viewed where they are aligned, copied where not, and turned on a machine of the other kind', async t => {
  const room = new ArrayBuffer(20)
  for (const [offset, isView] of [[4, true], [5, false]] as const) {
    const { array } = fromWire({ dtype: '<i4', shape: [2], data: new Uint8Array(room, offset, 8) }, 'it')
    t.equal(array.buffer === room, isView)
  }
  t.strictSame(swapped(Uint8Array.of(1, 2, 3, 4, 5, 6, 7, 8), 4), Uint8Array.of(4, 3, 2, 1, 8, 7, 6, 5))
})

// ---- refusals -------------------------------------------------------------------------------------------------------

const good: WireArray = { dtype: '<i4', shape: [2], data: new Uint8Array(8) }
const broken: [string, unknown][] = [
  ['nothing', null], ['a list', [1, 2]], ['an unknown dtype', { ...good, dtype: '<c8' }], ['a dtype of the prototype', { ...good, dtype: 'toString' }], ['big endian', { ...good, dtype: '>i4' }],
  ['no shape', { ...good, shape: undefined }], ['a negative length', { ...good, shape: [-2] }], ['a length that is no integer', { ...good, shape: [1.5] }], ['too few bytes', { ...good, shape: [3] }],
  ['too many bytes', { ...good, shape: [1] }], ['a shape beyond numbers', { ...good, shape: [2 ** 40, 2 ** 40] }], ['data that are no bytes', { ...good, data: [0, 0] }],
  ['too many dimensions', { ...good, shape: [2, 1, 1, 1, 1, 1, 1, 1, 1] }]
]

t.test('an array that is none is refused', async t => {
  t.doesNotThrow(() => fromWire(good, 'it'))
  for (const [what, value] of broken) t.throws(() => fromWire(value, 'it'), { code: 'CODEC_BAD_ARRAY' }, what)
  t.throws(() => fromWire(good, 'it', { dimensionsMax: 1, itemsMax: 1 }), { code: 'CODEC_BAD_ARRAY', message: /itemsMax/ })
  t.throws(() => toWire(new Int32Array(3), [2, 2]), { code: 'CODEC_BAD_ARRAY' })
})

t.test('tokens that do not fit together are refused, written or read', async t => {
  const segment = segmentOf([1, 2, 3], [-1])
  const rows: [string, Partial<Segment>][] = [
    ['a short mask', { mask: new Uint8Array(2) }], ['short logprobs', { logprobs: new Float32Array(2) }],
    ['runs that do not cover', { policy_versions: [{ version: '1', tokens: 2 }] }], ['an empty run', { policy_versions: [{ version: '1', tokens: 3 }, { version: '2', tokens: 0 }] }]
  ]
  const wireOf = (whole: Segment): object => ({ ...whole, token_ids: toWire(whole.token_ids), mask: toWire(whole.mask), logprobs: toWire(whole.logprobs!) })
  for (const [what, change] of rows) {
    t.throws(() => tokensToWire({ calls: [], segments: [{ ...segment, ...change }] }), { code: 'RECORD_BAD_TOKENS' }, what)
    t.throws(() => tokensFromWire({ calls: [], segments: [wireOf({ ...segment, ...change })] }), { code: 'RECORD_BAD_TOKENS' }, what)
  }
  const call = (decodeRecord(bytesOf('record')) as Tokens).calls[0]!
  t.doesNotThrow(() => tokensToWire({ calls: [{ ...call, segment: 0, prompt_tokens: 2, completion_tokens: 1 }], segments: [segment] }))
  for (const place of [{ segment: 1, prompt_tokens: 2, completion_tokens: 1 }, { segment: 0, prompt_tokens: 3, completion_tokens: 2 }, { segment: 0, prompt_tokens: -1, completion_tokens: 1 }, { segment: 0, prompt_tokens: null, completion_tokens: 1 }]) {
    t.throws(() => tokensToWire({ calls: [{ ...call, ...place }], segments: [segment] }), { code: 'RECORD_BAD_TOKENS' }, JSON.stringify(place))
  }
  t.throws(() => tokensToWire({ calls: [{ ...call, completion_logprobs: new Float32Array(1) }], segments: [] }), { code: 'RECORD_BAD_TOKENS' })
  for (const wrong of [{ token_ids: toWire(new Int16Array(3)) }, { mask: toWire(new Uint8Array(4), [2, 2]) }]) {
    t.throws(() => tokensFromWire({ calls: [], segments: [{ ...wireOf(segment), ...wrong }] }), { code: 'CODEC_BAD_ARRAY' })
  }
})

t.test('a record that cannot be read says why', async t => {
  const bytes = encodeRecord({ ...base, segments: [segmentOf([1, 2, 3], [-1])] })
  const wire = unpack(bytes) as Record<string, unknown>
  const cases: [string, Uint8Array, string][] = [
    ['nothing', new Uint8Array(0), 'RECORD_MALFORMED'],
    ['a torn one', bytes.subarray(0, 100), 'RECORD_MALFORMED'],
    ['one with more behind it', Buffer.concat([bytes, bytes]), 'RECORD_MALFORMED'],
    ['no map', pack([1]), 'RECORD_MALFORMED'],
    ['a byte that msgpack never uses', Uint8Array.of(0xc1), 'RECORD_MALFORMED'],
    ['lists in lists', new Uint8Array(100_000).fill(0x91), 'RECORD_MALFORMED'],
    ['no schema', pack({ calls: [], segments: [] }), 'RECORD_MALFORMED'],
    ['a newer one', pack({ ...wire, schema_version: recordSchema + 1 }), 'RECORD_SCHEMA_NEWER'],
    ['calls that are no list', pack({ ...wire, calls: 1 }), 'RECORD_BAD_TOKENS'],
    ['calls that are no maps', pack({ ...wire, calls: [1] }), 'RECORD_BAD_TOKENS'],
    ['a segment without ids', pack({ ...wire, segments: [{}] }), 'CODEC_BAD_ARRAY']
  ]
  for (const [what, broken, code] of cases) t.throws(() => decodeRecord(broken), { code }, what)
  t.throws(() => decodeRecord(bytes, 'it', bytes.length - 1), { code: 'RECORD_TOO_LARGE' })
  const limited = (limits: object) => () => tokensFromWire({ calls: [{}, {}], segments: wire['segments'] }, { ...tokenLimits, ...limits })
  t.throws(limited({ callsMax: 1 }), { code: 'RECORD_BAD_TOKENS', message: /callsMax/ })
  t.throws(() => tokensFromWire({ calls: [], segments: wire['segments'] }, { ...tokenLimits, tokensMax: 2 }), { code: 'CODEC_BAD_ARRAY', message: /itemsMax/ })
  t.throws(() => tokensFromWire({ calls: [], segments: [{}, {}] }, { ...tokenLimits, segmentsMax: 1 }), { code: 'RECORD_BAD_TOKENS', message: /segmentsMax/ })
})

t.test('a broken byte anywhere is an answer or an error with a code', async t => {
  const bytes = encodeRecord({ ...base, segments: [segmentOf([1, 2, 3], [-1])] })
  fc.assert(fc.property(fc.nat(bytes.length - 1), fc.nat(255), (at, byte) => {
    const spoiled = new Uint8Array(bytes)
    spoiled[at] = byte
    try {
      decodeRecord(spoiled)
    } catch (error) {
      return /^(RECORD|CODEC)_/.test((error as { code?: string }).code ?? '')
    }
    return true
  }), { numRuns: 3000, seed: 2 })
  t.pass('3000 spoiled bytes')
})
