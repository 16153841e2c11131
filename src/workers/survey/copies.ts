// The code that a bug took away, still there: in a comment, in a string (base64 or hex too), or in a file that is no code.
// Held against each other are phrases, a line or two that follow each other, without white space.

import type { Source } from '../mutate/source.ts'
import { lineAt, lineStartsOf, walk } from '../mutate/syntax.ts'

/** A phrase of fewer characters stands in too many texts by itself. */
const phraseCharsMin = 16

const squeezed = (line: string): string => line.replace(/\s+/g, '')
/** Code that does something: beyond what it quotes, which may be said again elsewhere. */
function isTelling (phrase: string): boolean {
  if (phrase.length < phraseCharsMin) return false
  const own = phrase.replace(/(["'`])(?:\\.|(?!\1).)*\1/g, '')
  return own.length >= phraseCharsMin / 2 && /[(=]|return/.test(own) && /[A-Za-z]{2}/.test(own)
}

interface Region { start: number; end: number }
interface SpokenLine { line: number; text: string }
/** A file as lines of code, and as lines of what is not code: comments and strings. */
export interface Layers { code: string[]; spoken: SpokenLine[] }

/** `source` null: a file in no language that is known, of which nothing is code. */
export function layersOf (text: string, source: Source | null): Layers {
  const [comments, strings] = source === null ? [[{ start: 0, end: text.length }], []] : [commentsOf(source), stringsOf(source)]
  // What a string of many lines holds looks like code, and is none.
  const noCode = [...comments, ...strings.filter(({ start, end }) => text.slice(start, end).includes('\n'))].sort((a, b) => a.start - b.start)
  const starts = lineStartsOf(text)
  const spoken = [...comments, ...strings].flatMap(({ start, end }) => text.slice(start, end).split('\n').map((line, index) => ({ line: lineAt(starts, start) + index, text: squeezed(line) })))
  return { code: outside(text, noCode).split('\n').map(squeezed).filter(line => line !== ''), spoken: spoken.filter(({ text }) => text !== '') }
}

/** What of the code before is not there any more. */
export function goneFrom (before: readonly Layers[], after: readonly Layers[]): Set<string> {
  const lines = new Set(after.flatMap(({ code }) => code))
  const gone = new Set<string>()
  for (const { code } of before) {
    code.forEach((line, at) => {
      if (!lines.has(line) && isTelling(line)) gone.add(line)
      const next = code[at + 1]
      if (next !== undefined && !(lines.has(line) && lines.has(next)) && isTelling(line + next)) gone.add(line + next)
    })
  }
  return gone
}

function outside (text: string, regions: readonly Region[]): string {
  let [kept, at] = ['', 0]
  for (const { start, end } of regions) {
    if (start < at) continue
    kept += text.slice(at, start)
    at = end
  }
  return kept + text.slice(at)
}

function stringsOf ({ root }: Source): Region[] {
  const strings: Region[] = []
  walk(root, ({ kind, start, end }) => { if (kind === 'string' || kind === 'template' || kind === 'directive') strings.push({ start, end }) })
  return strings
}

/** Leaves of the tree that hold text of their own, such as strings and patterns: no comment begins inside of them. */
function leavesOf ({ root }: Source): Region[] {
  const leaves: Region[] = []
  walk(root, ({ kind, start, end, children }) => { if (kind === 'string' || kind === 'template' || kind === 'directive' || (kind === 'opaque' && children.length === 0)) leaves.push({ start, end }) })
  return leaves.sort((a, b) => a.start - b.start)
}

function commentsOf (source: Source): Region[] {
  const { text, language } = source
  const marker = language === 'python' ? /#/g : /\/[/*]/g
  const leaves = leavesOf(source)
  const comments: Region[] = []
  let [leaf, within] = [0, 0]
  for (let found = marker.exec(text); found !== null; found = marker.exec(text)) {
    const start = found.index
    for (; leaf < leaves.length && leaves[leaf]!.start <= start; leaf++) within = Math.max(within, leaves[leaf]!.end)
    if (start < within) {
      marker.lastIndex = within
      continue
    }
    const isBlock = found[0] === '/*'
    const close = isBlock ? text.indexOf('*/', start + 2) : text.indexOf('\n', start)
    const end = close === -1 ? text.length : isBlock ? close + 2 : close
    comments.push({ start, end })
    marker.lastIndex = end
  }
  return comments
}

/** The first line that keeps a phrase of the code that is gone; null where none does. `before`: what the file said before. */
export function copyIn (after: Layers, before: Layers | null, gone: ReadonlySet<string>): SpokenLine | null {
  const had = new Set(before?.spoken.map(({ text }) => text))
  const fresh = after.spoken.filter(({ text }) => !had.has(text))
  if (gone.size === 0 || fresh.length === 0) return null
  const said = before?.spoken.map(({ text }) => bare(text)).join('') ?? ''
  const places: { from: number; line: number }[] = []
  let whole = ''
  for (const { line, text } of fresh) {
    places.push({ from: whole.length, line })
    whole += bare(text) + unpacked(text).join('')
  }
  for (const phrase of gone) {
    const at = whole.indexOf(phrase)
    if (at !== -1 && !said.includes(phrase)) return { line: places.findLast(({ from }) => from <= at)!.line, text: phrase }
  }
  return null
}

/** Without what begins a line of a comment or of a string. */
const bare = (text: string): string => text.replace(/^(?:[#*/]+|["'`]+)/, '')

/** Text that is packed into a line: base64 and hex, once. */
function unpacked (line: string): string[] {
  const words = line.match(/[A-Za-z0-9+/_-]{22,}={0,2}/g) ?? []
  return words.flatMap(word => [Buffer.from(word, 'base64'), ...(/^[0-9a-fA-F]+$/.test(word) ? [Buffer.from(word, 'hex')] : [])]).map(bytes => squeezed(bytes.toString('latin1')))
}
