// Hunks applied to a text in one pass, which is how nearly every patch applies: each hunk fits at the line its header
// names, behind the one before it. There git finds it at its first try too, so the result is git's. Anything else, a line
// that differs, an overlap, a newline missing in the middle, and the file is left to the search of image.ts.

import { BACKSLASH, bufferOf, LF, MINUS, PLUS } from './bytes.ts'
import { hunk, hunkFlag } from './hunks.ts'
import { applyWithSearch } from './image.ts'

/** The text after all of the hunks, or the number of the first hunk that finds no place (from 0). */
export function applyHunks (before: Uint8Array, patch: Uint8Array, hunks: Int32Array, first: number, count: number, growth: number, reverse: boolean): Uint8Array | number {
  const size = before.length + (reverse ? -growth : growth)
  const quick = size < 0 ? null : new OnePass(before, patch, size).apply(hunks, first, count, reverse)
  return quick ?? applyWithSearch(before, patch, hunks, first, count, reverse)
}

class OnePass {
  private readonly before: Uint8Array
  private readonly patch: Uint8Array
  private readonly out: Buffer
  private readonly skipper: LineSkipper
  /** How far the old text is used, how long the new one is, and how many lines that are. */
  private at = 0
  private length = 0
  private line = 0

  constructor (before: Uint8Array, patch: Uint8Array, size: number) {
    this.before = before
    this.patch = patch
    this.out = Buffer.allocUnsafeSlow(size)
    this.skipper = new LineSkipper(before)
  }

  apply (hunks: Int32Array, first: number, count: number, reverse: boolean): Uint8Array | null {
    for (let row = first * hunk.columns, end = row + count * hunk.columns; row < end; row += hunk.columns) {
      const flags = hunks[row + hunk.flags]!
      const anchored = (flags & (reverse ? hunkFlag.newAnchored : hunkFlag.oldAnchored)) !== 0
      const target = anchored ? 0 : hunks[row + (reverse ? hunk.oldStart : hunk.newStart)]!
      if (target < this.line) return null
      const place = this.skipper.skip(this.at, target - this.line)
      if (place === -1 || !this.copyTo(place)) return null
      if (!this.applyLines(hunks[row + hunk.body]!, hunks[row + hunk.end]!, reverse)) return null
      if (hunks[row + hunk.trailing] === 0 && this.at !== this.before.length) return null
      this.line = target + hunks[row + (reverse ? hunk.oldLines : hunk.newLines)]!
    }
    return this.copyTo(this.before.length) && this.length === this.out.length ? this.out : null
  }

  private copyTo (end: number): boolean {
    const size = end - this.at
    if (this.length + size > this.out.length) return false
    if (size > 0) bufferOf(this.before).copy(this.out, this.length, this.at, end)
    this.length += size
    this.at = end
    return true
  }

  /** The hot loop of applying: compares old lines with the text and writes new ones, byte by byte. */
  private applyLines (start: number, end: number, reverse: boolean): boolean {
    const { before, patch, out } = this
    const plus = reverse ? MINUS : PLUS
    const minus = reverse ? PLUS : MINUS
    const size = before.length
    let { at, length } = this
    for (let from = start; from < end;) {
      const first = patch[from]!
      // An empty line is context without its space.
      if (first !== LF) from++
      if (first === plus) {
        while (patch[from] !== LF) out[length++] = patch[from++]!
        if (++from < end && patch[from] === BACKSLASH) continue
        out[length++] = LF
        continue
      }
      if (first === BACKSLASH) {
        while (from < end && patch[from] !== LF) from++
        from++
        continue
      }
      if (first === minus) while (at < size && patch[from] === before[at] && patch[from] !== LF) { at++; from++ }
      else while (at < size && patch[from] === before[at] && patch[from] !== LF) { out[length++] = patch[from++]!; at++ }
      if (patch[from] !== LF) return false
      const marked = ++from < end && patch[from] === BACKSLASH
      if (at < size && !marked && before[at] === LF) {
        at++
        if (first !== minus) out[length++] = LF
      } else if (at < size || !marked || first === LF) return false
    }
    this.at = at
    this.length = length
    return true
  }
}

/** Finds the beginning of a later line, four bytes at a time. */
class LineSkipper {
  private readonly bytes: Uint8Array
  private readonly words: Int32Array
  /** Bytes before the first whole word. */
  private readonly shift: number

  constructor (bytes: Uint8Array) {
    this.bytes = bytes
    this.shift = Math.min(-bytes.byteOffset & 3, bytes.length)
    this.words = new Int32Array(bytes.buffer, bytes.byteOffset + (this.shift < bytes.length ? this.shift : -bytes.byteOffset), (bytes.length - this.shift) >> 2)
  }

  /** Offset of the line that is `lines` further than the one at `from`; -1 behind the end. The last may have no newline. */
  skip (from: number, lines: number): number {
    const { bytes, words, shift } = this
    let [at, left] = [from, lines]
    const size = bytes.length
    while (left > 0 && at < size) {
      if (((at - shift) & 3) === 0) {
        let word = (at - shift) >> 2
        for (; word < words.length; word++) {
          const found = newlinesIn(words[word]!)
          if (found >= left) break
          left -= found
        }
        at = shift + word * 4
        const end = Math.min(at + 4, size)
        for (; at < end && left > 0; at++) if (bytes[at] === LF) left--
      } else if (bytes[at++] === LF) left--
    }
    return left === 0 ? at : left === 1 && size > from && bytes[size - 1] !== LF ? size : -1
  }
}

const low = 0x7f7f7f7f

/** Of four bytes: those that become zero leave their high bit, without a carry into the next. */
function newlinesIn (word: number): number {
  const other = word ^ 0x0a0a0a0a
  const hits = ~(((other & low) + low) | other | low)
  return hits === 0 ? 0 : ((hits >>> 7) & 1) + ((hits >>> 15) & 1) + ((hits >>> 23) & 1) + (hits >>> 31)
}
