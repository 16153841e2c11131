// Where repairs may be made: the places between statements, and the expressions, on lines under suspicion.

import type { Source } from '../source.ts'
import { closesLine, moved, opensLine } from '../edits.ts'
import { indentAt, lineAt, part, statementsOf, walk } from '../syntax.ts'
import type { SyntaxNode } from '../syntax.ts'
import type { Edit } from '../types.ts'

export type Suspicion = Readonly<Record<number, number>>

/** How much more a line under twice the suspicion counts, on the logarithmic scale of the scores. */
export const emphasis = 2

/** A place between two statements, before the first or after the last; in an empty block both are null. */
export interface Gap {
  block: SyntaxNode
  offset: number
  previous: SyntaxNode | null
  next: SyntaxNode | null
  suspicion: number
}

export function suspicionOf (source: Source, suspicion: Suspicion, start: number, end: number): number {
  let most = 0
  const last = lineAt(source.lineStarts, Math.max(start, end))
  for (let line = lineAt(source.lineStarts, start); line <= last; line++) most = Math.max(most, suspicion[line] ?? 0)
  return most
}

/** Of its first line: where an expression that goes over many lines is read. */
export const suspicionAt = (source: Source, suspicion: Suspicion, offset: number): number => suspicion[lineAt(source.lineStarts, offset)] ?? 0

export function findGaps (source: Source, suspicion: Suspicion, gapsMax: number): Gap[] {
  const gaps: Gap[] = []
  walk(source.root, node => {
    if (node.kind !== 'block' && node.kind !== 'case' && node.kind !== 'program') return
    if (suspicionOf(source, suspicion, node.start, node.end) === 0) return
    for (const gap of gapsOf(source, node)) {
      const from = gap.previous?.end ?? node.start
      const to = gap.next?.start ?? node.end
      const found = suspicionOf(source, suspicion, from, gap.next || node.kind === 'block' ? to : from)
      if (found > 0) gaps.push({ ...gap, suspicion: found })
    }
  })
  return gaps.sort((a, b) => b.suspicion - a.suspicion).slice(0, gapsMax)
}

function gapsOf (source: Source, block: SyntaxNode): Omit<Gap, 'suspicion'>[] {
  const statements = statementsOf(block).filter(statement => statement.kind !== 'pass' && statement.kind !== 'directive')
  const first = statements[0]
  if (!first) return block.kind === 'block' || block.kind === 'case' ? [{ block, offset: block.kind === 'case' ? block.end : Math.max(block.start, block.end - 1), previous: null, next: null }] : []
  const gaps: Omit<Gap, 'suspicion'>[] = [{ block, offset: first.start, previous: null, next: first }]
  for (let index = 1; index < statements.length; index++) gaps.push({ block, offset: statements[index]!.start, previous: statements[index - 1]!, next: statements[index]! })
  const last = statements[statements.length - 1]!
  gaps.push({ block, offset: last.end, previous: last, next: null })
  return source.language === 'python' && block.kind === 'program' ? gaps.slice(1) : gaps
}

/** One level of indentation as the text uses it. */
export function indentUnit (text: string): string {
  const found = /\n(\t|[ ]{1,8})\S/.exec(text)?.[1]
  return found === undefined ? '  ' : found.startsWith('\t') ? '\t' : found.length >= 4 ? '    ' : '  '
}

/** Plants statements in a gap; `indent` is the one that `text` was written with. null where it does not fit. */
export function plant (source: Source, gap: Gap, planted: string, indent: string): Edit | null {
  const { text, newline } = source
  const anchor = gap.next ?? gap.previous
  const target = anchor ? indentAt(text, anchor.start) : blockIndent(source, gap.block)
  const body = moved(planted.replace(/\r?\n/g, newline), indent, target)
  if (body === null) return null
  if (gap.next) {
    if (!opensLine(text, gap.next.start)) return { start: gap.next.start, end: gap.next.start, text: source.language === 'python' ? `${body}; ` : `${body} ` }
    return { start: gap.next.start, end: gap.next.start, text: body + newline + target }
  }
  if (gap.previous) {
    const lineEnd = closesLine(text, gap.previous.end)
    const at = lineEnd === -1 || lineEnd === text.length ? gap.previous.end : lineEnd - newlineBefore(text, lineEnd)
    return { start: at, end: at, text: newline + target + body }
  }
  return fillEmpty(source, gap.block, body, target)
}

const newlineBefore = (text: string, lineEnd: number): number => text[lineEnd - 2] === '\r' ? 2 : 1

function blockIndent (source: Source, block: SyntaxNode): string {
  const placeholder = statementsOf(block)[0]
  if (source.language === 'python' && placeholder) return indentAt(source.text, placeholder.start)
  return indentAt(source.text, block.start) + indentUnit(source.text)
}

function fillEmpty (source: Source, block: SyntaxNode, body: string, target: string): Edit | null {
  const { text, newline } = source
  const outer = indentAt(text, block.start)
  if (source.language === 'python') {
    const placeholder = statementsOf(block).find(statement => statement.kind === 'pass')
    const docstring = part(block, 'statement')
    if (placeholder) return { start: placeholder.start, end: placeholder.end, text: body }
    return docstring ? { start: docstring.end, end: docstring.end, text: newline + target + body } : null
  }
  if (block.kind === 'case') return { start: block.end, end: block.end, text: newline + target + body }
  if (block.kind !== 'block') return null
  return { start: block.start + 1, end: block.end - 1, text: newline + target + body + newline + outer }
}

