// Newlines found four bytes at a time: a word is turned so that a newline in it becomes a zero byte, and zero bytes leave
// their high bit. Reading and applying spend most of their time here.

import { LF } from './bytes.ts'

const low = 0x7f7f7f7f
const four = 0x0a0a0a0a

/** Of four bytes: those that are newlines as their high bits, without a carry from one into the next. */
const hitsIn = (word: number): number => {
  const other = word ^ four
  return ~(((other & low) + low) | other | low)
}

/** The same where only the lowest counts, which is exact: a borrow can only reach a higher byte. Cheaper. */
const firstHitIn = (word: number): number => {
  const other = word ^ four
  return (other - 0x01010101) & ~other & -0x7f7f7f80
}

export const hasNewline = (word: number): boolean => firstHitIn(word) !== 0

export class Newlines {
  private readonly bytes: Uint8Array
  private readonly words: Int32Array
  /** Bytes before the first whole word. */
  private readonly shift: number

  constructor (bytes: Uint8Array) {
    this.bytes = bytes
    this.shift = Math.min(-bytes.byteOffset & 3, bytes.length)
    const whole = (bytes.length - this.shift) >> 2
    this.words = whole === 0 ? new Int32Array(0) : new Int32Array(bytes.buffer, bytes.byteOffset + this.shift, whole)
  }

  /** Offset of the first newline at or behind `from`; -1 where there is none. */
  find (from: number): number {
    const { bytes, words, shift } = this
    const count = words.length
    let at = from
    for (; at < shift; at++) if (bytes[at] === LF) return at
    let word = (at - shift) >> 2
    if (word < count) {
      let hits = hitsIn(words[word]!) & (-1 << (((at - shift) & 3) << 3))
      while (hits === 0 && ++word < count) hits = firstHitIn(words[word]!)
      if (hits !== 0) return shift + (word << 2) + ((31 - Math.clz32(hits & -hits)) >> 3)
      at = shift + (count << 2)
    }
    for (; at < bytes.length; at++) if (bytes[at] === LF) return at
    return -1
  }

  /** Offset of the line that is `lines` further than the one at `from`; -1 behind the end. The last may have no newline. */
  skip (from: number, lines: number): number {
    const { bytes, words, shift } = this
    const count = words.length
    let left = lines
    let at = from
    while (left > 0 && at < shift) if (bytes[at++] === LF) left--
    let word = (at - shift) >> 2
    if (left > 0 && word < count) {
      let hits = hitsIn(words[word]!) & (-1 << (((at - shift) & 3) << 3))
      for (;;) {
        if (hits !== 0) {
          const found = ((hits >>> 7) & 1) + ((hits >>> 15) & 1) + ((hits >>> 23) & 1) + (hits >>> 31)
          if (found >= left) break
          left -= found
        }
        while (++word < count && firstHitIn(words[word]!) === 0);
        if (word === count) break
        hits = hitsIn(words[word]!)
      }
      if (word < count) {
        for (; left > 1; left--) hits &= hits - 1
        return shift + (word << 2) + ((31 - Math.clz32(hits & -hits)) >> 3) + 1
      }
      at = shift + (count << 2)
    }
    while (left > 0 && at < bytes.length) if (bytes[at++] === LF) left--
    return left === 0 ? at : left === 1 && bytes.length > from && bytes[bytes.length - 1] !== LF ? bytes.length : -1
  }
}
