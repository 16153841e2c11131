// Texts, edits and hunks for the fuzzer of patches. Everything is a binary string, one character a byte, and a line is
// kept with its newline.

import type { Random } from '../../src/ports.ts'

const plain = ['x\n', 'y\n', '}\n', '\n', ' \n', '\t\n', '  x\n', 'x \n', 'foo\n', 'bar\n', 'return\n', 'xy\n']
const odd = ['x\r\n', '\r\n', 'y\r\n', 'a\rb\n', '\r\n', 'form\ffeed\n', 'ls\xe2\x80\xa8ps\n', 'nel\xc2\x85x\n', 'caf\xe9\n', 'nul\0x\n', '\ufeff'.slice(1) + 'v\vt\n']
const lying = ['--- a/x\n', '+++ b/x\n', '@@ -1 +1 @@\n', '@@ -1,2 +1,2 @@ f\n', 'diff --git a/x b/x\n', '\\ No newline at end of file\n', '-- \n', 'GIT binary patch\n', 'rename from x\n', '- \n', '+ \n', 'index 123..456 100644\n', '\\\n']

export function lineOf (random: Random): string {
  const kind = random.next()
  return kind < 0.5 ? random.pick(plain) : kind < 0.65 ? random.pick(odd) : kind < 0.75 ? random.pick(lying) : `line ${random.int(40)}\n`
}

/** Lines of a text; the last may have no newline, and so may a text be without a line. */
export function textOf (random: Random, most = 24): string[] {
  const few = random.next() < 0.3 ? [lineOf(random), lineOf(random), lineOf(random)] : null
  const lines = Array.from({ length: random.next() < 0.08 ? 0 : random.int(most) + 1 }, () => few ? random.pick(few) : lineOf(random))
  if (lines.length > 0 && random.next() < 0.2) lines[lines.length - 1] = lines.at(-1)!.slice(0, -1)
  return lines.filter((line, index) => line !== '' || index < lines.length - 1)
}

export interface Edit { at: number; removed: number; added: string[] }

export function editsOf (random: Random, lines: readonly string[]): Edit[] {
  const edits: Edit[] = []
  let at = 0
  for (let left = 1 + random.int(random.next() < 0.2 ? 9 : 3); left > 0 && at <= lines.length; left--) {
    at += random.int(Math.max(1, Math.min(lines.length - at + 1, 1 + random.int(40))))
    const removed = Math.min(random.int(4), lines.length - at)
    const added = Array.from({ length: random.int(4) }, () => lineOf(random))
    if (removed + added.length === 0) added.push(lineOf(random))
    edits.push({ at, removed, added })
    at += removed + 1 + random.int(3)
  }
  if (random.next() < 0.15) wholeLast(random, lines, edits)
  return edits
}

/** Takes the newline from the last line, or gives it one. */
function wholeLast (random: Random, lines: readonly string[], edits: Edit[]): void {
  const last = edits.at(-1)
  if (lines.length === 0 || (last && last.at + last.removed >= lines.length)) {
    if (last && last.added.length > 0 && last.at + last.removed === lines.length) last.added[last.added.length - 1] = last.added.at(-1)!.slice(0, -1)
    return
  }
  const line = lines.at(-1)!
  if (random.next() < 0.8) edits.push({ at: lines.length - 1, removed: 1, added: [line.endsWith('\n') ? line.slice(0, -1) : `${line}\n`].filter(text => text !== '') })
}

/** A line without a newline can only be the last one: what follows it takes its newline along. */
export function edited (lines: readonly string[], edits: readonly Edit[]): string[] {
  const out: string[] = []
  let at = 0
  for (const edit of edits) {
    out.push(...lines.slice(at, edit.at), ...edit.added)
    at = edit.at + edit.removed
  }
  return splitLines([...out, ...lines.slice(at)].join(''))
}

export const splitLines = (text: string): string[] => text.match(/[^\n]*\n|[^\n]+$/g) ?? []

const marked = (sign: string, line: string, mark: string): string => line.endsWith('\n') ? sign + line : `${sign}${line}\n${mark}`

/** Hunks from one text to another with their difference given by edits; empty where nothing changes. */
export function hunksOf (random: Random, before: readonly string[], edits: readonly Edit[], context: number): string[] {
  const mark = random.next() < 0.9 ? '\\ No newline at end of file\n' : '\\ Pas de fin de ligne\n'
  const range = (start: number, count: number): string => count === 1 && random.next() < 0.8 ? `${start + 1}` : `${count === 0 ? start : start + 1},${count}`
  const hunks: string[] = []
  let shift = 0
  for (let first = 0, next; first < edits.length; first = next) {
    next = first + 1
    while (next < edits.length && edits[next]!.at - (edits[next - 1]!.at + edits[next - 1]!.removed) <= 2 * context) next++
    const start = Math.max(0, edits[first]!.at - context)
    const end = Math.min(before.length, edits[next - 1]!.at + edits[next - 1]!.removed + context)
    let [body, at, added] = ['', start, 0]
    for (const edit of edits.slice(first, next)) {
      for (; at < edit.at; at++) body += marked(' ', before[at]!, mark)
      for (; at < edit.at + edit.removed; at++) body += marked('-', before[at]!, mark)
      for (const line of edit.added) body += marked('+', line, mark)
      added += edit.added.length - edit.removed
    }
    for (; at < end; at++) body += marked(' ', before[at]!, mark)
    const heading = random.next() < 0.2 ? ' function f () {' : ''
    hunks.push(`@@ -${range(start, end - start)} +${range(start + shift, end - start + added)} @@${heading}\n${body}`)
    shift += added
  }
  return hunks
}
