// Repairs of what models write: a patch in a code fence, with prose around it, with wrong counts or none, in CRLF, without
// its last newline. Apart from reading and applying, which never repair anything: who calls this gets told each repair,
// and decides. It is for what a policy says, never for artifacts.

import { binaryString, startsWith } from './bytes.ts'
import { readHunkHeader } from './hunks.ts'
import { parsePatch } from './parse.ts'

export interface Repair {
  code: 'CRLF' | 'LAST_NEWLINE' | 'FENCE' | 'HUNK_COUNTS' | 'HUNK_NUMBERS' | 'EMPTY_HUNK'
  /** Line of the patch as it was given, counted from 1. */
  at: number
  what: string
}

export interface Repaired { patch: Uint8Array; repairs: Repair[] }

interface Line { text: string; number: number }

/** Largest patch that is looked at; a model's answer is far below. */
const repairBytesMax = 4 * 2 ** 20

/**
 * Returns the patch and what was repaired in it; the same bytes and no repair when it reads as it is, and also when no
 * repair helps, so that reading it says what is wrong.
 */
export function repairPatch (patch: Uint8Array): Repaired {
  const untouched: Repaired = { patch, repairs: [] }
  if (patch.length > repairBytesMax || (isSound(patch) && !hasCarriageHeaders(patch))) return untouched
  const repairs: Repair[] = []
  let lines = linesOf(patch, repairs)
  for (const step of [withoutCarriage, insideFences, withCounts]) {
    lines = step(lines, repairs)
    const repaired = Buffer.from(lines.map(line => `${line.text}\n`).join(''), 'latin1')
    if (isSound(repaired)) return { patch: repaired, repairs }
  }
  return untouched
}

function isSound (patch: Uint8Array): boolean {
  try {
    const index = parsePatch(patch)
    return index.fileCount > 0 && index.plain.readTo === patch.length
  } catch {
    return false
  }
}

/** git ends its own lines with a line feed, whatever the files have. */
const hasCarriageHeaders = (patch: Uint8Array): boolean => /^(?:\+\+\+ |@@ -).*\r$/m.test(binaryString(patch, 0, patch.length))

function linesOf (patch: Uint8Array, repairs: Repair[]): Line[] {
  const texts = binaryString(patch, 0, patch.length).split('\n')
  if (texts.at(-1) === '') texts.pop()
  else repairs.push({ code: 'LAST_NEWLINE', at: texts.length, what: 'a newline at the end of the patch' })
  return texts.map((text, index) => ({ text, number: index + 1 }))
}

function withoutCarriage (lines: Line[], repairs: Repair[]): Line[] {
  const header = lines.find(({ text }) => /^(?:\+\+\+ |@@ -).*\r$/.test(text))
  if (header === undefined) return lines
  repairs.push({ code: 'CRLF', at: header.number, what: 'carriage returns taken from the ends of all lines' })
  return lines.map(line => ({ ...line, text: line.text.replace(/\r$/, '') }))
}

const isFence = (text: string): boolean => /^\s*(?:```|~~~)/.test(text)
const isHeader = (text: string): boolean => /^(?:diff --git |--- )/.test(text)

/** Keeps what stands in fences that hold a patch; without any, what stands from its first header on. */
function insideFences (lines: Line[], repairs: Repair[]): Line[] {
  const fences = lines.flatMap(({ text }, index) => isFence(text) ? [index] : [])
  const blocks: Line[][] = []
  for (let index = 0; index < fences.length; index += 2) {
    const block = lines.slice(fences[index]! + 1, fences[index + 1] ?? lines.length)
    if (!block.some(({ text }) => isHeader(text))) continue
    repairs.push({ code: 'FENCE', at: lines[fences[index]!]!.number, what: 'a code fence and what stands around it left out' })
    blocks.push(block)
  }
  return blocks.length > 0 ? blocks.flat() : lines
}

/** Gives each hunk the counts that its lines have. Where a hunk ends is told by what its lines begin with. */
function withCounts (lines: Line[], repairs: Repair[]): Line[] {
  const out: Line[] = []
  for (let at = 0; at < lines.length;) {
    const line = lines[at]!
    if (!/^@@/.test(line.text) || /^@@@/.test(line.text)) {
      out.push(line)
      at++
      continue
    }
    const end = endOfHunk(lines, at + 1)
    out.push(...countedHunk(line, lines.slice(at + 1, end), repairs))
    at = end
  }
  return out
}

function endOfHunk (lines: Line[], from: number): number {
  let at = from
  while (at < lines.length && /^(?:[ +\-\\]|$)/.test(lines[at]!.text) && !isSectionStart(lines, at)) at++
  return at
}

/** `---` and `+++` in a row, and a hunk behind them, or what a model writes for its header. */
const isSectionStart = (lines: Line[], at: number): boolean =>
  /^--- /.test(lines[at]!.text) && /^\+\+\+ /.test(lines[at + 1]?.text ?? '') && /^@@/.test(lines[at + 2]?.text ?? '')

function countedHunk (header: Line, body: Line[], repairs: Repair[]): Line[] {
  const bytes = Buffer.from(`${header.text}\n`, 'latin1')
  const stated = startsWith(bytes, 0, '@@ -') ? readHunkHeader(bytes, 0, bytes.length) : null
  const wanted = stated && [stated.old.count.value, stated.new.count.value]
  const fits = (lines: Line[]): boolean => wanted !== null && sides(lines).every((count, side) => count === wanted[side])
  // Empty lines at the end are what stands between hunks, unless the header counts them.
  let kept = body
  while (!fits(kept) && kept.at(-1)?.text === '') kept = kept.slice(0, -1)
  if (fits(body)) kept = body
  if (!kept.some(({ text }) => /^[+-]/.test(text))) {
    repairs.push({ code: 'EMPTY_HUNK', at: header.number, what: 'a hunk that changes nothing left out' })
    return []
  }
  if (fits(kept)) return [header, ...kept]
  const [old, neu] = sides(kept)
  if (stated === null) repairs.push({ code: 'HUNK_NUMBERS', at: header.number, what: 'a hunk without line numbers: it goes where its lines are' })
  else repairs.push({ code: 'HUNK_COUNTS', at: header.number, what: `${old} old and ${neu} new lines where the header says ${wanted![0]} and ${wanted![1]}` })
  // Line 2 is looked for everywhere, line 1 only at the begin of the file.
  const start = (side: 'old' | 'new', count: number): string => stated ? `${stated[side].start.value}` : count === 0 ? '0' : '2'
  return [{ ...header, text: `@@ -${start('old', old!)},${old} +${start('new', neu!)},${neu} @@` }, ...kept]
}

const sides = (lines: Line[]): [number, number] => {
  const count = (wanted: RegExp): number => lines.filter(({ text }) => wanted.test(text)).length
  return [count(/^(?:[ -]|$)/), count(/^(?:[ +]|$)/)]
}
