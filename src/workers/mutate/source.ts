// A parsed file: its common tree, its lines and its units. The three languages meet here.

import { goParses, parseGo } from './go.ts'
import { javascriptParses, parseJavascript } from './javascript.ts'
import { languageOf } from './languages.ts'
import { parsePython, pythonParses } from './python.ts'
import { lineAt, lineStartsOf } from './syntax.ts'
import type { SyntaxNode } from './syntax.ts'
import type { Edit, Language, Mutant, Unit } from './types.ts'
import { findUnits } from './units.ts'

export { languageOf }

/** Larger texts are generated or data: they are left alone. */
export const sourceBytesMax = 1_000_000

export interface SourceUnit extends Unit { node: SyntaxNode; body: SyntaxNode | null; exported: boolean; owner: string | null }

export interface Source {
  path: string
  text: string
  language: Language
  root: SyntaxNode
  lineStarts: number[]
  units: SourceUnit[]
  /** The unit whose node this is. */
  unitOf: Map<SyntaxNode, SourceUnit>
  /** The line ending that the text uses. */
  newline: '\n' | '\r\n'
}

export function parseSource (path: string, text: string): Source | null {
  const language = languageOf(path)
  if (!language || tooLarge(text)) return null
  const root = language === 'python' ? parsePython(text) : language === 'go' ? parseGo(text) : parseJavascript(path, text)
  if (!root) return null
  const lineStarts = lineStartsOf(text)
  const units = findUnits(root, text, lineStarts, language)
  const unitOf = new Map(units.map(unit => [unit.node, unit]))
  return { path, text, language, root, lineStarts, units, unitOf, newline: text.includes('\r\n') ? '\r\n' : '\n' }
}

export function parses (path: string, text: string): boolean {
  const language = languageOf(path)
  if (!language || tooLarge(text)) return false
  if (language === 'python') return pythonParses(text)
  return language === 'go' ? goParses(text) : javascriptParses(path, text)
}

export function applyEdit (text: string, edit: Edit): string {
  return text.slice(0, edit.start) + edit.text + text.slice(edit.end)
}

export function mutant (source: Source, operator: string, edit: Edit, unit: string | null): Mutant {
  const line = lineAt(source.lineStarts, edit.start)
  const last = Math.max(edit.start, edit.end - 1)
  return { operator, edit, line, endLine: lineAt(source.lineStarts, last), unit }
}

function tooLarge (text: string): boolean {
  return text.length > sourceBytesMax || (text.length * 3 > sourceBytesMax && Buffer.byteLength(text) > sourceBytesMax)
}
