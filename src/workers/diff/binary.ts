// `GIT binary patch`: blocks of base 85 over deflated bytes, one forward and perhaps one back. A block is `literal`, the
// whole content, or `delta`, instructions over the content before.

import { inflateSync } from 'node:zlib'
import { SparError } from '../../errors.ts'
import { binaryString, nextLine, startsWith } from './bytes.ts'
import { readSize } from './numbers.ts'

export const blockMethod = { none: 0, delta: 1, literal: 2 } as const

export interface Block {
  method: number
  /** Bytes when inflated. */
  size: number
  /** Where its lines are, the empty line that ends them left out. */
  start: number
  end: number
}

const alphabet = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz!#$%&()*+-;<=>?@^_`{|}~'
const values = new Int8Array(256).fill(-1)
for (let index = 0; index < alphabet.length; index++) values[alphabet.charCodeAt(index)] = index

/** The block at `start`: null where there is none, `broken` where there is one that cannot be read. */
export function readBlock (bytes: Uint8Array, start: number, sizeMax: number): Block | 'broken' | null {
  const delta = startsWith(bytes, start, 'delta ')
  if (!delta && !startsWith(bytes, start, 'literal ')) return null
  const size = readSize(bytes, start + (delta ? 6 : 8))
  if (size > sizeMax) {
    throw new SparError('PATCH_TOO_LARGE', `Cannot read a patch with a binary file of ${size} bytes: the limit is ${sizeMax} (binaryBytesMax)`, { data: { size } })
  }
  const lines = nextLine(bytes, start)
  let end = lines
  for (;;) {
    const next = nextLine(bytes, end)
    if (next - end === 1) break
    if (lineBytes(bytes, end, next) === 0) return 'broken'
    end = next
  }
  const block = { method: delta ? blockMethod.delta : blockMethod.literal, size, start: lines, end }
  return inflateBlock(bytes, block) === null ? 'broken' : block
}

/** Bytes that a line stands for, 1 to 52, told by its first letter; 0 where the line is not as long as it says. */
function lineBytes (bytes: Uint8Array, start: number, end: number): number {
  const length = end - start
  if (length < 7 || (length - 2) % 5 !== 0) return 0
  const letter = bytes[start]!
  const count = letter >= 65 && letter <= 90 ? letter - 64 : letter >= 97 && letter <= 122 ? letter - 70 : 0
  const most = (length - 2) / 5 * 4
  return count > most || count <= most - 4 ? 0 : count
}

/** The block's bytes, or null where they are not what the block says. */
export function inflateBlock (bytes: Uint8Array, { start, end, size }: Block): Uint8Array | null {
  const packed = decodeLines(bytes, start, end)
  if (packed === null) return null
  try {
    const inflated = inflateSync(packed, { maxOutputLength: Math.max(1, size) })
    return inflated.length === size ? inflated : null
  } catch {
    return null
  }
}

function decodeLines (bytes: Uint8Array, start: number, end: number): Uint8Array | null {
  const out = new Uint8Array(end - start)
  let length = 0
  for (let at = start; at < end;) {
    const next = nextLine(bytes, at)
    let left = lineBytes(bytes, at, next)
    for (let group = at + 1; left > 0; group += 5, left -= 4) {
      let value = 0
      for (let digit = 0; digit < 5; digit++) {
        const found = values[bytes[group + digit]!]!
        if (found < 0) return null
        value = value * 85 + found
      }
      if (value > 0xffffffff) return null
      for (let shift = 24, count = Math.min(4, left); count > 0; shift -= 8, count--) out[length++] = value >>> shift
    }
    at = next
  }
  return out.subarray(0, length)
}

/** Applies a delta to the content it was made for; null where it does not fit. */
export function applyDelta (before: Uint8Array, delta: Uint8Array, sizeMax: number): Uint8Array | null {
  if (delta.length < 4) return null
  const sizes = { at: 0 }
  if (readVariable(delta, sizes) !== before.length) return null
  const size = readVariable(delta, sizes)
  if (size > sizeMax) {
    throw new SparError('PATCH_TOO_LARGE', `Cannot apply a binary patch that makes ${size} bytes: the limit is ${sizeMax} (binaryBytesMax)`, { data: { size } })
  }
  const out = new Uint8Array(size)
  let [at, length] = [sizes.at, 0]
  while (at < delta.length) {
    const command = delta[at++]!
    if (command === 0) return null
    let [from, offset, count] = [delta, at, command]
    if (command >= 0x80) {
      const copy = readCopy(delta, at, command)
      if (copy === null) return null
      at = copy.end
      ;[from, offset, count] = [before, copy.offset, copy.count]
    } else at += command
    if (offset + count > from.length || length + count > size) return null
    out.set(from.subarray(offset, offset + count), length)
    length += count
  }
  return length === size ? out : null
}

/** Seven bits a byte, the lowest first. */
function readVariable (delta: Uint8Array, place: { at: number }): number {
  let value = 0
  for (let scale = 1; place.at < delta.length; scale *= 128) {
    const byte = delta[place.at++]!
    value += (byte & 0x7f) * scale
    if (byte < 0x80) break
  }
  return value
}

/** The command's bits say which bytes of offset (4) and count (3) follow. */
function readCopy (delta: Uint8Array, at: number, command: number): { offset: number; count: number; end: number } | null {
  let [offset, count] = [0, 0]
  for (let bit = 0; bit < 7; bit++) {
    if ((command & (1 << bit)) === 0) continue
    if (at >= delta.length) return null
    const byte = delta[at++]!
    if (bit < 4) offset += byte * 2 ** (8 * bit)
    else count += byte * 2 ** (8 * (bit - 4))
  }
  return { offset, count: count === 0 ? 0x10000 : count, end: at }
}

/** Whether the line says that binary files differ, without their content. */
export const isDifferLine = (bytes: Uint8Array, start: number): boolean =>
  (startsWith(bytes, start, 'Binary files ') || startsWith(bytes, start, 'Files ')) && binaryString(bytes, start, nextLine(bytes, start)).endsWith(' differ\n')
