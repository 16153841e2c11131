// Hunks applied to a text in one pass, which is how nearly every patch applies: each hunk fits at the line its header
// names, behind the one before it. There git finds it at its first try too, so the result is git's. Anything else, a line
// that differs, an overlap, a newline missing in the middle, and the file is left to the search of image.ts.

import { BACKSLASH, bufferOf, LF, MINUS, nextLine, PLUS } from './bytes.ts'
import { hunk, hunkFlag } from './hunks.ts'
import { applyWithSearch } from './image.ts'
import { hasNewline, Newlines } from './newlines.ts'

/** The text after all of the hunks, or the number of the first hunk that finds no place (from 0). */
export function applyHunks (before: Uint8Array, patch: Uint8Array, hunks: Int32Array, first: number, count: number, growth: number, reverse: boolean): Uint8Array | number {
  const size = before.length + (reverse ? -growth : growth)
  const quick = size < 0 ? null : new OnePass(before, patch, size).apply(hunks, first, count, reverse)
  return quick ?? applyWithSearch(before, patch, hunks, first, count, reverse)
}

const viewOf = (bytes: Uint8Array): DataView => new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)

class OnePass {
  private readonly before: Buffer
  private readonly patch: Uint8Array
  private readonly out: Buffer
  private readonly newlines: Newlines
  /** Four bytes at a time, wherever they stand. */
  private readonly beforeView: DataView
  private readonly patchView: DataView
  private readonly outView: DataView
  /** How far the old text is read, and how far it is copied. */
  private at = 0
  private copied = 0
  /** How long the new text is, and how many lines of it are settled. */
  private length = 0
  private line = 0

  constructor (before: Uint8Array, patch: Uint8Array, size: number) {
    this.before = bufferOf(before)
    this.patch = patch
    this.out = Buffer.allocUnsafeSlow(size)
    this.newlines = new Newlines(before)
    this.beforeView = viewOf(before)
    this.patchView = viewOf(patch)
    this.outView = viewOf(this.out)
  }

  apply (hunks: Int32Array, first: number, count: number, reverse: boolean): Uint8Array | null {
    for (let row = first * hunk.columns, end = row + count * hunk.columns; row < end; row += hunk.columns) {
      const anchored = (hunks[row + hunk.flags]! & (reverse ? hunkFlag.newAnchored : hunkFlag.oldAnchored)) !== 0
      const target = anchored ? 0 : hunks[row + (reverse ? hunk.oldStart : hunk.newStart)]!
      if (target < this.line) return null
      this.at = this.newlines.skip(this.at, target - this.line)
      if (this.at === -1 || !this.applyLines(hunks[row + hunk.body]!, hunks[row + hunk.end]!, reverse)) return null
      if (hunks[row + hunk.trailing] === 0 && this.at !== this.before.length) return null
      this.line = target + hunks[row + (reverse ? hunk.oldLines : hunk.newLines)]!
    }
    this.copyTo(this.before.length)
    return this.length === this.out.length ? this.out : null
  }

  /** Context and what is between hunks is copied in one piece. A text that grows too long is given up in the end. */
  private copyTo (end: number): void {
    if (end === this.copied) return
    this.before.copy(this.out, this.length, this.copied, end)
    this.length += end - this.copied
    this.copied = end
  }

  /** Copies a line of the patch, without its newline where a mark says so; returns where the next one is. */
  private addLine (start: number, end: number): number {
    const { patch, out } = this
    const { patchView, outView } = this
    let from = start
    let length = this.length
    const last = Math.min(patch.length, start + out.length - length) - 4
    while (from <= last) {
      const word = patchView.getInt32(from, true)
      if (hasNewline(word)) break
      outView.setInt32(length, word, true)
      from += 4
      length += 4
    }
    let byte
    do out[length++] = byte = patch[from++]!
    while (byte !== LF)
    this.length = from < end && patch[from] === BACKSLASH ? length - 1 : length
    return from
  }

  /** The hot loop of applying: compares old lines with the text and has new ones written. */
  private applyLines (start: number, end: number, reverse: boolean): boolean {
    const { before, patch, patchView, beforeView } = this
    const plus = reverse ? MINUS : PLUS
    const minus = reverse ? PLUS : MINUS
    const size = before.length
    let at = this.at
    for (let from = start; from < end;) {
      const first = patch[from]!
      if (first === BACKSLASH) {
        from = nextLine(patch, from)
        continue
      }
      if (first === plus) {
        this.copyTo(at)
        from = this.addLine(from + 1, end)
        continue
      }
      // An empty line is context without its space.
      if (first !== LF) from++
      const lineStart = at
      const last = Math.min(end - from, size - at) + at - 4
      while (at <= last) {
        const word = patchView.getInt32(from, true)
        if (word !== beforeView.getInt32(at, true) || hasNewline(word)) break
        at += 4
        from += 4
      }
      let byte = patch[from]!
      while (at < size && byte === before[at] && byte !== LF) {
        at++
        byte = patch[++from]!
      }
      if (byte !== LF) return false
      const marked = ++from < end && patch[from] === BACKSLASH
      if (at < size && !marked && before[at] === LF) at++
      else if (at < size || !marked || first === LF) return false
      if (first === minus) {
        this.copyTo(lineStart)
        this.copied = at
      }
    }
    this.at = at
    return true
  }
}
