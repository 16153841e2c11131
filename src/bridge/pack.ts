// Writes what a message may hold as MessagePack, in the shortest forms, into one buffer that is used again and again
// (docs/bridge.md). What may stand in a message says value.ts.

import { toWire, type NumberArray } from '../workers/codec/arrays.ts'
import { bridgeLimits } from './limits.ts'
import { BridgeStatus } from './status.ts'
import { checkDepth, isPlain } from './value.ts'

let buffer = Buffer.allocUnsafeSlow(bridgeLimits.scratchBytes)
let view = new DataView(buffer.buffer)
let at = 0

/** The bytes hold until the next call. Throws INTERNAL for what cannot be sent. */
export function packLent (value: unknown): Uint8Array {
  const start = at
  try {
    if (start === 0 && buffer.length > bridgeLimits.scratchBytesKept) replaceBuffer(bridgeLimits.scratchBytes)
    write(value, 0)
    return buffer.subarray(start, at)
  } catch (error) {
    throw error instanceof BridgeStatus ? error : new BridgeStatus('INTERNAL', `Cannot send a message: ${(error as Error).message}`, { cause: error })
  } finally {
    at = start
  }
}

/** The same, of one's own. */
export const pack = (value: unknown): Uint8Array => {
  const bytes = packLent(value)
  const own = new Uint8Array(Buffer.allocUnsafeSlow(bytes.length).buffer)
  own.set(bytes)
  return own
}

function replaceBuffer (bytes: number): void {
  const old = buffer.subarray(0, at)
  buffer = Buffer.allocUnsafeSlow(bytes)
  buffer.set(old)
  view = new DataView(buffer.buffer)
}

function makeRoom (bytes: number): void {
  if (at + bytes > buffer.length) replaceBuffer(Math.max(at + bytes, 2 * buffer.length))
}

function write (value: unknown, depth: number): void {
  switch (typeof value) {
    case 'string': return writeText(value)
    case 'number': return writeNumber(value)
    case 'boolean': return writeByte(value ? 0xc3 : 0xc2)
    case 'undefined': return writeByte(0xc0)
    case 'object': return value === null ? writeByte(0xc0) : writeObject(value, depth + 1)
    case 'bigint': return writeLong(value)
    default: throw new BridgeStatus('INTERNAL', `Cannot send a message: it holds a ${typeof value}`)
  }
}

function writeObject (value: object, depth: number): void {
  checkDepth(depth)
  if (value instanceof Uint8Array) return writeBytes(value)
  if (Array.isArray(value)) {
    writeHead(value.length, 0x90, 15, 0xdc)
    for (const item of value) write(item, depth)
    return
  }
  const map = ArrayBuffer.isView(value) ? toWire(value as NumberArray) : value
  if (!isPlain(map)) throw new BridgeStatus('INTERNAL', `Cannot send a message: it holds a ${map.constructor?.name ?? 'strange object'}`)
  writeMap(map as Record<string, unknown>, depth)
}

function writeMap (map: Record<string, unknown>, depth: number): void {
  const keys = Object.keys(map)
  let absent = 0
  for (const key of keys) if (map[key] === undefined) absent++
  writeHead(keys.length - absent, 0x80, 15, 0xde)
  for (const key of keys) {
    const item = map[key]
    if (item === undefined) continue
    writeText(key)
    write(item, depth)
  }
}

function writeByte (byte: number): void {
  makeRoom(1)
  buffer[at++] = byte
}

/** Of lists and maps: in one byte up to `most`, else `long` with 16 bits or the byte behind it with 32. */
function writeHead (count: number, short: number, most: number, long: number): void {
  makeRoom(5)
  if (count <= most) buffer[at++] = short | count
  else writeCount(count, long)
}

function writeCount (count: number, long: number): void {
  if (count <= 0xffff) {
    buffer[at] = long
    view.setUint16(at + 1, count)
    at += 3
  } else {
    buffer[at] = long + 1
    view.setUint32(at + 1, count)
    at += 5
  }
}

function writeBytes (bytes: Uint8Array): void {
  makeRoom(bytes.length + 5)
  writeLength(bytes.length, 0xc4)
  buffer.set(bytes, at)
  at += bytes.length
}

/** Of bytes and of texts beyond 31: `short` with 8 bits, the bytes behind it with 16 and 32. */
function writeLength (length: number, short: number): void {
  if (length > 0xff) return writeCount(length, short + 1)
  buffer[at++] = short
  buffer[at++] = length
}

/** Half a pair of surrogates has no UTF-8: U+FFFD takes its place. */
function writeText (text: string): void {
  const { length } = text
  if (length <= 31 && writeAscii(text, length)) return
  const bytes = Buffer.byteLength(text)
  makeRoom(bytes + 5)
  if (bytes <= 31) buffer[at++] = 0xa0 | bytes
  else writeLength(bytes, 0xd9)
  at += buffer.write(text, at)
}

function writeAscii (text: string, length: number): boolean {
  makeRoom(length + 1)
  for (let index = 0; index < length; index++) {
    const code = text.charCodeAt(index)
    if (code > 0x7f) return false
    buffer[at + 1 + index] = code
  }
  buffer[at] = 0xa0 | length
  at += length + 1
  return true
}

function writeNumber (value: number): void {
  makeRoom(9)
  if (!Number.isInteger(value) || value > 0xffff_ffff || value < -0x8000_0000 || Object.is(value, -0)) return writeWide(value)
  if (value >= 0) writeNatural(value)
  else writeNegative(value)
}

function writeNatural (value: number): void {
  if (value < 0x80) buffer[at++] = value
  else if (value <= 0xff) {
    buffer[at++] = 0xcc
    buffer[at++] = value
  } else writeCount(value, 0xcd)
}

function writeNegative (value: number): void {
  if (value >= -0x20) buffer[at++] = value & 0xff
  else if (value >= -0x80) {
    buffer[at++] = 0xd0
    buffer[at++] = value & 0xff
  } else if (value >= -0x8000) {
    buffer[at] = 0xd1
    view.setInt16(at + 1, value)
    at += 3
  } else {
    buffer[at] = 0xd2
    view.setInt32(at + 1, value)
    at += 5
  }
}

/** What 32 bits do not hold, and what is no integer. */
function writeWide (value: number): void {
  if (Number.isSafeInteger(value) && !Object.is(value, -0)) return writeLong(BigInt(value))
  buffer[at] = 0xcb
  view.setFloat64(at + 1, value)
  at += 9
}

function writeLong (value: bigint): void {
  makeRoom(9)
  const isSigned = BigInt.asIntN(64, value) === value
  if (!isSigned && BigInt.asUintN(64, value) !== value) throw new BridgeStatus('INTERNAL', 'Cannot send a message: it holds an integer of more than 64 bits')
  buffer[at] = isSigned ? 0xd3 : 0xcf
  if (isSigned) view.setBigInt64(at + 1, value)
  else view.setBigUint64(at + 1, value)
  at += 9
}
