// Regions as the hunks of a unified diff, over bytes: every line keeps its end, and one without says so. Git prints the
// function around a hunk behind its second @@; no reader needs it, and it is left out.

import type { Regions } from './regions.ts'
import type { Lines } from './split.ts'

export const contextLines = 3

/** `short` is git's way: a count of 1 is not written. */
export interface HunkStyle { counts: 'short' | 'always' }

interface Hunk { header: Uint8Array; regions: Regions; from: number; to: number }

/** Empty without regions. */
export function formatHunks (before: Lines, after: Lines, regions: Regions, style: HunkStyle = { counts: 'short' }): Uint8Array {
  const hunks = hunksOf(before, regions, style)
  const pen = { bytes: new Uint8Array(hunks.reduce((sum, hunk) => sum + sizeOf(before, after, hunk), 0)), at: 0 }
  for (const hunk of hunks) writeHunk(pen, before, after, hunk)
  return pen.bytes
}

/** Regions whose context would meet or touch share a hunk. */
function hunksOf (before: Lines, regions: Regions, style: HunkStyle): Hunk[] {
  const hunks: Hunk[] = []
  for (let first = 0; first < regions.length;) {
    let last = first
    while (last + 4 < regions.length && regions[last + 4]! - regions[last + 1]! <= 2 * contextLines) last += 4
    const from = Math.max(0, regions[first]! - contextLines)
    const to = Math.min(before.count, regions[last + 1]! + contextLines)
    const fromAfter = regions[first + 2]! - (regions[first]! - from)
    const toAfter = regions[last + 3]! + (to - regions[last + 1]!)
    const header = `@@ -${spanOf(from, to - from, style)} +${spanOf(fromAfter, toAfter - fromAfter, style)} @@\n`
    hunks.push({ header: Buffer.from(header, 'latin1'), regions: regions.subarray(first, last + 4), from, to })
    first = last + 4
  }
  return hunks
}

/** Lines count from 1; an empty span stands behind the line that it names. */
function spanOf (first: number, count: number, { counts }: HunkStyle): string {
  const start = count === 0 ? first : first + 1
  return count === 1 && counts === 'short' ? String(start) : `${start},${count}`
}

const noNewline = Buffer.from('\n\\ No newline at end of file\n', 'latin1')

function sizeOf (before: Lines, after: Lines, { header, regions, from, to }: Hunk): number {
  let size = header.length + spanSize(before, from, to)
  for (let at = 0; at < regions.length; at += 4) size += spanSize(after, regions[at + 2]!, regions[at + 3]!)
  return size
}

function spanSize (side: Lines, from: number, to: number): number {
  const open = to === side.count && to > from && side.bytes[side.bytes.length - 1] !== newline
  return side.starts[to]! - side.starts[from]! + (to - from) + (open ? noNewline.length : 0)
}

const [space, minus, plus, newline] = [0x20, 0x2d, 0x2b, 0x0a]

interface Pen { bytes: Uint8Array; at: number }

function writeHunk (pen: Pen, before: Lines, after: Lines, { header, regions, from, to }: Hunk): void {
  pen.bytes.set(header, pen.at)
  pen.at += header.length
  let line = from
  for (let at = 0; at < regions.length; at += 4) {
    writeLines(pen, space, before, line, regions[at]!)
    writeLines(pen, minus, before, regions[at]!, regions[at + 1]!)
    writeLines(pen, plus, after, regions[at + 2]!, regions[at + 3]!)
    line = regions[at + 1]!
  }
  writeLines(pen, space, before, line, to)
}

// Above this many bytes a copy by the engine is faster than a loop.
const longLine = 96

function writeLines (pen: Pen, sign: number, { bytes, starts, count }: Lines, from: number, to: number): void {
  const out = pen.bytes
  let at = pen.at
  for (let line = from; line < to; line++) {
    const start = starts[line]!
    const end = starts[line + 1]!
    out[at++] = sign
    if (end - start > longLine) {
      out.set(bytes.subarray(start, end), at)
      at += end - start
    } else for (let index = start; index < end; index++) out[at++] = bytes[index]!
  }
  if (to === count && to > from && bytes[bytes.length - 1] !== newline) {
    out.set(noNewline, at)
    at += noNewline.length
  }
  pen.at = at
}
