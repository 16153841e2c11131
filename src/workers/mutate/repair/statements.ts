// Statements planted between statements: guards, assignments, calls, jumps and whole blocks, from the same file first;
// `else` branches and cases where they are missing; conditions and `try` around what is there.

import { indentAt, part, parts, statementsOf, walk } from '../syntax.ts'
import type { SyntaxNode } from '../syntax.ts'
import { moved, opensLine } from '../edits.ts'
import { statementIdioms } from './idioms.ts'
import { loopAround } from './stock.ts'
import type { Stock } from './stock.ts'
import { placeAt, plantings } from './planting.ts'
import type { Place } from './planting.ts'
import type { Candidate } from './race.ts'
import { unitNodeAt } from './scope.ts'
import { emphasis, findGaps, indentUnit, plant, suspicionAt } from './sites.ts'
import type { Gap } from './sites.ts'
import type { Template } from './templates.ts'

const gapsMax = 30
/** Of every family in every gap. */
const plantingsPerGap = 100

export interface StatementFamilies { guards: Candidate[]; ifs: Candidate[]; simple: Candidate[]; jumps: Candidate[]; blocks: Candidate[] }

export function plantedStatements (stock: Stock): StatementFamilies {
  const families: StatementFamilies = { guards: [], ifs: [], simple: [], jumps: [], blocks: [] }
  const made = statementIdioms(stock)
  for (const gap of findGaps(stock.source, stock.suspicion, gapsMax)) {
    const place = placeOf(stock, gap)
    const around = new Set(statementsOf(gap.block).map(statement => stock.source.text.slice(statement.start, statement.end)))
    const shelves = { ...stock.shelves, ...made }
    for (const family of ['guards', 'ifs', 'simple', 'jumps', 'blocks'] as const) {
      for (const { text, score, indent, template } of plantings(stock, shelves[family], place, plantingsPerGap)) {
        if (!mayStandAt(gap, template.node.kind, stock)) continue
        const edit = plant(stock.source, gap, text, indent)
        const twice = around.has(text) ? 1.5 : 0
        if (edit) families[family].push({ operator: `plant ${nameOf(template)}`, edit, score: score + emphasis * Math.log(gap.suspicion) - twice })
      }
    }
  }
  return families
}

const nameOf = (template: Template): string => template.node.kind === 'statement' ? 'statement' : template.node.kind

function placeOf (stock: Stock, gap: Gap): Place {
  const previous = gap.previous ? stock.keys.get(gap.previous) ?? '' : '^'
  const next = gap.next ? stock.keys.get(gap.next) ?? '' : '$'
  return placeAt(stock, gap.offset, previous, next)
}

/** A jump ends its block; `break` and `continue` need a loop. */
function mayStandAt (gap: Gap, kind: SyntaxNode['kind'], stock: Stock): boolean {
  if (kind === 'return' && !unitNodeAt(stock.source, gap.offset)) return false
  if (kind === 'continue' && !loopAround(gap.block)) return false
  if (kind === 'break' && !loopAround(gap.block) && gap.block.kind !== 'case') return false
  return !((kind === 'return' || kind === 'throw' || kind === 'break' || kind === 'continue') && gap.next !== null)
}

// ---- branches -------------------------------------------------------------------------------------------------------

export function plantedBranches (stock: Stock): Candidate[] {
  const candidates: Candidate[] = []
  walk(stock.source.root, node => {
    if (node.kind === 'if' && !part(node, 'else')) candidates.push(...plantedElse(stock, node))
    if (node.kind === 'switch') candidates.push(...plantedCases(stock, node))
  })
  return candidates
}

function plantedElse (stock: Stock, node: SyntaxNode): Candidate[] {
  const { source } = stock
  const then = part(node, 'then')
  const suspicion = Math.max(suspicionAt(source, stock.suspicion, node.end - 1), suspicionAt(source, stock.suspicion, node.start) * 0.6)
  if (!then || suspicion === 0) return []
  const place = placeAt(stock, node.end)
  return plantings(stock, stock.shelves.elses, place, 60).flatMap(({ text, score, indent }) => {
    const body = moved(text.replace(/\r?\n/g, source.newline), indent, indentAt(source.text, node.start))
    if (body === null) return []
    const separator = source.language === 'python' ? source.newline + indentAt(source.text, node.start) : ' '
    const word = source.language === 'python' ? '' : 'else '
    return [{ operator: 'plant else', edit: { start: then.end, end: then.end, text: separator + word + body }, score: score + emphasis * Math.log(suspicion) }]
  })
}

function plantedCases (stock: Stock, node: SyntaxNode): Candidate[] {
  const { source } = stock
  const cases = parts(node, 'case')
  return cases.flatMap((after, index) => {
    const suspicion = Math.max(suspicionAt(source, stock.suspicion, after.start), index > 0 ? suspicionAt(source, stock.suspicion, cases[index - 1]!.end - 1) : 0)
    if (suspicion === 0 || !opensLine(source.text, after.start)) return []
    const indent = indentAt(source.text, after.start)
    const place = placeAt(stock, after.start)
    return plantings(stock, stock.shelves.cases, place, 30).flatMap(({ text, score, indent: from }) => {
      const body = moved(text.replace(/\r?\n/g, source.newline), from, indent)
      return body === null ? [] : [{ operator: 'plant case', edit: { start: after.start, end: after.start, text: body + source.newline + indent }, score: score + emphasis * Math.log(suspicion) }]
    })
  })
}

// ---- wraps ----------------------------------------------------------------------------------------------------------

const wrappedStatementsMax = 3
const conditionsPerWrap = 25

/** A condition around one to three statements. */
export function wrappedStatements (stock: Stock): Candidate[] {
  const { source } = stock
  const candidates: Candidate[] = []
  walk(source.root, block => {
    if (block.kind !== 'block' && block.kind !== 'case') return
    const statements = statementsOf(block)
    statements.forEach((first, index) => {
      const suspicion = suspicionAt(source, stock.suspicion, first.start)
      if (suspicion === 0 || !opensLine(source.text, first.start)) return
      for (let count = 1; count <= wrappedStatementsMax && index + count <= statements.length; count++) {
        const wrapped = statements.slice(index, index + count)
        if (wrapped.some(statement => statement.kind === 'declare' || statement.kind === 'directive' || statement.kind === 'function')) break
        candidates.push(...conditionsAround(stock, wrapped, suspicion, count))
      }
    })
  })
  return candidates
}

function conditionsAround (stock: Stock, wrapped: SyntaxNode[], suspicion: number, count: number): Candidate[] {
  const { source } = stock
  const first = wrapped[0]!
  const last = wrapped[wrapped.length - 1]!
  const indent = indentAt(source.text, first.start)
  const inner = indent + indentUnit(source.text)
  const body = moved(source.text.slice(first.start, last.end), indent, inner)
  if (body === null) return []
  const place = placeAt(stock, first.start)
  const penalty = 0.7 * (count - 1)
  return plantings(stock, stock.shelves.conditions, place, conditionsPerWrap).map(({ text, score }) => ({
    operator: 'wrap in condition',
    edit: { start: first.start, end: last.end, text: conditional(stock, text, body, indent, inner) },
    score: score + emphasis * Math.log(suspicion) - penalty
  }))
}

function conditional (stock: Stock, test: string, body: string, indent: string, inner: string): string {
  const { newline, language } = stock.source
  if (language === 'python') return `if ${test}:${newline}${inner}${body}`
  if (language === 'go') return `if ${test} {${newline}${inner}${body}${newline}${indent}}`
  return `if (${test}) {${newline}${inner}${body}${newline}${indent}}`
}

/** `try` with a handler seen elsewhere around the statements under suspicion. */
export function wrappedTries (stock: Stock): Candidate[] {
  const { source } = stock
  if (source.language === 'go' || stock.shelves.catches.size === 0) return []
  const candidates: Candidate[] = []
  walk(source.root, block => {
    if (block.kind !== 'block') return
    const statements = statementsOf(block)
    statements.forEach((first, index) => {
      const suspicion = suspicionAt(source, stock.suspicion, first.start)
      if (suspicion === 0 || !opensLine(source.text, first.start)) return
      for (let count = 1; count <= 3 && index + count <= statements.length; count++) {
        const last = statements[index + count - 1]!
        const indent = indentAt(source.text, first.start)
        const inner = indent + indentUnit(source.text)
        const body = moved(source.text.slice(first.start, last.end), indent, inner)
        if (body === null) break
        const place = placeAt(stock, first.start)
        for (const { text, score, indent: from } of plantings(stock, stock.shelves.catches, place, 6)) {
          const handler = moved(text.replace(/\r?\n/g, source.newline), from, indent)
          if (handler === null) continue
          const { newline } = source
          const wrapped = source.language === 'python' ? `try:${newline}${inner}${body}${newline}${indent}${handler}` : `try {${newline}${inner}${body}${newline}${indent}} ${handler}`
          candidates.push({ operator: 'wrap in try', edit: { start: first.start, end: last.end, text: wrapped }, score: score + emphasis * Math.log(suspicion) - count })
        }
      }
    })
  })
  return candidates
}

