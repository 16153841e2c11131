// Ways to take something out, for the removal strategy: from an operand to a whole body. What is left always loads: a
// declaration stays, so do imports, exports, docstrings and logging.

import { statementsText, splice, withoutSpan, withoutStatement } from './edits.ts'
import { bare, flag, indentAt, isJump, isStatement, part, parts, statementsOf } from './syntax.ts'
import type { SyntaxNode } from './syntax.ts'
import type { Source, SourceUnit } from './source.ts'
import { isLogging } from './names.ts'
import { endsFunction, zeroReturn } from './go-rules.ts'
import type { Edit } from './types.ts'

/** Small to large: the order of SourceIndex.removals. */
export const removalOperators = [
  'remove negation', 'remove operand', 'remove await', 'remove optional chaining', 'remove default', 'remove argument', 'remove choice',
  'remove continue', 'remove break', 'remove increment', 'remove assignment', 'remove call', 'remove throw', 'remove return', 'remove guard',
  'remove if', 'remove else', 'remove branch', 'remove condition', 'keep branch', 'remove case', 'unwrap try', 'remove loop', 'empty body', 'empty helper', 'remove method'
] as const
export type RemovalOperator = typeof removalOperators[number]

export type Emit<Operator extends string> = (operator: Operator, edit: Edit | null, at: SyntaxNode) => void

export function removalsOf (source: Source, node: SyntaxNode, unit: SourceUnit | null, emit: Emit<RemovalOperator>): void {
  const { text } = source
  switch (node.kind) {
    case 'logical': removeOperands(source, node, emit); break
    case 'binary': if (node.word === '+') removeOperands(source, node, emit); break
    case 'not': removeNegation(source, node, emit); break
    case 'await': removePrefix(source, node, 'remove await', emit); break
    case 'ternary': keepChoice(source, node, emit); break
    case 'default': removeDefault(source, node, emit); break
    case 'member': case 'index': case 'call':
      if (node.flags & flag.optional) removeOptional(source, node, emit)
      if (node.kind === 'call') removeArgument(source, node, emit)
      break
    case 'if': if (unit) removeFromIf(source, node, emit); break
    case 'case': if (unit) removeCase(source, node, emit); break
    case 'try': if (unit) unwrapTry(source, node, emit); break
    case 'loop': if (unit && !endsFunction(source, node)) emit('remove loop', withoutStatement(source, node), node); break
    case 'return': case 'throw': case 'break': case 'continue': case 'statement': if (unit) removeStatement(source, node, unit, emit); break
    case 'function': emptyBody(source, node, unit, emit); break
    case 'method': removeMethod(source, node, emit); break
    default: if (node.flags & flag.optional && text.startsWith('?.', node.at)) removeOptional(source, node, emit)
  }
}

// ---- expressions ----------------------------------------------------------------------------------------------------

function removeOperands (source: Source, node: SyntaxNode, emit: Emit<RemovalOperator>): void {
  const left = part(node, 'left')
  const right = part(node, 'right')
  if (!left || !right) return
  emit('remove operand', { start: left.end, end: right.end, text: '' }, node)
  if (canOpen(source, node, right)) emit('remove operand', { start: left.start, end: right.start, text: '' }, node)
}

/** A kept right side must not change what the statement or arrow body around it is. */
function canOpen (source: Source, node: SyntaxNode, kept: SyntaxNode): boolean {
  if (source.language === 'python' || source.language === 'go') return true
  return !/^(\{|function\b|class\b|async\b|let\b|[([`/+-])/.test(source.text.slice(kept.start, kept.start + 9)) || !opensStatement(node)
}

function opensStatement (node: SyntaxNode): boolean {
  for (let at: SyntaxNode | null = node; at && at.start === node.start; at = at.parent) {
    if (isStatement(at) || at.role === 'body' || at.parent?.kind === 'export') return true
  }
  return false
}

function removeNegation (source: Source, node: SyntaxNode, emit: Emit<RemovalOperator>): void {
  removePrefix(source, node, 'remove negation', emit)
}

function removePrefix (source: Source, node: SyntaxNode, operator: RemovalOperator, emit: Emit<RemovalOperator>): void {
  const operand = part(node, 'operand')
  if (!operand || !canOpen(source, node, operand)) return
  emit(operator, splice(source.text, node.start, operand.start, ''), node)
}

function keepChoice (source: Source, node: SyntaxNode, emit: Emit<RemovalOperator>): void {
  for (const role of ['then', 'else'] as const) {
    const kept = part(node, role)
    if (kept && canOpen(source, node, kept)) emit('remove choice', splice(source.text, node.start, node.end, source.text.slice(kept.start, kept.end)), node)
  }
}

/** A default may go when no parameter before it keeps one (Python refuses a required parameter after an optional one). */
function removeDefault (source: Source, node: SyntaxNode, emit: Emit<RemovalOperator>): void {
  const left = part(node, 'left')
  if (!left || node.parent?.kind === 'array' || node.parent?.kind === 'object') return
  if (source.language === 'python' && node.parent) {
    for (const sibling of node.parent.children) {
      if (sibling === node) break
      if (sibling.role === 'param' && sibling.kind === 'default') return
    }
  }
  const value = part(node, 'right')
  if (value) emit('remove default', { start: left.end, end: value.end, text: '' }, node)
}

function removeOptional (source: Source, node: SyntaxNode, emit: Emit<RemovalOperator>): void {
  const owner = node.children[0]
  if (!owner) return
  const at = source.text.indexOf('?.', owner.end)
  if (at === -1 || at > node.end) return
  emit('remove optional chaining', { start: at, end: at + 2, text: node.kind === 'member' ? '.' : '' }, node)
}

function removeArgument (source: Source, node: SyntaxNode, emit: Emit<RemovalOperator>): void {
  if (source.language === 'go') return
  const given = parts(node, 'argument')
  const last = given[given.length - 1]
  const before = given[given.length - 2]
  if (last && before && last.kind !== 'function') emit('remove argument', { start: before.end, end: last.end, text: '' }, last)
}

// ---- statements -----------------------------------------------------------------------------------------------------

function removeStatement (source: Source, node: SyntaxNode, unit: SourceUnit, emit: Emit<RemovalOperator>): void {
  if (!isStatement(node) || isLogging(node)) return
  if ((node.kind === 'return' || node.kind === 'throw' || node.kind === 'statement') && endsFunction(source, node)) return
  if (node.role === 'then' && isJump(node)) return
  if (node.parent?.role === 'then' && isJump(node) && statementsOf(node.parent).length === 1) return
  const operator = statementOperator(source, node, unit)
  if (operator) emit(operator, withoutStatement(source, node), node)
}

function statementOperator (source: Source, node: SyntaxNode, unit: SourceUnit): RemovalOperator | null {
  if (node.kind === 'break' || node.kind === 'continue' || node.kind === 'return' || node.kind === 'throw') return `remove ${node.kind}`
  const value = node.children[0] && bare(node.children[0])
  switch (value?.kind) {
    case 'update': return 'remove increment'
    case 'augment': return 'remove assignment'
    case 'assign': return declares(source, value, unit) ? null : 'remove assignment'
    case 'call': case 'await': case 'new': return isSuperCall(source, value) ? null : 'remove call'
    default: return null
  }
}

/** Python's first assignment to a local name is its declaration. */
function declares (source: Source, assign: SyntaxNode, unit: SourceUnit): boolean {
  if (assign.flags & flag.fallback) return true
  if (part(assign, 'right')?.kind === 'function' && part(assign, 'left')?.kind === 'name') return true
  if (source.language !== 'python') return false
  const left = part(assign, 'left')
  if (left?.kind === 'member' || left?.kind === 'index') return false
  const name = left?.kind === 'name' ? left.word : ''
  if (name === '' || unit.params.includes(name)) return name === ''
  const earlier = new RegExp(`(?<![\\w.])${name}\\s*(?:=(?!=)|[+\\-*/]=|,|in\\b)`)
  return !earlier.test(source.text.slice(unit.bodyStart, assign.start))
}

function isSuperCall (source: Source, call: SyntaxNode): boolean {
  return source.text.startsWith('super(', call.start)
}

function removeFromIf (source: Source, node: SyntaxNode, emit: Emit<RemovalOperator>): void {
  const then = part(node, 'then')
  const otherwise = part(node, 'else')
  if (!then || endsFunction(source, node)) return
  if (!otherwise) {
    if (node.role === 'else') { emit('remove branch', withoutStatement(source, node), node); return }
    const inside = statementsOf(then)
    if (inside.every(isLogging)) return
    const jumps = inside.length > 0 && isJump(inside[inside.length - 1]!)
    emit(jumps ? 'remove guard' : 'remove if', withoutStatement(source, node), node)
    // An unwrapped jump would cut off everything after it.
    if (!jumps) emit('remove condition', keepBranch(source, node, then), node)
    return
  }
  const sameElse = otherwise.kind === 'if' ? part(otherwise, 'else') : null
  if (!sameElse) emit('remove else', { start: then.end, end: otherwise.end, text: '' }, otherwise)
  if (node.role === 'else') {
    emit('remove branch', { start: node.start, end: otherwise.start, text: '' }, node)
    return
  }
  emit('keep branch', keepBranch(source, node, then), node)
  if (!(otherwise.kind === 'if')) emit('keep branch', keepBranch(source, node, otherwise), node)
}

/** Replaces a statement by the statements of one of its blocks. */
function keepBranch (source: Source, node: SyntaxNode, kept: SyntaxNode): Edit | null {
  if (node.role !== 'statement' || node.flags & flag.elif) return null
  const statements = statementsOf(kept)
  if (statements.length === 0 || statements.some(statement => statement.kind === 'declare' || statement.kind === 'function' || statement.kind === 'class')) return null
  if (part(node, 'init')) return null
  const inner = statementsText(source, kept, indentAt(source.text, node.start))
  return inner === null ? null : splice(source.text, node.start, node.end, inner)
}

function removeCase (source: Source, node: SyntaxNode, emit: Emit<RemovalOperator>): void {
  const { parent } = node
  if (!parent || parts(parent, 'case').length < 2 || endsFunction(source, parent)) return
  emit('remove case', withoutSpan(source.text, node.start, node.end), node)
}

function unwrapTry (source: Source, node: SyntaxNode, emit: Emit<RemovalOperator>): void {
  const body = part(node, 'body')
  if (body) emit('unwrap try', keepBranch(source, node, body), node)
}

// ---- units ----------------------------------------------------------------------------------------------------------

function emptyBody (source: Source, node: SyntaxNode, around: SourceUnit | null, emit: Emit<RemovalOperator>): void {
  const unit = source.unitOf.get(node)
  if (!unit?.body || unit.body.kind !== 'block' || unit.name === 'constructor' || unit.name === '__init__') return
  const statements = statementsOf(unit.body).filter(statement => statement.kind !== 'directive')
  if (statements.length === 0 || statements.every(statement => statement.kind === 'pass' || isLogging(statement))) return
  const helper = unit.kind === 'function' && !unit.exported && around === null
  emit(helper ? 'empty helper' : 'empty body', emptied(source, unit, statements), node)
}

function emptied (source: Source, unit: SourceUnit, statements: SyntaxNode[]): Edit | null {
  const start = statements[0]!.start
  const end = statements[statements.length - 1]!.end
  if (source.language === 'python') return { start, end, text: 'pass' }
  if (source.language === 'go') {
    const zero = zeroReturn(source, unit.node)
    if (zero === null) return null
    return zero === '' ? withoutSpan(source.text, start, end) : { start, end, text: zero }
  }
  return withoutSpan(source.text, start, end)
}

function removeMethod (source: Source, node: SyntaxNode, emit: Emit<RemovalOperator>): void {
  const owner = node.parent
  if (!owner || node.flags & flag.special || owner.kind !== 'class') return
  if (source.language === 'python') {
    if (/^__\w+__$/.test(part(node, 'key')?.word ?? '__init__')) return
    if (parts(owner, 'member').length < 2) return
  }
  emit('remove method', withoutSpan(source.text, node.start, node.end), node)
}

