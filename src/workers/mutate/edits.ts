// Cutting and joining text so that it stays readable and parses: whole lines go when a statement has them to itself,
// words do not run together, and moved lines get the indentation of their new place.

import { indentAt, isStatement, part, statementsOf } from './syntax.ts'
import type { SyntaxNode } from './syntax.ts'
import type { Source } from './source.ts'
import type { Edit } from './types.ts'

const wordCharacter = /[\w$\u0080-\uffff]/

/** Replaces text[start, end), with a space where two tokens would become one. */
export function splice (text: string, start: number, end: number, replacement: string): Edit {
  const before = text[start - 1] ?? ''
  const after = text[end] ?? ''
  if (replacement === '') return { start, end, text: runsTogether(before, after) ? ' ' : '' }
  const head = runsTogether(before, replacement[0]!) ? ' ' : ''
  const tail = runsTogether(replacement[replacement.length - 1]!, after) ? ' ' : ''
  return { start, end, text: head + replacement + tail }
}

function runsTogether (left: string, right: string): boolean {
  if (left === '' || right === '') return false
  if (wordCharacter.test(left)) return wordCharacter.test(right)
  return left === right ? '+-/&|<>=?.*'.includes(left) : (left === '/' && right === '*') || (left === '<' && right === '!') || (left === '!' && right === '=')
}

/** Whether nothing but space stands before `start` on its line. */
export function opensLine (text: string, start: number): boolean {
  for (let at = start - 1; at >= 0 && text[at] !== '\n'; at--) if (text[at] !== ' ' && text[at] !== '\t') return false
  return true
}

/** Offset after the line break when only space, `;` or a comment follow on the line; -1 otherwise. */
export function closesLine (text: string, end: number): number {
  const newline = text.indexOf('\n', end)
  const rest = text.slice(end, newline === -1 ? text.length : newline)
  if (!/^[ \t]*;?[ \t]*(\/\/.*|#.*)?\r?$/.test(rest)) return -1
  return newline === -1 ? text.length : newline + 1
}

/** Takes a statement out; null where the language has no way to leave nothing. */
export function withoutStatement (source: Source, statement: SyntaxNode): Edit | null {
  const { text, language } = source
  const { parent, start, end } = statement
  if (!parent || !isStatement(statement)) return null
  if (statement.role === 'else') {
    const kept = part(parent, 'then')
    return kept ? { start: kept.end, end, text: '' } : null
  }
  if (statement.role !== 'statement') return language === 'python' ? null : { start, end, text: '{}' }
  if (language === 'python' && parent.kind !== 'program' && statementsOf(parent).length === 1) return { start, end, text: 'pass' }
  return withoutSpan(text, start, end)
}

/** Takes text[start, end) out, with its lines when it has them to itself. */
export function withoutSpan (text: string, start: number, end: number): Edit {
  const lineEnd = closesLine(text, end)
  if (opensLine(text, start) && lineEnd !== -1) {
    const lineStart = text.lastIndexOf('\n', start - 1) + 1
    return { start: lineStart, end: lineEnd, text: '' }
  }
  let to = end
  while (text[to] === ' ' || text[to] === '\t') to++
  if (text[to] === ';') to++
  while (text[to] === ' ' || text[to] === '\t') to++
  return splice(text, start, to, '')
}

/** The statements of a block as text for another indentation; null when lines inside of strings would move. */
export function statementsText (source: Source, body: SyntaxNode, indent: string): string | null {
  const statements = statementsOf(body)
  const first = statements[0]
  const last = statements[statements.length - 1]
  if (!first || !last) return ''
  return moved(source.text.slice(first.start, last.end), indentAt(source.text, first.start), indent)
}

/** Text whose following lines were indented by `from`, indented by `to`. */
export function moved (text: string, from: string, to: string): string | null {
  if (from === to || !text.includes('\n')) return text
  const lines = text.split('\n')
  // A string that goes on over the line break would move with the code.
  if (/"""|'''/.test(text) || lines.some(line => (line.split('`').length - 1) % 2 === 1)) return null
  return lines.map((line, index) => index === 0 || line.trim() === '' ? line : line.startsWith(from) ? to + line.slice(from.length) : line).join('\n')
}
