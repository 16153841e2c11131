// Bytes as lines. A line ends with \n and nothing else, and the byte belongs to it; the last one may go without, and then
// differs from the same text with it. Bytes are never decoded: four of them are looked at in one step.

import { tooLarge } from './limits.ts'

/** Line n is `bytes` from `starts[n]` to `starts[n + 1]`; `starts` has one entry more than there are lines. */
export interface Lines { bytes: Uint8Array; count: number; starts: Int32Array }

export interface HashedLines extends Lines { hashes: Int32Array }

const newline = 10
const newlines = 0x0a0a0a0a

/** Throws DIFF_TOO_LARGE beyond `linesMax` lines. */
export function splitLines (bytes: Uint8Array, linesMax: number): HashedLines {
  const { length } = bytes
  const view = viewOf(bytes)
  let starts = new Int32Array(Math.min(linesMax, 64 + (length >> 4)) + 1)
  let hashes = new Int32Array(starts.length)
  let count = 0
  for (let at = 0; at < length;) {
    if (count === starts.length - 1) {
      if (count >= linesMax) throw tooLarge('a side has', 'linesMax', linesMax)
      starts = grown(starts, linesMax)
      hashes = grown(hashes, linesMax)
    }
    starts[count] = at
    let hash = 0
    let ended = false
    while (at + 4 <= length) {
      const word = view.getInt32(at, true)
      // A byte of `mark` has its top bit set where the word has a \n; below the lowest one it is exact.
      const odd = word ^ newlines
      const mark = (odd - 0x01010101) & ~odd & 0x80808080
      if (mark === 0) {
        hash = mixed(hash, word)
        at += 4
        continue
      }
      const bits = 32 - Math.clz32(mark & -mark)
      hash = mixed(hash, bits === 32 ? word : word & ((1 << bits) - 1))
      at += bits >> 3
      ended = true
      break
    }
    if (!ended) {
      let word = 0
      for (let shift = 0; at < length; shift += 8) {
        const byte = bytes[at++]!
        word |= byte << shift
        if (byte === newline) break
      }
      hash = mixed(hash, word)
    }
    hashes[count++] = Math.imul(hash ^ (hash >>> 15), 0x2c1b3c6d)
  }
  starts[count] = length
  return { bytes, count, starts: starts.subarray(0, count + 1), hashes: hashes.subarray(0, count) }
}

const mixed = (hash: number, word: number): number => Math.imul((hash << 5 | hash >>> 27) ^ word, 0x9e3779b1)

function grown (from: Int32Array<ArrayBuffer>, linesMax: number): Int32Array<ArrayBuffer> {
  const to = new Int32Array(Math.min(linesMax + 1, from.length * 2))
  to.set(from)
  return to
}

export const viewOf = (bytes: Uint8Array): DataView => new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
