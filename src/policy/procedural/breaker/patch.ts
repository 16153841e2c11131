// A git patch for edits whose places are known: no search for differences is needed. Lines keep their ends, so CRLF and a
// missing last newline survive.

import { quotePath } from '../../../workers/lines/quote.ts'
import { formatHunks } from '../../../workers/lines/hunks.ts'
import { diffLimits } from '../../../workers/lines/limits.ts'
import { splitLines as splitBytes, type Lines } from '../../../workers/lines/split.ts'
import type { Edit } from '../../../workers/mutate/types.ts'

export function applyEdits (text: string, edits: readonly Edit[]): string {
  return [...edits].sort((a, b) => b.start - a.start).reduce((done, { start, end, text: part }) => done.slice(0, start) + part + done.slice(end), text)
}

/** No two edits touch the same text. */
export function areApart (edits: readonly Edit[]): boolean {
  const sorted = [...edits].sort((a, b) => a.start - b.start || a.end - b.end)
  return sorted.every((edit, index) => index === 0 || sorted[index - 1]!.end < edit.start)
}

interface Region { first: number; last: number; lines: string[] }

/** A unified diff that turns `text` into what the edits make of it; empty when they change nothing. */
export function patchOf (path: string, text: string, edits: readonly Edit[]): string {
  const lines = splitLines(text)
  const found = regionsOf(text, lines, edits).flatMap(region => trim(lines, region))
  if (found.length === 0) return ''
  const regions = new Int32Array(found.length * 4)
  let shift = 0
  found.forEach(({ first, last, lines: { length } }, index) => {
    regions.set([first, last, first + shift, first + shift + length], index * 4)
    shift += length - (last - first)
  })
  const hunks = formatHunks(linesOfBytes(text), linesOfBytes(applyEdits(text, edits)), regions, { counts: 'always' })
  const name = (prefix: string): string => quotePath(`${prefix}/${path}`)
  return `diff --git ${name('a')} ${name('b')}\n--- ${tabbed(name('a'))}\n+++ ${tabbed(name('b'))}\n${Buffer.from(hunks.buffer).toString('utf8')}`
}

const linesOfBytes = (text: string): Lines => splitBytes(Buffer.from(text), diffLimits.linesMax)

export function splitLines (text: string): string[] {
  return text.match(/[^\n]*\n|[^\n]+$/g) ?? []
}

/** Whole lines around each edit with their new text; edits on the same lines become one region. `last` is exclusive. */
function regionsOf (text: string, lines: readonly string[], edits: readonly Edit[]): Region[] {
  const starts = [0]
  for (const line of lines) starts.push(starts.at(-1)! + line.length)
  const lineOf = (offset: number): number => {
    const index = starts.findIndex(start => start > offset)
    if (index !== -1) return index - 1
    return lines.length > 0 && !text.endsWith('\n') ? lines.length - 1 : lines.length
  }
  const found: { first: number; last: number; edits: Edit[] }[] = []
  for (const edit of [...edits].sort((a, b) => a.start - b.start)) {
    const first = lineOf(edit.start)
    const last = Math.min(lines.length, Math.max(first, lineOf(edit.end)) + 1)
    const before = found.at(-1)
    if (before && first < before.last) {
      before.last = Math.max(before.last, last)
      before.edits.push(edit)
    } else found.push({ first, last, edits: [edit] })
  }
  return found.map(({ first, last, edits }) => {
    const from = starts[first]!
    const moved = edits.map(edit => ({ start: edit.start - from, end: edit.end - from, text: edit.text }))
    return { first, last, lines: splitLines(applyEdits(text.slice(from, starts[last]), moved)) }
  })
}

/** Leaves out equal lines at both ends; nothing when the region is equal as a whole. */
function trim (lines: readonly string[], region: Region): Region[] {
  let { first, last, lines: next } = region
  let top = 0
  while (first + top < last && top < next.length && lines[first + top] === next[top]) top++
  let bottom = 0
  while (last - bottom > first + top && next.length - bottom > top && lines[last - 1 - bottom] === next[next.length - 1 - bottom]) bottom++
  next = next.slice(top, next.length - bottom)
  first += top
  last -= bottom
  return first === last && next.length === 0 ? [] : [{ first, last, lines: next }]
}

// Git ends a name with a space in it by a tab, a quoted one too; bugs are named by their bytes, and these were written
// without the tab behind a quote, which no reader needs.
const tabbed = (name: string): string => name.includes(' ') && !name.startsWith('"') ? `${name}\t` : name
