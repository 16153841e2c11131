// What a message may hold: null, booleans, numbers, strings, bytes, lists, maps with strings for keys, and arrays of numbers.
//
// An Uint8Array is bytes. Every other typed array travels as `{dtype, shape, data}` and comes back as one. A map of exactly
// these three keys is an array for every reader: with one dimension it comes back as a typed array (`|u1` as Uint8Array), with
// more it stays the map, checked, for `fromWire`. To send bytes as an array of `|u1`, give `toWire(bytes)`.

import { Packr } from 'msgpackr'
import { fromWire, toWire, type NumberArray } from '../workers/codec/arrays.ts'
import { bridgeLimits } from './limits.ts'
import { BridgeStatus } from './status.ts'

/** Shortest forms, as every other writer has them. 64 bits come as a bigint where a number cannot hold them. Bytes are copied: what is kept of a message does not keep what came with it. */
const packr = new Packr({ useRecords: false, variableMapSize: true, int64AsType: 'auto' as never, copyBuffers: true })

/** Half a pair of surrogates has no UTF-8, and other readers refuse what MessagePackr makes of it. Node has it, the types of ES2023 do not. */
const wellFormed = (text: string): string => (text as string & { toWellFormed (): string }).toWellFormed()

/** Throws INTERNAL for what cannot be sent. */
export function pack (value: unknown): Uint8Array {
  try {
    return packr.pack(outgoing(value, 0))
  } catch (error) {
    throw unsendable(error)
  }
}

/** Throws INTERNAL for what cannot be read. */
export function unpack (bytes: Uint8Array): unknown {
  try {
    return packr.unpack(bytes)
  } catch (error) {
    throw unreadable((error as Error).message)
  }
}

export const unreadable = (why: string): BridgeStatus => new BridgeStatus('INTERNAL', `Cannot read a frame: ${why}`)

const unsendable = (error: unknown): BridgeStatus =>
  error instanceof BridgeStatus ? error : new BridgeStatus('INTERNAL', `Cannot send a message: ${(error as Error).message}`, { cause: error })

/** The value with arrays as maps, and without what MessagePack has no word for. */
export function outgoing (value: unknown, depth: number): unknown {
  switch (typeof value) {
    case 'string': return wellFormed(value)
    case 'boolean':
    case 'bigint': return value
    // MessagePackr would write an integer of more than 32 bits as a float.
    case 'number': return Number.isSafeInteger(value) && (value > 0xffff_ffff || value < -0x8000_0000) ? BigInt(value) : value
    case 'undefined': return null
    case 'object': return value === null ? null : outgoingObject(value, depth + 1)
    default: throw new BridgeStatus('INTERNAL', `Cannot send a message: it holds a ${typeof value}`)
  }
}

function outgoingObject (value: object, depth: number): unknown {
  checkDepth(depth)
  if (value instanceof Uint8Array) return value
  if (Array.isArray(value)) return value.map(item => outgoing(item, depth))
  if (ArrayBuffer.isView(value)) return toWire(value as NumberArray)
  if (!isPlain(value)) throw new BridgeStatus('INTERNAL', `Cannot send a message: it holds a ${value.constructor?.name ?? 'strange object'}`)
  const map: Record<string, unknown> = {}
  for (const [key, item] of Object.entries(value)) if (item !== undefined) map[wellFormed(key)] = outgoing(item, depth)
  return map
}

/** What was read, with its arrays. */
export function incoming (value: unknown, depth = 0): unknown {
  if (typeof value === 'bigint') throw unreadable('it holds an integer beyond 2^53')
  if (value === undefined) throw unreadable('it holds what no message may hold')
  if (typeof value !== 'object' || value === null || value instanceof Uint8Array) return value
  checkDepth(depth + 1)
  if (Array.isArray(value)) {
    for (let index = 0; index < value.length; index++) value[index] = incoming(value[index], depth + 1)
    return value
  }
  if (!isPlain(value)) throw unreadable('it holds what no message may hold')
  return incomingMap(value as Record<string, unknown>, depth + 1)
}

function incomingMap (map: Record<string, unknown>, depth: number): unknown {
  const keys = Object.keys(map)
  if (keys.length === 3 && 'dtype' in map && 'shape' in map && 'data' in map) return incomingArray(map)
  for (const key of keys) {
    const item = map[key]
    if (typeof item === 'string' || item instanceof Uint8Array) continue
    map[key] = incoming(item, depth)
  }
  return map
}

function incomingArray (map: Record<string, unknown>): unknown {
  try {
    const { array, shape } = fromWire(map, 'an array of a message')
    return shape.length === 1 ? array : map
  } catch (error) {
    throw unreadable((error as Error).message)
  }
}

function checkDepth (depth: number): void {
  if (depth > bridgeLimits.depthMax) throw new BridgeStatus('INTERNAL', `Cannot use a message: it is nested deeper than ${bridgeLimits.depthMax} levels (depthMax)`)
}

function isPlain (value: object): boolean {
  const prototype: unknown = Object.getPrototypeOf(value)
  return prototype === Object.prototype || prototype === null
}
