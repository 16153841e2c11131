// Expressions changed in place: other operators and constants, negations, other names and properties, arguments moved or
// added, `await`, `?.` and defaults put back. What the direct and removal operators do is tried too: a bug may be undone by
// doing it again the other way round, and a reverted change often needs something to go.

import { directOf, negated } from '../direct.ts'
import { splice } from '../edits.ts'
import { alternativesOf, operatorGroups, wordsOf } from '../operators.ts'
import { removalsOf } from '../removals.ts'
import { bare, enclosing, flag, part, parts, walk } from '../syntax.ts'
import type { SyntaxNode } from '../syntax.ts'
import type { Edit } from '../types.ts'
import type { Stock } from './stock.ts'
import { placeAt, plantings } from './planting.ts'
import type { Candidate } from './race.ts'
import { isVariable, nearbyNames } from './scope.ts'
import { emphasis, suspicionAt, suspicionOf } from './sites.ts'

export interface ExpressionFamilies { negations: Candidate[]; operators: Candidate[]; constants: Candidate[]; names: Candidate[]; arguments: Candidate[]; marks: Candidate[]; deletions: Candidate[]; direct: Candidate[] }

type Put = (family: keyof ExpressionFamilies, operator: string, edit: Edit | null, prior: number) => void

export function changedExpressions (stock: Stock): ExpressionFamilies {
  const families: ExpressionFamilies = { negations: [], operators: [], constants: [], names: [], arguments: [], marks: [], deletions: [], direct: [] }
  const seen = constantsOf(stock)
  const visit = (node: SyntaxNode, unit: ReturnType<typeof stock.source.unitOf.get>): void => {
    if (node.kind === 'import' || node.kind === 'type' || suspicionOf(stock.source, stock.suspicion, node.start, node.end) === 0) return
    const suspicion = suspicionAt(stock.source, stock.suspicion, node.start)
    if (suspicion > 0) {
      const put: Put = (family, operator, edit, prior) => { if (edit) families[family].push({ operator, edit, score: prior + emphasis * Math.log(suspicion) }) }
      changeNode(stock, node, seen, put)
      directOf(stock.source, node, unit ?? null, (operator, edit) => put('direct', operator, edit, 0))
      removalsOf(stock.source, node, unit ?? null, (operator, edit) => put('deletions', operator, edit, edit ? -0.002 * (edit.end - edit.start) : 0))
    }
    const inner = stock.source.unitOf.get(node) ?? unit
    for (const child of node.children) visit(child, inner)
  }
  visit(stock.source.root, undefined)
  return families
}

function changeNode (stock: Stock, node: SyntaxNode, seen: Constants, put: Put): void {
  const { source } = stock
  toggleNegation(stock, node, put)
  switch (node.kind) {
    case 'compare': case 'binary': case 'logical': otherOperators(stock, node, put); break
    case 'number': otherNumbers(stock, node, seen, put); break
    case 'string': otherStrings(stock, node, seen, put); break
    case 'call': case 'new': addArguments(stock, node, put); addAwait(stock, node, put); break
    case 'name': if (isVariable(node) && node.role !== 'param' && node.role !== 'name') otherNames(stock, node, put); else if (node.role === 'property') otherProperties(stock, node, seen, put); break
    default:
  }
  if (node.role === 'param' && node.kind !== 'spread') addDefault(stock, node, put)
  if ((node.kind === 'member' || node.kind === 'index' || node.kind === 'call') && source.language !== 'python' && source.language !== 'go') addOptional(stock, node, put)
}

// ---- negations and operators ----------------------------------------------------------------------------------------

const boolish = new Set(['name', 'member', 'index', 'call', 'not', 'compare', 'logical', 'paren', 'this', 'await'])

function toggleNegation (stock: Stock, node: SyntaxNode, put: Put): void {
  const { source } = stock
  if (!boolish.has(node.kind) || node.role === 'callee' || node.role === 'object' || node.role === 'param' || node.role === 'name' || node.role === 'key') return
  const decides = node.role === 'test' || node.parent?.kind === 'logical' || node.parent?.kind === 'not' || (node.parent?.kind === 'paren' && node.role === 'operand')
  const gives = node.role === 'value' || node.role === 'right' || node.role === 'argument' || (node.role === 'body' && node.parent?.kind === 'function')
  if (!decides && !gives) return
  const replacement = negated(source, node)
  put('negations', 'negate', splice(source.text, node.start, node.end, replacement), decides ? 1.5 : 0)
  if (node.kind === 'compare' || node.kind === 'logical') {
    const whole = `${wordsOf[source.language].not}(${source.text.slice(node.start, node.end)})`
    put('negations', 'negate', { start: node.start, end: node.end, text: whole }, -0.5)
  }
}

function otherOperators (stock: Stock, node: SyntaxNode, put: Put): void {
  if (node.at === -1) return
  const groups = operatorGroups[stock.source.language]
  const replace = (other: string, prior: number): void => put('operators', 'change operator', { start: node.at, end: node.at + node.word.length, text: other }, prior)
  alternativesOf(node.word, stock.source.language).forEach((other, index) => replace(other, 1 - 0.2 * index))
  if (groups.equality.includes(node.word)) groups.order.forEach((other, index) => replace(other, -0.5 - 0.2 * index))
  if (groups.order.includes(node.word)) groups.equality.slice(0, 2).forEach((other, index) => replace(other, -0.2 - 0.2 * index))
}

// ---- constants ------------------------------------------------------------------------------------------------------

interface Constants { numbers: string[]; strings: string[]; properties: Map<string, string[]> }

function constantsOf (stock: Stock): Constants {
  const numbers = new Map<string, number>()
  const strings = new Map<string, number>()
  const properties = new Map<string, Set<string>>()
  const { text } = stock.source
  const count = (into: Map<string, number>, key: string): void => { into.set(key, (into.get(key) ?? 0) + 1) }
  for (const hint of stock.hints.slice(0, 20)) {
    if (/^-?\d+(\.\d+)?$/.test(hint)) numbers.set(hint, 50)
    else if (/^(['"]).*\1$/.test(hint)) strings.set(hint, 50)
  }
  walk(stock.source.root, node => {
    if (node.kind === 'number') count(numbers, text.slice(node.start, node.end))
    if (node.kind === 'string' && node.role !== 'key' && node.end - node.start < 40 && node.parent?.kind !== 'import') count(strings, text.slice(node.start, node.end))
    if (node.kind === 'member') {
      const object = part(node, 'object')
      const property = part(node, 'property')
      if (!object || !property) return
      const owner = object.kind === 'this' ? 'this' : object.word
      const known = properties.get(owner)
      if (known) known.add(property.word)
      else properties.set(owner, new Set([property.word]))
    }
  })
  const most = (from: Map<string, number>): string[] => [...from].sort((a, b) => b[1] - a[1]).slice(0, 20).map(([key]) => key)
  return { numbers: most(numbers), strings: most(strings), properties: new Map([...properties].map(([owner, names]) => [owner, [...names]])) }
}

function otherNumbers (stock: Stock, node: SyntaxNode, seen: Constants, put: Put): void {
  const literal = stock.source.text.slice(node.start, node.end)
  const value = Number(literal)
  const replace = (other: string, prior: number): void => put('constants', 'change constant', splice(stock.source.text, node.start, node.end, other), prior)
  if (Number.isInteger(value)) {
    replace(String(value + 1), 1)
    if (value > 0) replace(String(value - 1), 1)
  }
  if (value !== 0) replace('0', 0.6)
  if (value !== 1) replace('1', 0.5)
  if (node.parent?.kind !== 'sign' && value > 0) replace(`-${literal}`, 0)
  seen.numbers.slice(0, 12).forEach((other, index) => replace(other, -0.15 * index))
}

function otherStrings (stock: Stock, node: SyntaxNode, seen: Constants, put: Put): void {
  if (node.parent?.kind === 'import' || node.parent?.kind === 'directive') return
  seen.strings.slice(0, 12).forEach((other, index) => put('constants', 'change constant', { start: node.start, end: node.end, text: other }, -0.2 - 0.2 * index))
}

// ---- names ----------------------------------------------------------------------------------------------------------

function otherNames (stock: Stock, node: SyntaxNode, put: Put): void {
  if (node.parent?.kind === 'declarator' && node.role === 'left') return
  nearbyNames(stock.source, stock.names, node.start).filter(name => name !== node.word).slice(0, 6).forEach((name, index) => {
    put('names', 'change name', { start: node.start, end: node.start + node.word.length, text: name }, 0.5 - 0.3 * index)
  })
}

function otherProperties (stock: Stock, node: SyntaxNode, seen: Constants, put: Put): void {
  const object = node.parent ? part(node.parent, 'object') : null
  const owner = object?.kind === 'this' ? 'this' : object?.word ?? ''
  const others = (seen.properties.get(owner) ?? []).filter(name => name !== node.word)
  others.slice(0, 8).forEach((name, index) => put('names', 'change property', { start: node.start, end: node.end, text: name }, -0.25 * index))
}

// ---- calls, marks and defaults --------------------------------------------------------------------------------------

function addArguments (stock: Stock, node: SyntaxNode, put: Put): void {
  const { source } = stock
  const given = parts(node, 'argument')
  const last = given[given.length - 1]
  const open = last ? -1 : source.text.indexOf('(', part(node, 'callee')?.end ?? node.start)
  const at = last ? last.end : open + 1
  if (at <= 0 || at > node.end) return
  const calls = argumentsSeen(stock, node, given.length)
  const near = nearbyNames(source, stock.names, node.start)
  const words = wordsOf[source.language]
  const wanted = [...calls, ...near.slice(0, 6), words.true, words.false, '0', '1', ...(source.language === 'python' || source.language === 'go' ? [] : ['{}'])]
  new Set(wanted).forEach(text => put('arguments', 'add argument', { start: at, end: at, text: last ? `, ${text}` : text }, 1 - 0.12 * wanted.indexOf(text) + (calls.includes(text) ? 0.7 : 0)))
}

/** What other calls of the same function give in this position, and the parameters of it that are also names here. */
function argumentsSeen (stock: Stock, node: SyntaxNode, position: number): string[] {
  const { text } = stock.source
  const name = calledName(node)
  if (name === '') return []
  const found = new Map<string, number>()
  walk(stock.source.root, other => {
    if (other === node || (other.kind !== 'call' && other.kind !== 'new') || calledName(other) !== name) return
    const argument = parts(other, 'argument')[position]
    if (argument && argument.end - argument.start < 40) found.set(text.slice(argument.start, argument.end), (found.get(text.slice(argument.start, argument.end)) ?? 0) + 1)
  })
  for (const unit of stock.source.units) {
    const param = unit.name === name ? unit.params[position] : undefined
    if (param) found.set(param, (found.get(param) ?? 0) + 2)
  }
  return [...found].sort((a, b) => b[1] - a[1]).slice(0, 6).map(([key]) => key)
}

function calledName (node: SyntaxNode): string {
  const callee = part(node, 'callee')
  return callee ? (part(callee, 'property') ?? callee).word : ''
}

function addAwait (stock: Stock, node: SyntaxNode, put: Put): void {
  const around = enclosing(node, 'function')
  if (!around || !(around.flags & flag.async) || node.parent?.kind === 'await') return
  const loose = node.role === 'object' || node.role === 'callee'
  const text = stock.source.text.slice(node.start, node.end)
  put('marks', 'add await', { start: node.start, end: node.end, text: loose ? `(await ${text})` : `await ${text}` }, 0.5)
}

function addOptional (stock: Stock, node: SyntaxNode, put: Put): void {
  const object = node.children[0]
  if (!object || node.flags & flag.optional || object.kind === 'this') return
  if (node.role === 'left' && node.parent?.kind !== 'logical' && node.parent?.kind !== 'compare' && node.parent?.kind !== 'binary') return
  if (node.kind === 'member') {
    const dot = stock.source.text.indexOf('.', object.end)
    if (dot !== -1 && dot < node.end) put('marks', 'add optional chaining', { start: dot, end: dot + 1, text: '?.' }, 0)
    return
  }
  put('marks', 'add optional chaining', { start: object.end, end: object.end, text: '?.' }, node.kind === 'call' ? -0.5 : -0.2)
}

const plainDefaults: Record<string, string[]> = { python: ['None', '0', "''", 'False', 'True', '()', '1'], javascript: ['{}', "''", '0', 'false', 'null', '[]', 'true', '1', 'undefined'] }

function addDefault (stock: Stock, node: SyntaxNode, put: Put): void {
  const { source } = stock
  if (node.kind === 'default' || source.language === 'go') return
  const name = bare(node).word
  const place = placeAt(stock, node.start, name)
  const literals = (plainDefaults[source.language] ?? plainDefaults['javascript']!).map((text, index) => ({ text, score: 0.4 - 0.15 * index }))
  const found: { text: string; score: number }[] = [...plantings(stock, stock.shelves.defaults, place, 20), ...literals]
  found.sort((a, b) => b.score - a.score).slice(0, 20).forEach(({ text }, index) => {
    const typed = source.language === 'python' && source.text.slice(node.start, node.end).includes(':')
    put('marks', 'add default', { start: node.end, end: node.end, text: typed || source.language !== 'python' ? ` = ${text}` : `=${text}` }, 0.3 - 0.15 * index)
  })
}
