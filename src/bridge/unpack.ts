// Reads MessagePack from first to last, value by value (docs/bridge.md). What it gives is its reader's own: bytes and arrays are
// copied, once, so that what is kept of a message does not keep what came with it.

import { fromWire } from '../workers/codec/arrays.ts'
import { BridgeStatus } from './status.ts'
import { checkDepth } from './value.ts'

export const unreadable = (why: string): BridgeStatus => new BridgeStatus('INTERNAL', `Cannot read a frame: ${why}`)

/** Throws INTERNAL for what cannot be read. */
export class Unpacker {
  readonly #bytes: Buffer
  readonly #view: DataView
  #at = 0

  constructor ({ buffer, byteOffset, byteLength }: Uint8Array) {
    this.#bytes = Buffer.from(buffer, byteOffset, byteLength)
    this.#view = new DataView(buffer, byteOffset, byteLength)
  }

  get isDone (): boolean { return this.#at === this.#bytes.length }

  /** Whether a null comes next; it is read then. */
  isNull (): boolean {
    if (this.#bytes[this.#at] !== 0xc0) return false
    this.#at++
    return true
  }

  /** How many items the list that comes next has. */
  listLength (what: string): number {
    const byte = this.#byte()
    if (byte >= 0x90 && byte <= 0x9f) return byte & 0x0f
    if (byte !== 0xdc && byte !== 0xdd) throw unreadable(`${what} is no list`)
    return byte === 0xdc ? this.#short() : this.#word()
  }

  value (depth = 0): unknown {
    const byte = this.#byte()
    if (byte < 0x80) return byte
    if (byte < 0x90) return this.#map(byte & 0x0f, depth)
    if (byte < 0xa0) return this.#list(byte & 0x0f, depth)
    if (byte < 0xc0) return this.#text(byte & 0x1f)
    if (byte >= 0xe0) return byte - 0x100
    switch (byte) {
      case 0xc0: return null
      case 0xc2: return false
      case 0xc3: return true
      case 0xc4: return this.#own(this.#byte())
      case 0xc5: return this.#own(this.#short())
      case 0xc6: return this.#own(this.#word())
      case 0xd9: return this.#text(this.#byte())
      case 0xda: return this.#text(this.#short())
      case 0xdb: return this.#text(this.#word())
      case 0xdc: return this.#list(this.#short(), depth)
      case 0xdd: return this.#list(this.#word(), depth)
      case 0xde: return this.#map(this.#short(), depth)
      case 0xdf: return this.#map(this.#word(), depth)
      default: return this.#number(byte)
    }
  }

  /** Passes over a value, whatever it is. */
  skip (): void {
    for (let left = 1; left > 0; left--) left += this.#skipOne()
  }

  /** How many values follow that belong to it. */
  #skipOne (): number {
    const byte = this.#byte()
    if (byte < 0x80 || byte >= 0xe0) return 0
    if (byte < 0x90) return 2 * (byte & 0x0f)
    if (byte < 0xa0) return byte & 0x0f
    if (byte >= 0xdc) return (byte < 0xde ? 1 : 2) * (byte % 2 === 0 ? this.#short() : this.#word())
    this.#take(byte < 0xc0 ? byte & 0x1f : this.#lengthOf(byte))
    return 0
  }

  /** Of what follows this byte, where it is neither list nor map. */
  #lengthOf (byte: number): number {
    if (byte === 0xc1) throw unreadable('a byte of it begins nothing')
    if (byte <= 0xc3) return 0
    if (byte <= 0xc6) return this.#sized(byte - 0xc4)
    if (byte <= 0xc9) return this.#sized(byte - 0xc7) + 1
    if (byte <= 0xcb) return 4 << byte - 0xca
    if (byte <= 0xcf) return 1 << byte - 0xcc
    if (byte <= 0xd3) return 1 << byte - 0xd0
    if (byte <= 0xd8) return (1 << byte - 0xd4) + 1
    return this.#sized(byte - 0xd9)
  }

  #sized (width: number): number { return width === 0 ? this.#byte() : width === 1 ? this.#short() : this.#word() }

  #number (byte: number): number {
    const view = this.#view
    switch (byte) {
      case 0xca: return view.getFloat32(this.#take(4))
      case 0xcb: return view.getFloat64(this.#take(8))
      case 0xcc: return this.#byte()
      case 0xcd: return this.#short()
      case 0xce: return this.#word()
      case 0xcf: return this.#safe(view.getBigUint64(this.#take(8)))
      case 0xd0: return view.getInt8(this.#take(1))
      case 0xd1: return view.getInt16(this.#take(2))
      case 0xd2: return view.getInt32(this.#take(4))
      case 0xd3: return this.#safe(view.getBigInt64(this.#take(8)))
      default: throw unreadable('it holds what no message may hold')
    }
  }

  #safe (value: bigint): number {
    const number = Number(value)
    if (!Number.isSafeInteger(number)) throw unreadable('it holds an integer beyond 2^53')
    return number
  }

  #list (length: number, depth: number): unknown[] {
    checkDepth(depth + 1)
    this.#require(length)
    const list: unknown[] = []
    for (let index = 0; index < length; index++) list.push(this.value(depth + 1))
    return list
  }

  #map (length: number, depth: number): unknown {
    checkDepth(depth + 1)
    this.#require(2 * length)
    const map: Record<string, unknown> = {}
    for (let index = 0; index < length; index++) {
      const key = this.#key()
      const value = this.value(depth + 1)
      if (key === '__proto__') Object.defineProperty(map, key, { value, enumerable: true, configurable: true, writable: true })
      else map[key] = value
    }
    return length === 3 && 'dtype' in map && 'shape' in map && 'data' in map ? arrayOf(map) : map
  }

  #key (): string {
    const byte = this.#byte()
    if (byte >= 0xa0 && byte < 0xc0) return this.#text(byte & 0x1f)
    if (byte < 0xd9 || byte > 0xdb) throw unreadable('a key of a map is no text')
    return this.#text(this.#sized(byte - 0xd9))
  }

  #text (length: number): string {
    const from = this.#take(length)
    if (length > 15) return this.#bytes.toString('utf8', from, this.#at)
    let text = ''
    for (let at = from; at < this.#at; at++) {
      const code = this.#bytes[at]!
      if (code > 0x7f) return this.#bytes.toString('utf8', from, this.#at)
      text += String.fromCharCode(code)
    }
    return text
  }

  #own (length: number): Uint8Array {
    const from = this.#take(length)
    // The small ones lie in the heap of the language, the large ones need not be cleared before they are written.
    const own = length <= 64 ? new Uint8Array(length) : new Uint8Array(Buffer.allocUnsafeSlow(length).buffer)
    own.set(this.#bytes.subarray(from, this.#at))
    return own
  }

  #byte (): number { return this.#bytes[this.#take(1)]! }
  #short (): number { return this.#view.getUint16(this.#take(2)) }
  #word (): number { return this.#view.getUint32(this.#take(4)) }

  #take (length: number): number {
    this.#require(length)
    const at = this.#at
    this.#at += length
    return at
  }

  #require (bytes: number): void {
    if (bytes > this.#bytes.length - this.#at) throw unreadable('it ends too early')
  }
}

/** With one dimension a typed array, else the map, checked. */
function arrayOf (map: Record<string, unknown>): unknown {
  try {
    const { array, shape } = fromWire(map, 'an array of a message')
    return shape.length === 1 ? array : map
  } catch (error) {
    throw unreadable((error as Error).message)
  }
}
