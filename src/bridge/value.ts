// What a message may hold: null, booleans, numbers, strings, bytes, lists, maps with strings for keys, and arrays of numbers.
//
// An Uint8Array is bytes. Every other typed array travels as `{dtype, shape, data}` and comes back as one. A map of exactly
// these three keys is an array for every reader: with one dimension it comes back as a typed array (`|u1` as Uint8Array), with
// more it stays the map, checked, for `fromWire`. To send bytes as an array of `|u1`, give `toWire(bytes)`.

import { bridgeLimits } from './limits.ts'
import { BridgeStatus } from './status.ts'

export function checkDepth (depth: number): void {
  if (depth > bridgeLimits.depthMax) throw new BridgeStatus('INTERNAL', `Cannot use a message: it is nested deeper than ${bridgeLimits.depthMax} levels (depthMax)`)
}

export function isPlain (value: object): boolean {
  const prototype: unknown = Object.getPrototypeOf(value)
  return prototype === Object.prototype || prototype === null
}
