// Goal: frames are on the wire what docs/bridge.md says, for every reader. Method: the golden frames, which the Python side
// reads too; random frames there and back.

import { readFileSync } from 'node:fs'
import fc from 'fast-check'
import t from 'tap'
import { callKinds, encodeFrame, itemsOf, kinds, type CallKind, type Carried, type Frame } from '../../src/bridge/frame.ts'
import { decodeFrame } from '../../src/bridge/frame-reader.ts'
import { BridgeStatus, statusCodes } from '../../src/bridge/status.ts'
import { pack } from '../../src/bridge/pack.ts'
import { fromJson, goldenFrames, toJson, type Golden } from './golden-frames.ts'

const golden = JSON.parse(readFileSync('test/bridge/golden.json', 'utf8')) as (Golden & { lenient?: true })[]
const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex')

/** A vector of `|u1` is read as bytes, which are written as bytes. */
const asRead = (value: unknown): unknown => {
  if (Array.isArray(value)) return value.map(asRead)
  if (typeof value !== 'object' || value === null) return value
  const { dtype, shape, data } = value as { dtype?: string; shape?: number[]; data?: unknown }
  return dtype === '|u1' && shape?.length === 1 ? data : Object.fromEntries(Object.entries(value).map(([key, item]) => [key, asRead(item)]))
}

t.test('golden.json is what golden-frames.ts says', async t => { t.same(golden, goldenFrames()) })

for (const entry of golden) {
  t.test(entry.name, async t => {
    const bytes = Buffer.from(entry.hex, 'hex')
    if ('invalid' in entry) {
      try {
        decodeFrame(bytes)
        t.fail('was read')
      } catch (error) {
        t.equal((error as BridgeStatus).number, entry.status)
      }
      return
    }
    if (entry.lenient !== true) t.equal(hex(pack(fromJson(entry.frame))), entry.hex, 'written')
    t.same(toJson(itemsOf(decodeFrame(bytes))), asRead(entry.frame), 'read')
  })
}

const count = fc.nat({ max: Number.MAX_SAFE_INTEGER })
const text = fc.string({ unit: 'binary', maxLength: 50 })
const bytes = fc.uint8Array({ maxLength: 40 })
const metadata = fc.dictionary(fc.stringMatching(/^[a-z-]{1,9}$/), fc.oneof(text, bytes), { maxKeys: 5, noNullPrototype: true })
const { value } = fc.letrec(tie => ({
  value: fc.oneof({ maxDepth: 4 },
    fc.constant(null), fc.boolean(), fc.maxSafeInteger(), fc.double({ noNaN: true }).map(number => number === 0 ? 0 : number), text, bytes,
    fc.int32Array({ maxLength: 9 }), fc.float32Array({ maxLength: 9 }), fc.float64Array({ maxLength: 9 }), fc.uint16Array({ maxLength: 9 }), fc.bigInt64Array({ maxLength: 9 }),
    fc.array(tie('value'), { maxLength: 5 }), fc.dictionary(text.filter(key => key !== '__proto__'), tie('value'), { maxKeys: 20, noNullPrototype: true }))
}))
const digest = fc.stringMatching(/^[0-9a-f]{64}$/)
const carried: fc.Arbitrary<Carried> = fc.oneof(fc.record({ value }), fc.record({ object: text, size: count, sha256: digest }))
const carriedOrNull = fc.option(carried)
const call = fc.constantFrom(...Object.keys(callKinds) as CallKind[])
const frame: fc.Arbitrary<Frame> = fc.oneof(
  fc.record({ kind: fc.constant(kinds.OPEN), call, timeLeftMs: count, metadata, credit: count, isEnded: fc.boolean(), message: carriedOrNull })
    .filter(({ call, isEnded, message }) => call === 'clientStream' || call === 'bidirectional' ? isEnded || message === null : isEnded && message !== null),
  fc.record({ kind: fc.constant(kinds.ACCEPT), metadata, credit: count }),
  fc.record({ kind: fc.constant(kinds.MESSAGE), sequence: count, message: carried }),
  fc.record({ kind: fc.constant(kinds.END), sequence: count }),
  fc.record({ kind: fc.constant(kinds.STATUS), sequence: count, code: fc.nat({ max: 16 }), text, metadata, message: carriedOrNull }),
  fc.record({ kind: fc.constant(kinds.CREDIT), bytes: count, given: fc.option(count) }),
  fc.record({ kind: fc.constant(kinds.CANCEL), text }),
  fc.record({ kind: fc.constant(kinds.PING), sequence: count, given: fc.option(count) }),
  fc.record({ kind: fc.constant(kinds.PONG), sequence: count, given: fc.option(count) })
)

t.test('what is written is read', async t => {
  fc.assert(fc.property(frame, frame => { t.strictSame(toJson(decodeFrame(encodeFrame(frame))), toJson(frame)) }), { numRuns: 500 })
})

t.test('whatever bytes come, a frame or a status', async t => {
  const known = Object.keys(statusCodes)
  const isRead = (bytes: Uint8Array): boolean => {
    try {
      return 'kind' in decodeFrame(bytes)
    } catch (error) {
      return error instanceof BridgeStatus && known.includes(error.status)
    }
  }
  fc.assert(fc.property(fc.uint8Array({ maxLength: 60 }), isRead), { numRuns: 2_000 })
  const damaged = fc.tuple(frame, fc.nat(), fc.nat({ max: 255 })).map(([frame, at, byte]) => {
    const bytes = new Uint8Array(encodeFrame(frame))
    bytes[at % bytes.length] = byte
    return bytes
  })
  fc.assert(fc.property(damaged, isRead), { numRuns: 2_000 })
})
