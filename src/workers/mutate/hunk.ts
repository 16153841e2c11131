// An edit as a unified diff, straight from the edit: nothing is compared, so that it costs the lines it shows.

import { lineAt } from './syntax.ts'
import type { Edit } from './types.ts'

const contextLines = 3

/** One hunk as git writes it, for text whose lines start at `lineStarts`. */
export function hunkOf (text: string, lineStarts: readonly number[], edit: Edit): string {
  const lines = text === '' ? 0 : lineStarts.length - (text.endsWith('\n') ? 1 : 0)
  const first = Math.min(lineAt(lineStarts, edit.start), Math.max(lines, 1))
  const from = lineStarts[first - 1]!
  const last = edit.end > from && text[edit.end - 1] === '\n' && edit.end > edit.start ? lineAt(lineStarts, edit.end - 1) : Math.min(lineAt(lineStarts, edit.end), Math.max(lines, 1))
  const to = last < lineStarts.length ? lineStarts[last]! : text.length
  const after = text.slice(from, edit.start) + edit.text + text.slice(edit.end, to)
  const top = Math.max(1, first - contextLines)
  const bottom = Math.min(lines, last + contextLines)
  const removed = lines === 0 ? 0 : last - first + 1
  const added = countLines(after)
  const before = first - top
  const behind = Math.max(0, bottom - last)
  const oldCount = before + removed + behind
  const newCount = before + added + behind
  const header = `@@ -${range(top, oldCount)} +${range(top, newCount)} @@\n`
  return header + marked(' ', text.slice(lineStarts[top - 1]!, from)) + (removed > 0 ? marked('-', text.slice(from, to)) : '') + marked('+', after) + marked(' ', text.slice(to, bottom < lineStarts.length ? lineStarts[bottom]! : text.length))
}

const range = (start: number, count: number): string => count === 0 ? `${start - 1},0` : `${start},${count}`

function countLines (text: string): number {
  let count = 0
  for (let at = text.indexOf('\n'); at !== -1; at = text.indexOf('\n', at + 1)) count++
  return count + (text === '' || text.endsWith('\n') ? 0 : 1)
}

/** Every line with its mark; a last line without a line break says so. */
function marked (mark: string, text: string): string {
  if (text === '') return ''
  let out = ''
  for (let at = 0; at < text.length;) {
    const newline = text.indexOf('\n', at)
    if (newline === -1) return `${out}${mark}${text.slice(at)}\n\\ No newline at end of file\n`
    out += mark + text.slice(at, newline + 1)
    at = newline + 1
  }
  return out
}
