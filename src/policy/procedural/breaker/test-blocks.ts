// The blocks of a test file that can be deleted whole: `test(...)` and `describe(...)` statements, `def test_...` and
// classes, `func Test...`. A block knows its title as a pattern, because titles are put together from parts, and its
// parent, because ids name the whole path. What does not fit: titles that come from variables (pattern null), which match
// only when nothing else does.

import { prepareLanguage } from '../../../workers/mutate/grammars.ts'
import { languageOf, parseSource, type Source } from '../../../workers/mutate/source.ts'
import { part, parts, type SyntaxNode } from '../../../workers/mutate/syntax.ts'

export interface TestBlock {
  /** Source of a regular expression that matches the title; null when it cannot be known. */
  pattern: string | null
  parent: TestBlock | null
  /** Span of the whole statement. */
  start: number
  end: number
  /** 1-based, inclusive. */
  line: number
  endLine: number
}

export interface TestSource { path: string; text: string; blocks: TestBlock[]; source: Source }

/** null when the file does not parse. */
export async function parseTests (path: string, text: string): Promise<TestSource | null> {
  await prepareLanguage(languageOf(path))
  const source = parseSource(path, text)
  if (source === null) return null
  const blocks: TestBlock[] = []
  const visit = (node: SyntaxNode, parent: TestBlock | null): void => {
    const pattern = titleOf(source, node)
    let inner = parent
    if (pattern !== undefined) {
      const statement = statementOf(node)
      inner = { pattern, parent, start: statement.start, end: statement.end, line: lineOf(text, statement.start), endLine: lineOf(text, Math.max(statement.start, statement.end - 1)) }
      blocks.push(inner)
    }
    for (const child of node.children) visit(child, inner)
  }
  visit(source.root, null)
  return { path, text, blocks, source }
}

const lineOf = (text: string, offset: number): number => text.slice(0, offset).split('\n').length

/** undefined: the node opens no block. */
function titleOf (source: Source, node: SyntaxNode): string | null | undefined {
  if (source.language === 'javascript' || source.language === 'typescript') return node.kind === 'call' ? titleOfCall(source, node) : undefined
  const unit = source.unitOf.get(node)
  if (unit === undefined) return undefined
  if (source.language === 'go') return /^(Test|Example|Fuzz)/.test(unit.name) ? escape(unit.name) : undefined
  return unit.kind === 'class' || /^test/i.test(unit.name) ? escape(unit.name) : undefined
}

const callers = /^(test|it|describe|suite|context|specify|tap|t|tt|st|mocha|vitest|fit|fdescribe|concurrent)$/

function titleOfCall (source: Source, call: SyntaxNode): string | null | undefined {
  const given = parts(call, 'argument')
  if (!given.some(({ kind }) => kind === 'function') || !callers.test(rootName(call)) || given[0]!.kind === 'function') return undefined
  return patternOf(source, given[0]!)
}

/** The first name of what is called: `test` in test.only(…) and in test.each([…])(…). */
function rootName (call: SyntaxNode): string {
  let at: SyntaxNode | null = call
  while (at && at.kind !== 'name') at = part(at, 'callee') ?? part(at, 'object')
  return at?.word ?? ''
}

function patternOf (source: Source, title: SyntaxNode): string | null {
  const text = source.text.slice(title.start, title.end)
  if (title.kind === 'string') return literalPattern(text.slice(1, -1))
  if (title.kind === 'template') return literalPattern(text.slice(1, -1).replace(/\$\{[^}]*\}/g, '\u0000'))
  if (title.kind !== 'binary') return null
  const sides = [part(title, 'left'), part(title, 'right')].map(side => side === null ? null : patternOf(source, side))
  return sides.every(side => side === null) ? null : sides.map(side => side ?? '.*').join('')
}

/** NUL stands for a part that is not known, and so do the placeholders of `each`. */
function literalPattern (literal: string): string {
  const unescaped = literal.replace(/\\(u\{[0-9a-f]+\}|u[0-9a-f]{4}|x[0-9a-f]{2}|[^])/gi, (_all, code: string) => unescape(code))
  return escape(unescaped.trim()).replace(/\0|%[sdifjop#]|\\\$[\w.]+/g, '.*')
}

function unescape (code: string): string {
  if (/^[ux]/i.test(code) && code.length > 1) return String.fromCodePoint(Math.min(0x10ffff, parseInt(code.replace(/[^0-9a-f]/gi, ''), 16)))
  // The runners print control characters as JSON does.
  return { n: '\\n', t: '\\t', r: '\\r' }[code] ?? code
}

const escape = (text: string): string => text.replace(/[.*+?^${}()|[\]\\/]/g, '\\$&')

/** The statement or class member that holds a node: with its decorators, its `await` and its `export`. */
export function statementOf (node: SyntaxNode): SyntaxNode {
  let at = node
  while (at.parent && at.role !== 'statement' && at.role !== 'member') at = at.parent
  return at
}
