// One small syntax tree for every language. The parsers' own trees are translated into it (javascript.ts, python.ts,
// go.ts), so that an operator is written once. What has no word here is `opaque`: its children are still reached.

import type { Language } from './types.ts'

export type Kind =
  // Lists of statements, and what holds them.
  | 'program' | 'block' | 'function' | 'method' | 'class' | 'field'
  // Statements.
  | 'if' | 'loop' | 'switch' | 'case' | 'try' | 'catch' | 'return' | 'throw' | 'break' | 'continue' | 'declare' | 'declarator'
  | 'statement' | 'import' | 'export' | 'type' | 'directive' | 'pass' | 'assert' | 'raw'
  // Expressions. `compare` and `binary` have a left and a right; `logical` too.
  | 'name' | 'number' | 'string' | 'template' | 'boolean' | 'null' | 'this' | 'binary' | 'logical' | 'compare' | 'not' | 'sign'
  | 'update' | 'assign' | 'augment' | 'ternary' | 'call' | 'new' | 'member' | 'index' | 'await' | 'array' | 'object' | 'pair'
  | 'spread' | 'default' | 'paren' | 'keyword' | 'opaque'

/** Place of a node in its parent. */
export type Role =
  | 'statement' | 'test' | 'then' | 'else' | 'body' | 'init' | 'step' | 'case' | 'handler' | 'finalizer'
  | 'left' | 'right' | 'operand' | 'callee' | 'argument' | 'object' | 'property' | 'key' | 'value' | 'param' | 'superclass'
  | 'member' | 'element' | 'decorator' | 'name' | 'result' | ''

export interface SyntaxNode {
  kind: Kind
  role: Role
  start: number
  end: number
  parent: SyntaxNode | null
  /** In the order of the text. */
  children: SyntaxNode[]
  /** The operator, the identifier's name, the keyword of a declaration; empty otherwise. */
  word: string
  /** Offset of the operator. */
  at: number
  flags: number
}

export const flag = {
  async: 1,
  generator: 2,
  optional: 4,
  computed: 8,
  /** A constructor, getter, setter or static method: callers cannot see it go. */
  special: 16,
  exported: 32,
  /** `elif`: an `if` that cannot stand alone. */
  elif: 64,
  /** A default case, or an operator that also declares (Go's :=). */
  fallback: 128,
  arrow: 256
}

export function node (kind: Kind, start: number, end: number, role: Role = ''): SyntaxNode {
  return { kind, role, start, end, parent: null, children: [], word: '', at: -1, flags: 0 }
}

export function add (parent: SyntaxNode, child: SyntaxNode, role: Role = child.role): SyntaxNode {
  child.parent = parent
  child.role = role
  parent.children.push(child)
  return child
}

export function part (parent: SyntaxNode, role: Role): SyntaxNode | null {
  for (const child of parent.children) if (child.role === role) return child
  return null
}

export function parts (parent: SyntaxNode, role: Role): SyntaxNode[] {
  return parent.children.filter(child => child.role === role)
}

export function walk (root: SyntaxNode, visit: (node: SyntaxNode) => void): void {
  visit(root)
  for (const child of root.children) walk(child, visit)
}

/** The nearest ancestor of one of these kinds, not the node itself. */
export function enclosing (of: SyntaxNode, ...kinds: Kind[]): SyntaxNode | null {
  for (let at = of.parent; at; at = at.parent) if (kinds.includes(at.kind)) return at
  return null
}

/** The expression inside its parentheses. */
export function bare (of: SyntaxNode): SyntaxNode {
  let inner = of
  while (inner.kind === 'paren' && inner.children.length === 1) inner = inner.children[0]!
  return inner
}

const statementKinds: ReadonlySet<Kind> = new Set<Kind>([
  'if', 'loop', 'switch', 'try', 'return', 'throw', 'break', 'continue', 'declare', 'statement', 'import', 'export', 'type',
  'directive', 'pass', 'assert', 'raw'
])

export function isStatement (of: SyntaxNode): boolean {
  return of.role === 'statement' || ((of.role === 'then' || of.role === 'else' || of.role === 'body') && statementKinds.has(of.kind))
}

export const isJump = (of: SyntaxNode): boolean => of.kind === 'return' || of.kind === 'throw' || of.kind === 'break' || of.kind === 'continue'

/** The statements of a block, or the one statement that stands in place of a block. */
export function statementsOf (of: SyntaxNode): SyntaxNode[] {
  return of.kind === 'block' || of.kind === 'program' || of.kind === 'case' ? parts(of, 'statement') : [of]
}

// ---- text -----------------------------------------------------------------------------------------------------------

export function lineStartsOf (text: string): number[] {
  const starts = [0]
  for (let at = text.indexOf('\n'); at !== -1; at = text.indexOf('\n', at + 1)) starts.push(at + 1)
  return starts
}

/** 1-based line of an offset. */
export function lineAt (lineStarts: readonly number[], offset: number): number {
  let low = 0
  let high = lineStarts.length
  while (high - low > 1) {
    const middle = (low + high) >> 1
    if (lineStarts[middle]! <= offset) low = middle
    else high = middle
  }
  return low + 1
}

/** Offset of a token between two nodes, outside of comments; -1 when it is not there. */
export function findToken (text: string, from: number, to: number, token: string, language: Language): number {
  const python = language === 'python'
  for (let at = from; at < to; at++) {
    if (text.startsWith(token, at)) return at
    if (python ? text[at] === '#' : text.startsWith('//', at)) {
      const newline = text.indexOf('\n', at)
      if (newline === -1) return -1
      at = newline
    } else if (!python && text.startsWith('/*', at)) {
      const close = text.indexOf('*/', at)
      if (close === -1) return -1
      at = close + 1
    }
  }
  return -1
}

export function indentAt (text: string, offset: number): string {
  const start = text.lastIndexOf('\n', offset - 1) + 1
  let end = start
  while (text[end] === ' ' || text[end] === '\t') end++
  return text.slice(start, Math.min(end, Math.max(offset, start)))
}
