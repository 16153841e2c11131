// The hunks of one file section. The counts of a hunk's header drive the reading: within them a line that looks like a
// header is content. What is kept of a hunk is one row of numbers; its lines stay in the patch.

import { AT, BACKSLASH, byteAt, COMMA, isDigit, LF, MINUS, nextLine, PLUS, SPACE, startsWith } from './bytes.ts'
import { countOf, type Digits, readDigits, startOf } from './numbers.ts'
import type { Newlines } from './newlines.ts'
import type { Table } from './table.ts'

/** Columns of the table of hunks. */
export const hunk = {
  /** Offset of the `@@` line. */
  start: 0,
  /** Offset of the first line. */
  body: 1,
  /** Offset behind the last line and its `\ No newline` mark. */
  end: 2,
  /** Lines of either side. */
  oldLines: 3,
  newLines: 4,
  /** Line that the header names, counted from 0; a 32-bit integer that git may have wrapped. */
  oldStart: 5,
  newStart: 6,
  /** Lines of context before the first change and behind the last. */
  leading: 7,
  trailing: 8,
  flags: 9,
  columns: 10
} as const

export const hunkFlag = {
  /** The header says line 0 or 1: such a hunk applies at the begin of the file or nowhere. One for each direction. */
  oldAnchored: 1,
  newAnchored: 2,
  /** There is a `\ No newline` mark. */
  marked: 4
} as const

interface Range { start: Digits; count: Digits }
export interface HunkHeader { old: Range; new: Range }

const one: Digits = { value: 1, end: 0 }

/** `@@ -start,count +start,count @@`, whatever follows; null where the line is none, or does not end. */
export function readHunkHeader (bytes: Uint8Array, at: number, end: number): HunkHeader | null {
  if (bytes[end - 1] !== LF) return null
  const old = readRange(bytes, at + 4, end)
  if (old === null || !startsWith(bytes, old.end, ' +') || old.end + 2 > end) return null
  const neu = readRange(bytes, old.end + 2, end)
  if (neu === null || !startsWith(bytes, neu.end, ' @@') || neu.end + 3 > end) return null
  return { old, new: neu }
}

function readRange (bytes: Uint8Array, at: number, end: number): (Range & { end: number }) | null {
  const start = at < end ? readDigits(bytes, at) : null
  if (start === null) return null
  if (byteAt(bytes, start.end) !== COMMA) return { start, count: one, end: start.end }
  const count = readDigits(bytes, start.end + 1)
  return count && { start, count, end: count.end }
}

export interface Changes {
  end: number
  hunks: number
  oldLines: number
  newLines: number
  added: number
  deleted: number
  /** How many bytes longer the new side is. */
  growth: number
}

/** Reads the hunks that stand at `start` into the table. Returns the offset of a hunk that is broken instead. */
export function readHunks (bytes: Uint8Array, newlines: Newlines, start: number, table: Table): Changes | { broken: number } {
  const changes: Changes = { end: start, hunks: 0, oldLines: 0, newLines: 0, added: 0, deleted: 0, growth: 0 }
  while (bytes.length - changes.end > 4 && startsWith(bytes, changes.end, '@@ -')) {
    if (!readHunk(bytes, newlines, changes, table)) return { broken: changes.end }
  }
  return changes
}

function readHunk (bytes: Uint8Array, newlines: Newlines, changes: Changes, table: Table): boolean {
  const start = changes.end
  const body = newlines.find(start) + 1
  if (body === 0) return false
  const row = table.add()
  const { data } = table
  data[row + hunk.start] = start
  data[row + hunk.body] = body
  if (!readShortHeader(bytes, start, data, row) && !readAnyHeader(bytes, start, body, data, row)) return false
  if (!readLines(bytes, newlines, data, row, changes)) return false
  changes.end = data[row + hunk.end]!
  changes.hunks++
  changes.oldLines += data[row + hunk.oldLines]!
  changes.newLines += data[row + hunk.newLines]!
  return true
}

function readAnyHeader (bytes: Uint8Array, start: number, body: number, data: Int32Array, row: number): boolean {
  const header = readHunkHeader(bytes, start, body)
  if (header === null) return false
  data[row + hunk.oldLines] = countOf(header.old.count)
  data[row + hunk.newLines] = countOf(header.new.count)
  data[row + hunk.oldStart] = startOf(header.old.start)
  data[row + hunk.newStart] = startOf(header.new.start)
  data[row + hunk.flags] = (header.old.start.value <= 1 ? hunkFlag.oldAnchored : 0) | (header.new.start.value <= 1 ? hunkFlag.newAnchored : 0)
  return true
}

/** The same for numbers of at most eight digits and in one go: nearly all headers, and none may cost an object. */
function readShortHeader (bytes: Uint8Array, start: number, data: Int32Array, row: number): boolean {
  let at = start + 4
  for (let side = 0; side < 2; side++) {
    let line = 0
    const first = at
    for (; at - first < 8 && isDigit(bytes[at]!); at++) line = line * 10 + bytes[at]! - 48
    if (at === first) return false
    let count = 1
    if (bytes[at] === COMMA) {
      const second = ++at
      for (count = 0; at - second < 8 && isDigit(bytes[at]!); at++) count = count * 10 + bytes[at]! - 48
      if (at === second) return false
    }
    if (bytes[at] !== SPACE || bytes[at + 1] !== (side === 0 ? PLUS : AT) || (side === 1 && bytes[at + 2] !== AT)) return false
    at += 2
    data[row + hunk.oldLines + side] = count
    data[row + hunk.oldStart + side] = line === 0 ? 0 : line - 1
    data[row + hunk.flags]! |= line <= 1 ? hunkFlag.oldAnchored << side : 0
  }
  return true
}

/** The hot loop of reading: every line of every hunk passes here. */
function readLines (bytes: Uint8Array, newlines: Newlines, data: Int32Array, row: number, changes: Changes): boolean {
  const size = bytes.length
  let oldLeft = data[row + hunk.oldLines]!
  let newLeft = data[row + hunk.newLines]!
  let at = data[row + hunk.body]!
  let added = 0
  let deleted = 0
  let leading = 0
  let trailing = 0
  let growth = 0
  let flags = data[row + hunk.flags]!
  let last = SPACE
  while (oldLeft > 0 || newLeft > 0) {
    if (at >= size) return false
    const first = bytes[at]!
    const start = at
    at = newlines.find(at) + 1
    if (at === 0) return false
    if (first === SPACE || first === LF) {
      oldLeft--
      newLeft--
      if (added === 0 && deleted === 0) leading++
      trailing++
    } else if (first === PLUS) {
      added++
      newLeft--
      trailing = 0
      growth += at - start - 1
    } else if (first === MINUS) {
      deleted++
      oldLeft--
      trailing = 0
      growth -= at - start - 1
    } else if (first === BACKSLASH) {
      if (!isMark(bytes, start, at)) return false
      flags |= hunkFlag.marked
      growth += growthOfMark(last)
    } else return false
    // Below zero git counts on from the largest number, and never reaches the end.
    if (oldLeft < 0 || newLeft < 0) return false
    last = first
  }
  if (added === 0 && deleted === 0) return false
  if (size - at > 12 && startsWith(bytes, at, '\\ ')) {
    at = nextLine(bytes, at)
    flags |= hunkFlag.marked
    growth += growthOfMark(last)
  }
  data[row + hunk.end] = at
  data[row + hunk.leading] = leading
  data[row + hunk.trailing] = trailing
  data[row + hunk.flags] = flags
  changes.added += added
  changes.deleted += deleted
  changes.growth += growth
  return true
}

/** `\ No newline at end of file`, in any language: what is known is its beginning and that it is not short. */
const isMark = (bytes: Uint8Array, start: number, end: number): boolean => end - start >= 12 && bytes[start + 1] === SPACE

const growthOfMark = (last: number): number => last === PLUS ? -1 : last === MINUS ? 1 : 0
