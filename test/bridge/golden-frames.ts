// Frames of every kind as golden.json holds them, for both implementations. `node dist/test/bridge/golden-frames.js --write`
// writes the file anew after a change of the wire.

import { writeFileSync } from 'node:fs'
import { pack } from '../../src/bridge/pack.ts'
import { statusCodes, type StatusName } from '../../src/bridge/status.ts'
import { toWire } from '../../src/workers/codec/arrays.ts'

export interface GoldenFrame { name: string; frame: unknown; hex: string }
export interface InvalidFrame { name: string; hex: string; invalid: true; status: number }
export type Golden = GoldenFrame | InvalidFrame

const bytes = (...values: number[]): Uint8Array => Uint8Array.from(values)
const digest = 'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855'

const frames: Record<string, unknown[]> = {
  'open unary': [0, 1, 0, 5_000, {}, 1_048_576, true, [0, { text: 'hello' }]],
  'open unary without deadline, of null': [0, 1, 0, 0, {}, 0, true, [0, null]],
  'open server-stream with metadata': [0, 1, 1, 250, { authorization: 'Bearer abc', 'trace-bin': bytes(0, 1, 254, 255) }, 65_536, true, [0, [1, -1, 1.5, true, false, null, 'é', '漢字', bytes(7)]]],
  'open client-stream': [0, 1, 2, 0, {}, 1_048_576, false, null],
  'open bidirectional': [0, 1, 3, 86_400_000, {}, 1_048_576, false, null],
  'open client-stream that has ended': [0, 1, 2, 0, {}, 0, true, null],
  'open unary by reference': [0, 1, 0, 0, {}, 0, true, [1, 'bridge.n1.4', 5_000_000, digest]],
  'accept': [1, {}, 1_048_576],
  'accept with metadata': [1, { node: 'n1', 'key-bin': bytes() }, 0],
  'message': [2, 0, [0, { id: 7, nested: { list: [[], {}], text: '' } }]],
  'message of integers': [2, 127, [0, [0, 127, 128, 255, 256, 65_535, 65_536, 4_294_967_295, -1, -32, -33, -128, -129, -32_768, -32_769, -2_147_483_648, -2_147_483_649, Number.MIN_SAFE_INTEGER]]],
  'message of texts of many lengths': [2, 128, [0, ['a'.repeat(31), 'a'.repeat(32), 'a'.repeat(255), 'a'.repeat(256), '漢'.repeat(11), '漢'.repeat(100)]]],
  'message of bytes and lists of many lengths': [2, 65_536, [0, [new Uint8Array(255).fill(1), new Uint8Array(256).fill(2), Array.from({ length: 15 }, () => 0), Array.from({ length: 16 }, () => 0)]]],
  'message of a map of 16': [2, 1, [0, Object.fromEntries(Array.from({ length: 16 }, (_, index) => [`k${index}`, index]))]],
  'message of a sample': [2, 3, [0, { ids: Int32Array.of(1, -2, 151_643), logprobs: Float32Array.of(-0.5, 0, -1.25), mask: toWire(bytes(0, 1, 1)) }]],
  'message of arrays of every dtype': [2, 4, [0, [
    toWire(bytes(1, 2)), Int8Array.of(-1), Uint16Array.of(65_535), Int16Array.of(-2), Uint32Array.of(4_294_967_295), Int32Array.of(), BigUint64Array.of(1n), BigInt64Array.of(-1n),
    Float32Array.of(1.5), Float64Array.of(0.1)
  ]]],
  'message of an array of two dimensions': [2, 5, [0, toWire(Int32Array.of(1, 2, 3, 4, 5, 6), [2, 3])]],
  'message by reference': [2, 6, [1, 'bridge.n1.5', 1_048_577, digest]],
  'end': [3, 9],
  'status OK of a stream': [4, 10, 0, '', {}, null],
  'status OK with the answer': [4, 0, 0, '', {}, [0, 'hello']],
  'status OK with the answer by reference': [4, 0, 0, '', {}, [1, 'bridge.n2.1', 70_000, digest]],
  'status with trailers': [4, 2, 5, 'There is no run "r1"', { 'retry-after': '5', 'detail-bin': bytes(1, 2, 3) }, null],
  'credit': [5, 524_288],
  'credit with all of it': [5, 524_288, 1_572_864],
  'cancel': [6, 'the run was stopped'],
  'cancel without text': [6, ''],
  'ping': [7, 0],
  'ping with all credit': [7, 0, 1_572_864],
  'pong': [8, 300],
  'pong with all credit': [8, 300, 0]
}

/** Read, not written in this form: what a newer version may add, and what others write in more bytes. */
const lenient: Record<string, { frame: unknown[]; more: unknown[] }> = {
  'message of integers of 64 bits, signed': { frame: [2, 0, [0, [2 ** 32, Number.MAX_SAFE_INTEGER]]], more: [2, 0, [0, [2n ** 32n, BigInt(Number.MAX_SAFE_INTEGER)]]] },
  'end with an item that is not known': { frame: [3, 9], more: [3, 9, 'new'] },
  'ping with an item that is not known': { frame: [7, 4], more: [7, 4, { new: true }] },
  'status with an item that is not known': { frame: [4, 0, 0, '', {}, null], more: [4, 0, 0, '', {}, null, 1] }
}

const invalid: Record<string, { bytes: Uint8Array; status: StatusName }> = Object.fromEntries(Object.entries<[unknown, StatusName]>({
  'a newer version': [[0, 2, 'whatever'], 'UNIMPLEMENTED'],
  'version 0': [[0, 0, 0, 0, {}, 0, true, [0, null]], 'INTERNAL'],
  'a map': [{ kind: 2 }, 'INTERNAL'],
  'a list of nothing': [[], 'INTERNAL'],
  'a kind that is not known': [[9, 0], 'INTERNAL'],
  'a kind as text': [['MESSAGE', 0, [0, null]], 'INTERNAL'],
  'an open that is too short': [[0, 1, 0, 0, {}, 0, true], 'INTERNAL'],
  'an open of no kind of call': [[0, 1, 4, 0, {}, 0, true, [0, null]], 'INTERNAL'],
  'an open of a unary call that has not ended': [[0, 1, 0, 0, {}, 0, false, [0, null]], 'INTERNAL'],
  'an open of a unary call without a message': [[0, 1, 0, 0, {}, 0, true, null], 'INTERNAL'],
  'an open of a stream that goes on after its message': [[0, 1, 2, 0, {}, 0, false, [0, null]], 'INTERNAL'],
  'an open with a time below zero': [[0, 1, 0, -1, {}, 0, true, [0, null]], 'INTERNAL'],
  'an open with a time that is no integer': [[0, 1, 0, 1.5, {}, 0, true, [0, null]], 'INTERNAL'],
  'metadata that hold a number': [[1, { key: 1 }, 0], 'INTERNAL'],
  'metadata with a key in upper case': [[1, { Key: 'x' }, 0], 'INTERNAL'],
  'metadata that are a list': [[1, [], 0], 'INTERNAL'],
  'metadata that are too large': [[1, { key: 'x'.repeat(8 * 1024) }, 0], 'RESOURCE_EXHAUSTED'],
  'a message that is too short': [[2, 0], 'INTERNAL'],
  'a message of null': [[2, 0, null], 'INTERNAL'],
  'a message without its form': [[2, 0, []], 'INTERNAL'],
  'a message of a form that is not known': [[2, 0, [2, 'x']], 'INTERNAL'],
  'a message without a sequence': [[2, null, [0, null]], 'INTERNAL'],
  'a message by reference without a digest': [[2, 0, [1, 'bridge.n1.1', 5]], 'INTERNAL'],
  'a message by reference with a digest in upper case': [[2, 0, [1, 'bridge.n1.1', 5, digest.toUpperCase()]], 'INTERNAL'],
  'an array whose bytes do not have its shape': [[2, 0, [0, { dtype: '<i4', shape: [2], data: bytes(1, 2, 3) }]], 'INTERNAL'],
  'an array of a dtype that is not known': [[2, 0, [0, { dtype: '>i4', shape: [1], data: bytes(1, 2, 3, 4) }]], 'INTERNAL'],
  'an integer beyond 2^53': [[2, 0, [0, 2n ** 53n + 1n]], 'INTERNAL'],
  'a status of no code': [[4, 0, 17, '', {}, null], 'INTERNAL'],
  'a status whose text is bytes': [[4, 0, 0, bytes(65), {}, null], 'INTERNAL'],
  'credit below zero': [[5, -1], 'INTERNAL'],
  'a cancel without a text': [[6], 'INTERNAL']
}).map(([name, [value, status]]) => [name, { bytes: pack(value), status }]))

const cut: Record<string, Uint8Array> = {
  'no bytes': bytes(),
  'a list that is cut off': pack([2, 0, [0, 'hello']]).subarray(0, 6),
  'bytes behind the list': bytes(...pack([3, 1]), 0),
  'a byte that begins nothing': bytes(0xc1)
}

const hex = (value: Uint8Array): string => Buffer.from(value).toString('hex')

/** Bytes as `{"$bytes": hex}`, arrays as the maps they are on the wire. */
export function toJson (value: unknown): unknown {
  if (value instanceof Uint8Array) return { $bytes: hex(value) }
  if (ArrayBuffer.isView(value)) return toJson(toWire(value as Int32Array))
  if (Array.isArray(value)) return value.map(toJson)
  if (typeof value === 'object' && value !== null) return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, toJson(item)]))
  return value
}

export function fromJson (value: unknown): unknown {
  if (Array.isArray(value)) return value.map(fromJson)
  if (typeof value !== 'object' || value === null) return value
  const { $bytes } = value as { $bytes?: string }
  return $bytes === undefined ? Object.fromEntries(Object.entries(value).map(([key, item]) => [key, fromJson(item)])) : new Uint8Array(Buffer.from($bytes, 'hex'))
}

export const goldenFrames = (): (Golden & { lenient?: true })[] => [
  ...Object.entries(frames).map(([name, items]) => ({ name, frame: toJson(items), hex: hex(pack(items)) })),
  ...Object.entries(lenient).map(([name, { frame, more }]) => ({ name, frame: toJson(frame), hex: hex(pack(more)), lenient: true as const })),
  // As MessagePack in Python writes it.
  { name: 'message of an integer of 64 bits, unsigned', frame: [2, 0, [0, [2 ** 32]]], hex: '930200920091cf0000000100000000', lenient: true },
  ...Object.entries(invalid).map(([name, { bytes, status }]) => ({ name, hex: hex(bytes), invalid: true as const, status: statusCodes[status] })),
  ...Object.entries(cut).map(([name, bytes]) => ({ name, hex: hex(bytes), invalid: true as const, status: statusCodes.INTERNAL }))
]

if (process.argv.includes('--write')) writeFileSync('test/bridge/golden.json', `[\n${goldenFrames().map(golden => `  ${JSON.stringify(golden)}`).join(',\n')}\n]\n`)
