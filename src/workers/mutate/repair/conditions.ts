// Operands added to expressions under suspicion: a conjunct or disjunct for a condition, a default for a value, a summand
// for a chain. They are taken from conditions elsewhere, with the names that are at hand here, and from literals.

import { bare, part, walk } from '../syntax.ts'
import type { SyntaxNode } from '../syntax.ts'
import { wordsOf } from '../operators.ts'
import type { Source } from '../source.ts'
import type { Language } from '../types.ts'
import { conditionIdioms } from './idioms.ts'
import type { Stock } from './stock.ts'
import { placeAt, plantings } from './planting.ts'
import type { Candidate } from './race.ts'
import { emphasis, suspicionAt } from './sites.ts'
import { templateOf } from './templates.ts'
import type { Shelf, Template } from './templates.ts'

const sitesMax = 40
const plantingsPerSite = 60

interface Site { node: SyntaxNode; suspicion: number; condition: boolean }

/** Expressions whose truth or presence decides something. */
function findSites (stock: Stock): Site[] {
  const sites: Site[] = []
  walk(stock.source.root, node => {
    const condition = isCondition(node)
    if (!condition && !isValue(node)) return
    if (node.kind === 'paren') return
    const suspicion = suspicionAt(stock.source, stock.suspicion, node.start)
    if (suspicion > 0) sites.push({ node, suspicion, condition })
  })
  return sites.sort((a, b) => Number(b.condition) - Number(a.condition) || b.suspicion - a.suspicion).slice(0, sitesMax)
}

function isCondition (node: SyntaxNode): boolean {
  const { role, parent } = node
  if (!parent) return false
  if (role === 'test') return parent.kind === 'if' || parent.kind === 'loop' || parent.kind === 'ternary'
  if (role === 'left' || role === 'right') return parent.kind === 'logical'
  return (role === 'operand' && parent.kind === 'paren') || (role === 'operand' && parent.kind === 'not')
}

function isValue (node: SyntaxNode): boolean {
  const { role, parent } = node
  if (!parent || node.kind === 'function' || node.kind === 'object' || node.kind === 'array' || node.kind === 'string' || node.kind === 'spread' || node.kind === 'keyword') return false
  if (role === 'value') return parent.kind === 'return' || parent.kind === 'pair'
  if (role === 'right') return parent.kind === 'assign' || parent.kind === 'declarator' || (parent.kind === 'binary' && node.kind !== 'number')
  if (role === 'body') return parent.kind === 'function' && node.kind !== 'block'
  return role === 'argument' || role === 'then' || role === 'else' ? parent.kind !== 'if' && node.kind !== 'number' : false
}

export function addedOperands (stock: Stock): Candidate[] {
  const shelf = conditionIdioms(stock)
  return findSites(stock).flatMap(site => [...addedConditions(stock, shelf, site), ...addedDefaults(stock, site)])
}

function addedConditions (stock: Stock, shelf: Shelf, { node, suspicion, condition }: Site): Candidate[] {
  const { source } = stock
  const words = wordsOf[source.language]
  const key = templateOf({ source, names: stock.names, own: true }, bare(node), null).key
  const place = placeAt(stock, node.start, key)
  const candidates: Candidate[] = []
  const own = source.text.slice(node.start, node.end)
  const found: { text: string; score: number; template?: Template | undefined; probe?: boolean }[] = [...plantings(stock, shelf, place, plantingsPerSite), ...probes(source, node)]
  for (const { text, score, template, probe } of found) {
    if (text === own || text.includes('\n')) continue
    for (const operator of [words.and, words.or]) {
      for (const side of ['R', 'L'] as const) {
        const seen = template?.instances.some(instance => instance.next === operator + side) ? 0.5 : 0
        const usual = (operator === words.and ? 0.2 : 0) + (side === 'R' ? 0.2 : 0) - (condition ? 0 : 0.9) + (probe && operator === words.and && side === 'L' ? 1.5 : 0)
        candidates.push({ operator: 'add operand', edit: joined(source, node, operator, text, side), score: score + seen + usual + emphasis * Math.log(suspicion) })
      }
    }
  }
  return candidates
}

/** What a member chain presupposes: `a` and `a.b` for `a.b.c`. */
function probes (source: Source, node: SyntaxNode): { text: string; score: number; template?: undefined; probe: true }[] {
  const found: { text: string; score: number; probe: true }[] = []
  walk(node, inner => {
    const object = inner.kind === 'member' || inner.kind === 'index' ? part(inner, 'object') : null
    if (object && object.kind !== 'this' && object.end - object.start < 60) found.push({ text: source.text.slice(object.start, object.end), score: 1.2, probe: true })
  })
  return found
}

const literals: Record<Language, string[]> = {
  javascript: ['{}', "''", '[]', 'null', '0', 'undefined', 'false', 'true', '1'], typescript: ['{}', "''", '[]', 'null', '0', 'undefined', 'false', 'true', '1'], python: ["''", '{}', '[]', 'None', '0', '()', 'False', 'True'], go: []
}

function addedDefaults (stock: Stock, { node, suspicion, condition }: Site): Candidate[] {
  const { source } = stock
  if (condition || source.language === 'go') return []
  const operators = source.language === 'python' ? ['or'] : ['||', '??']
  return literals[source.language].flatMap((literal, index) => operators.map((operator, rank) => ({
    operator: 'add default', edit: joined(source, node, operator, literal, 'R'), score: 0.8 - 0.2 * index - 0.5 * rank + emphasis * Math.log(suspicion)
  })))
}

export function joined (source: Source, node: SyntaxNode, operator: string, text: string, side: 'L' | 'R'): Candidate['edit'] {
  const own = source.text.slice(node.start, node.end)
  const kept = needsParentheses(node, operator) ? `(${own})` : own
  const added = /(\|\||\?\?| or | and |&&| \? | if |=>)/.test(text) && !/^\(.*\)$/s.test(text) && mixes(text, operator) ? `(${text})` : text
  return { start: node.start, end: node.end, text: side === 'R' ? `${kept} ${operator} ${added}` : `${added} ${operator} ${kept}` }
}

const mixes = (text: string, operator: string): boolean => operator === '&&' ? /\|\||\?\?|\?|=>/.test(text) : operator === 'and' ? / or | if /.test(text) : operator === '??' ? /&&|\|\||\?/.test(text) : /\?\?| \? | if |=>/.test(text)

function needsParentheses (node: SyntaxNode, operator: string): boolean {
  if (node.kind === 'logical') return node.word !== operator && (operator === '&&' || operator === 'and' || operator === '??' || node.word === '??')
  return node.kind === 'ternary' || node.kind === 'assign' || node.kind === 'augment' || node.kind === 'function' || node.kind === 'opaque'
}

/** Summands for a chain of `+`. */
export function addedSummands (stock: Stock): Candidate[] {
  const candidates: Candidate[] = []
  const { source } = stock
  walk(source.root, node => {
    const inChain = node.kind === 'string' || node.kind === 'template' || node.kind === 'name' || node.kind === 'member' || node.kind === 'call' || node.kind === 'binary' || node.kind === 'index' || node.kind === 'number'
    if (!inChain || !(isValue(node) || node.role === 'left' || node.role === 'right' || node.role === 'argument' || node.role === 'value' || node.role === 'property')) return
    if (node.parent?.kind === 'assign' && node.role === 'left') return
    if (node.role === 'property' && node.parent?.kind !== 'index') return
    const suspicion = suspicionAt(source, stock.suspicion, node.start)
    if (suspicion === 0) return
    const key = templateOf({ source, names: stock.names, own: true }, bare(node), null).key
    const place = placeAt(stock, node.start, key)
    const { near } = place
    const own = source.text.slice(node.start, node.end)
    const found: { text: string; score: number }[] = plantings(stock, stock.shelves.joined, place, 25)
    found.push({ text: '1', score: 1 }, ...near.slice(0, 5).map((text, index) => ({ text, score: 0.6 - 0.2 * index })))
    for (const { text, score } of found.sort((a, b) => b.score - a.score).slice(0, 40)) {
      if (text.includes('\n')) continue
      candidates.push({ operator: 'add summand', edit: { start: node.end, end: node.end, text: ` + ${text}` }, score: score + emphasis * Math.log(suspicion) })
      candidates.push({ operator: 'add summand', edit: { start: node.start, end: node.end, text: `${text} + ${own}` }, score: score - 0.2 + emphasis * Math.log(suspicion) })
    }
  })
  return candidates
}
