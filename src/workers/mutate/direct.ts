// Small changes of code that stays: the procedural modifiers of SWE-smith and their kin. One site a mutant, and none that
// is the same program again (operands of the same text, a commutative swap).

import { closesLine, opensLine } from './edits.ts'
import { goTypesAllow } from './go-rules.ts'
import { isLogging, rootName } from './names.ts'
import { alternativesOf, flipOf, isCommutative, operatorGroups, oppositeOf, wordsOf } from './operators.ts'
import type { Emit } from './removals.ts'
import type { Source, SourceUnit } from './source.ts'
import { bare, flag, indentAt, isJump, isStatement, part, parts, statementsOf, walk } from './syntax.ts'
import type { SyntaxNode } from './syntax.ts'

export type DirectOperator =
  | 'flip operator' | 'change operator' | 'swap operands' | 'break chain' | 'change constant' | 'flip boolean' | 'change string' | 'remove sign' | 'negate condition' | 'invert if'
  | 'swap choice' | 'swap arguments' | 'swap augmented assignment' | 'swap update' | 'shuffle lines' | 'remove base class'

export function directOf (source: Source, node: SyntaxNode, unit: SourceUnit | null, emit: Emit<DirectOperator>): void {
  switch (node.kind) {
    case 'compare': case 'binary': case 'logical': changeOperator(source, node, emit); break
    case 'number': changeConstant(source, node, emit); break
    case 'boolean': flipBoolean(source, node, emit); break
    case 'string': changeString(source, node, unit, emit); break
    case 'sign': removeSign(source, node, emit); break
    case 'ternary': swapParts(source, part(node, 'then'), part(node, 'else'), 'swap choice', node, emit); negate(source, node, emit); break
    case 'if': negate(source, node, emit); invertIf(source, node, emit); break
    case 'loop': negate(source, node, emit); break
    case 'call': case 'new': swapArguments(source, node, emit); break
    case 'augment': swapAugment(source, node, emit); break
    case 'update': swapUpdate(source, node, emit); break
    case 'block': if (unit) shuffleLines(source, node, emit); break
    case 'class': removeBase(source, node, emit); break
    default:
  }
}

// ---- operators ------------------------------------------------------------------------------------------------------

function changeOperator (source: Source, node: SyntaxNode, emit: Emit<DirectOperator>): void {
  const left = part(node, 'left')
  const right = part(node, 'right')
  if (!left || !right || node.at === -1) return
  const groups = operatorGroups[source.language]
  const texts = concatenates(source, left) || concatenates(source, right)
  const flip = flipOf(node.word, source.language)
  const arithmetic = groups.arithmetic.includes(node.word)
  if (!(texts && arithmetic) && goTypesAllow(source, node)) {
    if (flip && fits(source, node, flip)) emit('flip operator', { start: node.at, end: node.at + node.word.length, text: flip }, node)
    for (const other of alternativesOf(node.word, source.language)) {
      // `==` for `===` changes next to nothing, and `??` beside `||` needs parentheses.
      if (other === flip || other === '??' || other === 'is' || other === 'is not' || groups.equality.includes(other) || !fits(source, node, other)) continue
      emit('change operator', { start: node.at, end: node.at + node.word.length, text: other }, node)
    }
  }
  if (node.kind === 'binary' && left.kind === 'binary' && left.word === node.word) emit('break chain', { start: left.end, end: right.end, text: '' }, node)
  if (node.kind === 'logical' || isCommutative(node.word) || (node.word === '+' && !texts)) return
  if (left.kind === 'binary' || left.kind === 'logical' || left.kind === 'compare' || right.kind === 'binary' || right.kind === 'compare') return
  swapParts(source, left, right, 'swap operands', node, emit)
}

/** `??` may not stand beside the other two without parentheses, `**` not after a sign, and a chain of comparisons is no chain of operators. */
function fits (source: Source, node: SyntaxNode, operator: string): boolean {
  const mixes = (other: SyntaxNode | null): boolean => other?.kind === 'logical' && other.word === '??'
  if (node.kind === 'logical') {
    if (node.word === '??') return ![node.parent, ...node.children].some(other => other?.kind === 'logical')
    return !mixes(node.parent) && !node.children.some(mixes)
  }
  const left = part(node, 'left')
  if (operator === '**') return left?.kind !== 'sign' && left?.kind !== 'await' && left?.kind !== 'opaque' && node.parent?.role !== 'operand'
  if ((operator === '/' || operator === '%') && source.language === 'go') return !/^0?$/.test(nodeText(source, part(node, 'right')))
  return true
}

const nodeText = (source: Source, node: SyntaxNode | null): string => node ? source.text.slice(node.start, node.end) : ''

function concatenates (source: Source, node: SyntaxNode): boolean {
  const inner = bare(node)
  if (inner.kind === 'string' || inner.kind === 'template') return true
  return inner.kind === 'binary' && inner.word === '+' && inner.children.some(child => concatenates(source, child))
}

function swapParts (source: Source, one: SyntaxNode | null, other: SyntaxNode | null, operator: DirectOperator, at: SyntaxNode, emit: Emit<DirectOperator>): void {
  if (!one || !other) return
  const { text } = source
  const first = text.slice(one.start, one.end)
  const second = text.slice(other.start, other.end)
  if (first === second || one.kind === 'spread' || other.kind === 'spread' || one.kind === 'keyword' || other.kind === 'keyword') return
  const needsParentheses = (node: SyntaxNode): boolean => node.kind === 'assign' || node.kind === 'function' || (node.kind === 'object' && at.kind !== 'call')
  if (needsParentheses(one) || needsParentheses(other)) return
  emit(operator, { start: one.start, end: other.end, text: second + text.slice(one.end, other.start) + first }, at)
}

// ---- constants ------------------------------------------------------------------------------------------------------

function changeConstant (source: Source, node: SyntaxNode, emit: Emit<DirectOperator>): void {
  const literal = nodeText(source, node)
  if (!/^\d+$/.test(literal) || literal.length > 15 || isKey(node)) return
  // Go checks constant bounds of slices.
  if (source.language === 'go' && node.parent?.kind === 'opaque') return
  const value = Number(literal)
  const divides = node.role === 'right' && (node.parent?.word === '/' || node.parent?.word === '%')
  for (const other of [value + 1, value - 1]) {
    if (other < 0 || (other === 0 && divides)) continue
    emit('change constant', { start: node.start, end: node.end, text: String(other) }, node)
  }
}

const isKey = (node: SyntaxNode): boolean => node.role === 'key' || node.role === 'property' && node.parent?.kind === 'member'

function flipBoolean (source: Source, node: SyntaxNode, emit: Emit<DirectOperator>): void {
  const words = wordsOf[source.language]
  emit('flip boolean', { start: node.start, end: node.end, text: nodeText(source, node) === words.true ? words.false : words.true }, node)
}

/** Only strings that decide something: compared, returned, or passed on. */
function changeString (source: Source, node: SyntaxNode, unit: SourceUnit | null, emit: Emit<DirectOperator>): void {
  const literal = nodeText(source, node)
  if (!unit || literal.length < 3 || isKey(node) || !/^(['"]).*\1$/s.test(literal)) return
  const decides = node.parent?.kind === 'compare' || node.parent?.kind === 'return' || (node.parent?.kind === 'logical' && node.role === 'right')
  if (decides) emit('change string', { start: node.start, end: node.end, text: literal[0]! + literal[0]! }, node)
}

function removeSign (source: Source, node: SyntaxNode, emit: Emit<DirectOperator>): void {
  const operand = part(node, 'operand')
  if (!operand || /[-+]/.test(source.text[operand.start]!) || nodeText(source, operand) === '0') return
  emit('remove sign', { start: node.start, end: operand.start, text: '' }, node)
}

// ---- conditions -----------------------------------------------------------------------------------------------------

function negate (source: Source, node: SyntaxNode, emit: Emit<DirectOperator>): void {
  const test = part(node, 'test')
  if (!test) return
  const inner = bare(test)
  // A comparison or negation has its own, smaller mutant.
  if (inner.kind === 'not' || inner.kind === 'boolean' || (inner.kind === 'compare' && oppositeOf(inner.word, source.language))) return
  emit('negate condition', { start: test.start, end: test.end, text: negated(source, test) }, test)
}

const tight = new Set(['name', 'member', 'index', 'call', 'this', 'paren', 'number', 'string', 'boolean', 'null'])

/** The negation of a condition as text, without doubling one that is there. */
export function negated (source: Source, test: SyntaxNode): string {
  const inner = bare(test)
  const words = wordsOf[source.language]
  if (inner.kind === 'not') return nodeText(source, part(inner, 'operand'))
  const opposite = inner.kind === 'compare' ? oppositeOf(inner.word, source.language) : null
  // Less and greater have no opposite where a value may be undefined or NaN, but this is what people write.
  if (opposite) return source.text.slice(inner.start, inner.at) + opposite + source.text.slice(inner.at + inner.word.length, inner.end)
  const text = nodeText(source, test)
  return words.not + (tight.has(test.kind) ? text : `(${text})`)
}

function invertIf (source: Source, node: SyntaxNode, emit: Emit<DirectOperator>): void {
  const then = part(node, 'then')
  const otherwise = part(node, 'else')
  if (!then || !otherwise || otherwise.kind === 'if' || then.kind !== 'block' || otherwise.kind !== 'block') return
  if (source.language !== 'python') { swapParts(source, then, otherwise, 'invert if', node, emit); return }
  const kept = statementsOf(then)
  const other = statementsOf(otherwise)
  const [start, last] = [kept[0]?.start ?? -1, kept[kept.length - 1]?.end ?? -1]
  const [next, end] = [other[0]?.start ?? -1, other[other.length - 1]?.end ?? -1]
  const { text } = source
  if (start === -1 || next === -1 || !opensLine(text, start) || !opensLine(text, next) || indentAt(text, start) !== indentAt(text, next)) return
  const [first, second] = [text.slice(start, last), text.slice(next, end)]
  if (first !== second) emit('invert if', { start, end, text: second + text.slice(last, next) + first }, node)
}

// ---- calls and statements -------------------------------------------------------------------------------------------

function swapArguments (source: Source, node: SyntaxNode, emit: Emit<DirectOperator>): void {
  if (source.language === 'go') return
  const given = parts(node, 'argument')
  for (let index = 1; index < given.length && index < 4; index++) swapParts(source, given[index - 1]!, given[index]!, 'swap arguments', node, emit)
}

function swapAugment (source: Source, node: SyntaxNode, emit: Emit<DirectOperator>): void {
  const right = part(node, 'right')
  const bareOperator = node.word.slice(0, -1)
  const flip = flipOf(bareOperator, source.language)
  if (!right || !flip || node.at === -1 || concatenates(source, right) || !goTypesAllow(source, node)) return
  if (bareOperator === '&&' || bareOperator === '||' || bareOperator === '??') return
  emit('swap augmented assignment', { start: node.at, end: node.at + node.word.length, text: `${flip}=` }, node)
}

function swapUpdate (source: Source, node: SyntaxNode, emit: Emit<DirectOperator>): void {
  const at = source.text.startsWith(node.word, node.start) ? node.start : node.end - 2
  emit('swap update', { start: at, end: at + 2, text: node.word === '++' ? '--' : '++' }, node)
}

/** Two neighbours of which one changes what the other reads. */
function shuffleLines (source: Source, block: SyntaxNode, emit: Emit<DirectOperator>): void {
  const { text } = source
  const statements = statementsOf(block)
  for (let index = 1; index < statements.length; index++) {
    const first = statements[index - 1]!
    const second = statements[index]!
    if (!movable(first) || !movable(second) || !(dependsOn(first, second) || dependsOn(second, first))) continue
    if (!opensLine(text, first.start) || !opensLine(text, second.start) || closesLine(text, first.end) === -1 || closesLine(text, second.end) === -1) continue
    swapParts(source, first, second, 'shuffle lines', first, emit)
  }
}

function movable (statement: SyntaxNode): boolean {
  const declares = statement.children.some(child => child.kind === 'assign' && child.flags & flag.fallback)
  return isStatement(statement) && !declares && !isJump(statement) && !isLogging(statement) && (statement.kind === 'statement' || statement.kind === 'if' || statement.kind === 'loop')
}

function dependsOn (reader: SyntaxNode, writer: SyntaxNode): boolean {
  const written = new Set<string>()
  walk(writer, node => {
    if (node.kind === 'assign' || node.kind === 'augment') written.add(rootName(part(node, 'left') ?? node))
    if (node.kind === 'update') written.add(rootName(part(node, 'operand') ?? node))
    if (node.kind === 'call' && part(node, 'callee')?.kind === 'member') written.add(rootName(node))
  })
  written.delete('')
  let found = false
  walk(reader, node => { found ||= (node.kind === 'name' || node.kind === 'this') && written.has(node.kind === 'this' ? 'this' : node.word) })
  return found
}

function removeBase (source: Source, node: SyntaxNode, emit: Emit<DirectOperator>): void {
  const bases = parts(node, 'superclass')
  const name = part(node, 'name')
  if (bases.length === 0 || !name) return
  if (source.language === 'python') {
    bases.forEach((base, index) => {
      const next = bases[index + 1]
      const before = bases[index - 1]
      emit('remove base class', next ? { start: base.start, end: next.start, text: '' } : { start: before ? before.end : base.start, end: base.end, text: '' }, node)
    })
    return
  }
  if (source.language === 'javascript' && !/\bsuper\b/.test(nodeText(source, node))) emit('remove base class', { start: name.end, end: node.at, text: ' ' }, node)
}

