// The text of an original that is looked for, and whether a file holds it.
//
// A change is a run of lines of the original that the solver's tree does not have, or a place where it has lines too many.
// Text is compared without white space, so that indented, joined and minified copies are found. What is looked for has to be
// distinctive: it begins as the changed lines, and takes neighbours on either side until it is long enough, has enough
// words, and is not in the solver's own file. What never gets there is not looked for. A change of white space alone is
// compared line by line. Strings here are latin-1: bytes.

import { diffHunks } from '../../workers/lines/diff.ts'
import type { LeakLimits } from './limits.ts'

/** How much is needed: `anywhere`, or in a file of the same name. */
export type Strength = 'anywhere' | 'namesake'

interface Piece { text: string; exact: boolean; fragment: string }
/** One changed place: the pieces of its text, by strength; none where it is not distinctive. */
export type Change = Record<Strength, Piece[]>
/** `left`: changes that are not looked for, being too many. */
export interface Original { path: string; changes: Change[]; left: number }

/** Of the longest parts of lines, so many are counted in their file. */
const fragmentChoices = 6
const fragmentCharsMax = 80
/** One word of prose, with what stands around it. */
const plainWord = /^[^A-Za-z]*[A-Z]?[a-z]+[^A-Za-z]*$/
/** What half of all files hold: no start for a search. */
const everywhere = /^(?:module\.exports(?:\.default)?|exports\.default|require\(.*|__name__|'?__main__'?:?|isinstance\(\w*,?|undefined[,;)]*|continue;?|function\b.{0,3}|prototype.{0,2}|arguments.{0,2})$/

const squeeze = (text: string): string => text.replace(/[\s\0]+/g, '')
/** Lines without what stands at their end. */
const exactly = (text: string): string => text.replace(/[ \t\r]+$/gm, '')
const latin = (bytes: Uint8Array): string => Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('latin1')

/** `now`: the file in the solver's tree; null where it is gone. */
export function readOriginal (path: string, original: Uint8Array, now: Uint8Array | null, limits: LeakLimits): Original {
  if (original.includes(0)) return { path, changes: [], left: 0 }
  const source = new Source(latin(original), latin(now ?? new Uint8Array()), limits)
  const changes = now === null ? [{ from: 0, to: source.lines.length }] : changedLines(original, now)
  return {
    path,
    changes: changes.slice(0, limits.changesMax).map(change => ({ anywhere: source.pieces(change, 'anywhere'), namesake: source.pieces(change, 'namesake') })),
    left: Math.max(0, changes.length - limits.changesMax)
  }
}

interface Range { from: number; to: number }

/** Ranges of the original's lines, counted from 0; empty where lines were added. */
function changedLines (before: Uint8Array, after: Uint8Array): Range[] {
  const ranges: Range[] = []
  let line = 0
  let range: Range | null = null
  for (const text of latin(diffHunks(before, after)).split('\n')) {
    const head = /^@@ -(\d+)(,0)? /.exec(text) ?? /^@@ -(\d+)(?:,\d+)? /.exec(text)
    if (head !== null || text.startsWith(' ') || text === '') range = null
    if (head !== null) line = head[2] === undefined ? Number(head[1]) - 1 : Number(head[1])
    else if (text.startsWith(' ')) line++
    else if (text.startsWith('-') || text.startsWith('+')) {
      if (range === null) ranges.push(range = { from: line, to: line })
      if (text.startsWith('-')) range.to = ++line
    }
  }
  return ranges
}

class Source {
  readonly lines: string[]
  readonly #squeezed: string[]
  readonly #now: Record<'squeezed' | 'exact', string>
  readonly #limits: LeakLimits
  readonly #text: string
  /** Nothing but white space differs. */
  readonly #isSpace: boolean

  constructor (text: string, now: string, limits: LeakLimits) {
    this.#text = text
    this.lines = text.split('\n')
    this.#squeezed = this.lines.map(squeeze)
    this.#now = { squeezed: squeeze(now), exact: exactly(now) }
    this.#limits = limits
    this.#isSpace = this.#now.squeezed === this.#squeezed.join('')
  }

  pieces (change: Range, strength: Strength): Piece[] {
    return this.#split(change).flatMap(part => this.#piece(part, strength) ?? [])
  }

  /** A long change in parts, the most of them evenly spread. */
  #split ({ from, to }: Range): Range[] {
    const { pieceChars, piecesMax } = this.#limits
    const parts: Range[] = []
    let start = from
    let chars = 0
    for (let line = from; line < to; line++) {
      chars += this.#squeezed[line]!.length
      if (chars < pieceChars && line < to - 1) continue
      // A short rest belongs to what is before it.
      if (chars < pieceChars / 2 && parts.length > 0) parts.at(-1)!.to = to
      else parts.push({ from: start, to: line + 1 })
      start = line + 1
      chars = 0
    }
    if (parts.length === 0) return [{ from, to }]
    const step = Math.max(1, parts.length / piecesMax)
    return Array.from({ length: Math.min(parts.length, piecesMax) }, (_, index) => parts[Math.floor(index * step)]!)
  }

  /** Grows until it is distinctive. */
  #piece (part: Range, strength: Strength): Piece | null {
    let { from, to } = part
    const low = Math.max(0, part.from - this.#limits.contextLinesMax)
    const high = Math.min(this.lines.length, part.to + this.#limits.contextLinesMax)
    // Lines that were added leave nothing but that their neighbours are not apart.
    if (from === to) [from, to] = [this.#before(from, low), this.#behind(to, high)]
    for (let isBehind = true; ; isBehind = !isBehind) {
      const found = this.#distinctive(from, to, strength)
      if (found !== null) return found
      const [wider, longer] = [this.#before(from, low), this.#behind(to, high)]
      if (wider === from && longer === to) return null
      if (isBehind && longer !== to || wider === from) to = longer
      else from = wider
    }
  }

  /** With one line more that is not empty. */
  #before (from: number, low: number): number {
    let line = from - 1
    while (line > low && this.#squeezed[line] === '') line--
    return line < low || this.#squeezed[line] === '' ? from : line
  }

  #behind (to: number, high: number): number {
    let line = to
    while (line < high - 1 && this.#squeezed[line] === '') line++
    return line >= high || this.#squeezed[line] === '' ? to : line + 1
  }

  #distinctive (from: number, to: number, strength: Strength): Piece | null {
    const { charsMin, namesakeCharsMin, wordsMin, namesakeWordsMin } = this.#limits
    const squeezed = this.#squeezed.slice(from, to).join('')
    const exact = exactly(this.lines.slice(from, to).join('\n'))
    const words = new Set(exact.match(/[A-Za-z]{3,}/g))
    if (squeezed.length < (strength === 'anywhere' ? charsMin : namesakeCharsMin) || words.size < (strength === 'anywhere' ? wordsMin : namesakeWordsMin)) return null
    const isNew = this.#isSpace ? !this.#now.exact.includes(exact) : !this.#now.squeezed.includes(squeezed)
    const fragment = isNew ? this.#fragment(from, to) : null
    return fragment === null ? null : { text: this.#isSpace ? exact : squeezed, exact: this.#isSpace, fragment }
  }

  /** A part of one of the lines that copies keep whatever becomes of white space and quotes; the rarest in its own file. */
  #fragment (from: number, to: number): string | null {
    const { fragmentCharsMin } = this.#limits
    const parts = (pattern: RegExp): string[] => this.lines.slice(from, to).flatMap(line => line.match(pattern) ?? []).map(part => part.trim()).filter(part => part.length >= fragmentCharsMin && /[A-Za-z]{3}/.test(part))
    const solid = parts(/[!#-%'-;=?-[\]-~]+/g).filter(part => !everywhere.test(part) && !plainWord.test(part))
    const all = solid.length > 0 ? solid : parts(/[!#-%'-;=?-[\]-~]+(?: [!#-%'-;=?-[\]-~]+)*/g)
    const rank = (part: string): number => Math.min(part.length, fragmentCharsMax) / this.#text.split(part).length
    const longest = all.sort((one, other) => other.length - one.length).slice(0, fragmentChoices)
    return longest.length === 0 ? null : longest.reduce((best, part) => rank(part) > rank(best) ? part : best).slice(0, fragmentCharsMax)
  }
}

/** What files are searched for first, of one strength. */
export const fragmentsOf = (originals: readonly Original[], strength: Strength): string[] =>
  [...new Set(originals.flatMap(({ changes }) => changes.flatMap(change => change[strength].map(({ fragment }) => fragment))))]

// ---- files ----------------------------------------------------------------------------------------------------------

export type Form = 'plain' | 'patch' | 'map'
export interface Held { path: string; changes: number; of: number; form: Form }

interface Reading { form: Form; squeezed: string; exact: string }

/** The originals whose text these bytes hold, read plainly, as a patch, and as JSON. */
export function heldIn (bytes: Uint8Array, originals: readonly Original[], isNamesakeOf: (path: string) => boolean): Held[] {
  const readings = readingsOf(latin(bytes))
  return originals.flatMap(({ path, changes }) => {
    const strength: Strength = isNamesakeOf(path) ? 'namesake' : 'anywhere'
    const sought = changes.map(change => change[strength]).filter(pieces => pieces.length > 0)
    for (const reading of readings) {
      const found = sought.filter(pieces => 2 * pieces.filter(piece => holds(reading, piece)).length >= pieces.length).length
      if (found > 0) return [{ path, changes: found, of: changes.length, form: reading.form }]
    }
    return []
  })
}

const holds = ({ squeezed, exact }: Reading, piece: Piece): boolean => piece.exact ? exact.includes(piece.text) : squeezed.includes(piece.text)

function readingsOf (text: string): Reading[] {
  const reading = (form: Form, text: string): Reading => ({ form, squeezed: squeeze(text), exact: exactly(text) })
  const readings: Reading[] = []
  // A diff has the lines of one side without what stands between them, whatever it holds as it is.
  if (/^@@ -\d/m.test(text)) {
    const lines = text.split('\n')
    for (const sign of ['-', '+']) readings.push(reading('patch', lines.filter(line => /^[ +-]/.test(line) && (line[0] === ' ' || line[0] === sign)).map(line => line.slice(1)).join('\n')))
  }
  readings.push(reading('plain', text))
  if (/\\[nt"]/.test(text)) readings.push(reading('map', unescaped(text)))
  for (const [, encoded] of text.matchAll(/sourceMappingURL=data:application\/json[^,\s]*;base64,([A-Za-z0-9+/=]+)/g)) readings.push(reading('map', unescaped(Buffer.from(encoded!, 'base64').toString('latin1'))))
  return readings
}

const escapes: Record<string, string> = { n: '\n', t: '\t', r: '\r' }
/** As JSON writes strings. */
const unescaped = (text: string): string => text.replace(/\\(?:u00([0-9a-fA-F]{2})|([\s\S]))/g, (_, code: string | undefined, char: string) => code === undefined ? escapes[char] ?? char : String.fromCharCode(Number.parseInt(code, 16)))
