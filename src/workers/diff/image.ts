// Hunks applied to a text the long way, wherever git would find a place for them: the text is a table of lines, a hunk is
// looked for at the line its header names and then ever further away, forward before backward, and lines that an earlier
// hunk wrote are never touched again. text.ts does the same in one pass where every hunk fits where it says.
//
// A line without a newline may stand anywhere (a hunk's `\ No newline` mark makes it), and then git compares the hunk as
// a run of bytes against lines with equal hashes, white space left out of the hash. So it is done here.

import { BACKSLASH, LF, MINUS, nextLine, PLUS, SPACE } from './bytes.ts'
import { hunk, hunkFlag } from './hunks.ts'
import { Lines } from './lines.ts'

/** The text after all of the hunks, or the number of the first hunk that finds no place (from 0). */
export function applyWithSearch (before: Uint8Array, patch: Uint8Array, hunks: Int32Array, first: number, count: number, reverse: boolean): Uint8Array | number {
  const image = new Lines(before, patch)
  for (let at = 0, next; at < before.length; at = next) {
    next = nextLine(before, at)
    image.add(at, next, false)
  }
  for (let index = 0; index < count; index++) {
    if (!applyHunk(image, patch, hunks, (first + index) * hunk.columns, reverse)) return index
  }
  return image.concat()
}

function applyHunk (image: Lines, patch: Uint8Array, hunks: Int32Array, row: number, reverse: boolean): boolean {
  const [old, neu] = sidesOf(patch, hunks[row + hunk.body]!, hunks[row + hunk.end]!, reverse)
  const anchored = (hunks[row + hunk.flags]! & (reverse ? hunkFlag.newAnchored : hunkFlag.oldAnchored)) !== 0
  const atEnd = hunks[row + hunk.trailing] === 0
  const named = hunks[row + (reverse ? hunk.oldStart : hunk.newStart)]!
  const wanted = anchored ? 0 : atEnd ? image.count - old.count : named
  // A negative number is a large one to git.
  const line = wanted < 0 || wanted > image.count ? image.count : wanted
  const found = new Search(image, old, anchored, atEnd).from(line)
  if (found === -1) return false
  image.replace(found, old.count, neu)
  return true
}

function sidesOf (patch: Uint8Array, start: number, end: number, reverse: boolean): [Lines, Lines] {
  const [old, neu] = [new Lines(patch, patch), new Lines(patch, patch)]
  const [minus, plus] = reverse ? [neu, old] : [old, neu]
  for (let at = start, next; at < end; at = next) {
    next = Math.min(nextLine(patch, at), end)
    const first = patch[at]!
    // A mark behind a line takes away its newline; behind an empty one, which is context without its space, the line.
    const stop = next < end && patch[next] === BACKSLASH ? next - 1 : next
    if (first === LF) {
      if (stop === at) continue
      old.add(at, next, true)
      neu.add(at, next, true)
    }
    if (first === SPACE || first === MINUS) minus.add(at + 1, stop, true)
    if (first === SPACE || first === PLUS) plus.add(at + 1, stop, true)
  }
  return [old, neu]
}

class Search {
  private readonly image: Lines
  private readonly old: Lines
  private readonly oldBytes: number
  private readonly anchored: boolean
  private readonly atEnd: boolean
  /** The hashes that must be equal. Where every line is whole, equal bytes are equal lines and the finer hash will do. */
  private readonly wanted: Int32Array
  private readonly given: Int32Array

  constructor (image: Lines, old: Lines, anchored: boolean, atEnd: boolean) {
    const hash = image.innerOpen || old.innerOpen || old.lastOpen ? 'gitHash' : 'fullHash'
    this.image = image
    this.old = old
    this.oldBytes = old.bytesFrom(0)
    this.anchored = anchored
    this.atEnd = atEnd
    this.wanted = old[hash]
    this.given = image[hash]
  }

  /** The nearest place to `line`, the later of two that are equally near; -1 where there is none. */
  from (line: number): number {
    const last = this.image.count - this.old.count
    if (last < 0) return -1
    if (this.anchored) return this.fits(0) ? 0 : -1
    if (this.atEnd) return this.fits(last) ? last : -1
    if (this.fits(line)) return line
    return this.nearest(line, this.candidates())
  }

  /** Every place where all hashes are equal, in order: Knuth, Morris and Pratt, so that no text makes it slow. */
  private candidates (): number[] {
    const { wanted, given, image } = this
    const size = this.old.count
    if (size === 0) return Array.from({ length: image.count + 1 }, (_, line) => line)
    const fallback = fallbacks(wanted.subarray(0, size))
    const found: number[] = []
    for (let line = 0, matched = 0; line < image.count; line++) {
      if (image.patched[line] === 1) {
        matched = 0
        continue
      }
      while (matched > 0 && (matched === size || given[line] !== wanted[matched])) matched = fallback[matched - 1]!
      if (given[line] === wanted[matched]) matched++
      if (matched === size) found.push(line - size + 1)
    }
    return found
  }

  private nearest (line: number, places: number[]): number {
    let after = places.findIndex(place => place > line)
    if (after === -1) after = places.length
    let before = after - 1
    while (before >= 0 || after < places.length) {
      const forward = before < 0 || (after < places.length && places[after]! - line <= line - places[before]!)
      const place = forward ? places[after++]! : places[before--]!
      if (this.fits(place)) return place
    }
    return -1
  }

  private fits (line: number): boolean {
    const { image, old, wanted, given } = this
    if (line + old.count > image.count) return false
    if (this.anchored && line !== 0) return false
    if (this.atEnd && line + old.count !== image.count) return false
    for (let index = 0; index < old.count; index++) {
      if (image.patched[line + index] === 1 || given[line + index] !== wanted[index]) return false
    }
    return this.sameBytes(line)
  }

  /** The hunk's bytes against the text's from that line on, wherever their lines end. */
  private sameBytes (line: number): boolean {
    const { image, old } = this
    let [index, at] = [line, image.start[line] ?? 0]
    for (let own = 0; own < old.count; own++) {
      const source = old.source(own)
      for (let byte = old.start[own]!; byte < old.end[own]!; byte++, at++) {
        while (index < image.count && at === image.end[index]) at = image.start[++index] ?? 0
        if (index >= image.count || image.source(index)[at] !== source[byte]) return false
      }
    }
    return !this.atEnd || image.bytesFrom(line) === this.oldBytes
  }
}

/** For each prefix, the length of its longest proper end that is also a beginning. */
function fallbacks (wanted: Int32Array): Int32Array {
  const fallback = new Int32Array(wanted.length)
  for (let index = 1, matched = 0; index < wanted.length; index++) {
    while (matched > 0 && wanted[index] !== wanted[matched]) matched = fallback[matched - 1]!
    if (wanted[index] === wanted[matched]) matched++
    fallback[index] = matched
  }
  return fallback
}
