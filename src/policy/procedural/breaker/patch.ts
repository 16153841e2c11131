// A git patch for edits whose places are known: no search for differences is needed. Lines keep their ends, so CRLF and a
// missing last newline survive.

import type { Edit } from '../../../workers/mutate/types.ts'

const contextLines = 3

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
  const regions = regionsOf(text, lines, edits).flatMap(region => trim(lines, region))
  if (regions.length === 0) return ''
  const groups: Region[][] = []
  for (const region of regions) {
    const group = groups.at(-1)
    if (group && region.first - group.at(-1)!.last <= 2 * contextLines) group.push(region)
    else groups.push([region])
  }
  let shift = 0
  const hunks = groups.map(group => {
    const { text: hunk, grown } = hunkOf(lines, group, shift)
    shift += grown
    return hunk
  })
  const name = (prefix: string): string => quoteName(`${prefix}/${path}`)
  return `diff --git ${name('a')} ${name('b')}\n--- ${tabbed(name('a'))}\n+++ ${tabbed(name('b'))}\n${hunks.join('')}`
}

export function splitLines (text: string): string[] {
  return text.match(/[^\n]*\n|[^\n]+$/g) ?? []
}

/** Whole lines around each edit with their new text; edits on the same lines become one region. `last` is exclusive. */
function regionsOf (text: string, lines: readonly string[], edits: readonly Edit[]): Region[] {
  const starts = [0]
  for (const line of lines) starts.push(starts.at(-1)! + line.length)
  const lineOf = (offset: number): number => {
    const index = starts.findIndex(start => start > offset)
    return index === -1 ? lines.length : index - 1
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

function hunkOf (lines: readonly string[], group: readonly Region[], shift: number): { text: string; grown: number } {
  const from = Math.max(0, group[0]!.first - contextLines)
  const to = Math.min(lines.length, group.at(-1)!.last + contextLines)
  const body: string[] = []
  let at = from
  for (const region of group) {
    body.push(...mark(' ', lines.slice(at, region.first)), ...mark('-', lines.slice(region.first, region.last)), ...mark('+', region.lines))
    at = region.last
  }
  body.push(...mark(' ', lines.slice(at, to)))
  const grown = group.reduce((sum, region) => sum + region.lines.length - (region.last - region.first), 0)
  const length = to - from
  const start = (count: number, first: number): number => count === 0 ? first : first + 1
  const header = `@@ -${start(length, from)},${length} +${start(length + grown, from + shift)},${length + grown} @@\n`
  return { text: header + body.join(''), grown }
}

const mark = (sign: string, lines: readonly string[]): string[] =>
  lines.map(line => sign + (line.endsWith('\n') ? line : `${line}\n\\ No newline at end of file\n`))

// Git ends a name with a space in it by a tab, so that a date behind it could be told apart.
const tabbed = (name: string): string => name.includes(' ') && !name.startsWith('"') ? `${name}\t` : name

/** As git does with core.quotePath: bytes beyond ASCII, quotes and control characters as C escapes. */
function quoteName (name: string): string {
  if (/^[\x20-\x7e]*$/.test(name) && !/["\\]/.test(name)) return name
  const bytes = [...Buffer.from(name)].map(byte => byte === 34 || byte === 92
    ? `\\${String.fromCharCode(byte)}`
    : byte >= 32 && byte < 127 ? String.fromCharCode(byte) : `\\${byte.toString(8).padStart(3, '0')}`)
  return `"${bytes.join('')}"`
}
