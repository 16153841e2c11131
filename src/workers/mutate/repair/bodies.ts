// Bodies for functions that have none: that of a function with the same or a similar name or parameters elsewhere, a plain
// return, or delegation to a function beside it.

import { indentAt, part, statementsOf } from '../syntax.ts'
import { moved } from '../edits.ts'
import type { SourceUnit } from '../source.ts'
import type { Edit, Language } from '../types.ts'
import type { Candidate } from './race.ts'
import { emphasis, indentUnit, suspicionOf } from './sites.ts'
import type { Stock } from './stock.ts'

const donorsMax = 120
/** Statements up to which a body counts as nearly empty. */
const nearlyEmptyStatements = 1

export function rebuiltBodies (stock: Stock): Candidate[] {
  return stock.source.units.flatMap(unit => {
    const suspicion = suspicionOf(stock.source, stock.suspicion, unit.start, unit.end)
    if (suspicion === 0 || !isHollow(unit)) return []
    return [...borrowed(stock, unit), ...plain(stock, unit), ...delegated(stock, unit)].map(candidate => ({ ...candidate, score: candidate.score + emphasis * Math.log(suspicion) }))
  })
}

function isHollow (unit: SourceUnit): boolean {
  if (!unit.body || unit.body.kind !== 'block') return false
  const statements = statementsOf(unit.body).filter(statement => statement.kind !== 'directive' && statement.kind !== 'pass')
  return statements.length === 0 || (statements.length <= nearlyEmptyStatements && statements[0]!.kind === 'return')
}

/** Writes statements in place of what a body holds. */
function rewritten (stock: Stock, unit: SourceUnit, text: string, indent: string): Edit | null {
  const { source } = stock
  const body = unit.body!
  if (source.language === 'python') {
    const held = statementsOf(body).filter(statement => statement.kind !== 'directive')
    const first = held[0]
    const docstring = statementsOf(body)[0]
    const target = indentAt(source.text, (first ?? docstring)?.start ?? body.start)
    const placed = moved(text.replace(/\r?\n/g, source.newline), indent, target)
    if (placed === null) return null
    if (first) return { start: first.start, end: held[held.length - 1]!.end, text: placed }
    return docstring ? { start: docstring.end, end: docstring.end, text: source.newline + target + placed } : null
  }
  const outer = indentAt(source.text, body.start)
  const inner = outer + indentUnit(source.text)
  const placed = moved(text.replace(/\r?\n/g, source.newline), indent, inner)
  return placed === null ? null : { start: body.start + 1, end: body.end - 1, text: source.newline + inner + placed + source.newline + outer }
}

function borrowed (stock: Stock, unit: SourceUnit): Candidate[] {
  const donors = stock.workshops.flatMap(({ source, own }) => source.units.filter(other => other.body?.kind === 'block' && other.node !== unit.node && !isHollow(other)).map(donor => ({
    source, donor, score: likeness(unit, donor) + (own ? 0.3 : 0)
  })))
  donors.sort((a, b) => b.score - a.score)
  return donors.slice(0, donorsMax).flatMap(({ source, donor, score }) => {
    const statements = statementsOf(donor.body!).filter(statement => statement.kind !== 'directive')
    const first = statements[0]!
    const renamed = renameParams(source.text.slice(first.start, statements[statements.length - 1]!.end), donor, unit)
    const edit = rewritten(stock, unit, renamed, indentAt(source.text, first.start))
    return edit ? [{ operator: 'borrow body', edit, score }] : []
  })
}

function likeness (unit: SourceUnit, donor: SourceUnit): number {
  const words = (name: string): string[] => name.replace(/([a-z])([A-Z])/g, '$1 $2').toLowerCase().split(/[^a-z0-9]+/).filter(word => word !== '')
  const mine = new Set(words(unit.name))
  const common = words(donor.name).filter(word => mine.has(word)).length / Math.max(1, mine.size)
  const params = unit.params.filter(param => donor.params.includes(param)).length / Math.max(1, unit.params.length, donor.params.length)
  const sameArity = unit.params.length === donor.params.length ? 0.3 : 0
  const shorter = -0.0006 * (donor.bodyEnd - donor.bodyStart)
  return (unit.name === donor.name ? 3 : 0) + common + params + sameArity + (unit.kind === donor.kind ? 0.2 : 0) + (unit.owner !== null && unit.owner === donor.owner ? 0.3 : 0) + shorter
}

/** The donor's parameters, by position, become the unit's own. */
function renameParams (text: string, donor: SourceUnit, unit: SourceUnit): string {
  const renames = new Map(donor.params.flatMap((param, index) => unit.params[index] && unit.params[index] !== param ? [[param, unit.params[index]!] as const] : []))
  if (renames.size === 0) return text
  return text.replace(/(?<![\w$.])[A-Za-z_$][\w$]*/g, word => renames.get(word) ?? word)
}

const plainReturns: Record<Language, string[]> = {
  javascript: ['this', 'null', 'true', 'false', '[]', '{}', "''", '0', 'undefined'], typescript: ['this', 'null', 'true', 'false', '[]', '{}', "''", '0', 'undefined'], python: ['self', 'None', 'True', 'False', '[]', '{}', "''", '0'], go: ['nil', 'true', 'false', '""', '0']
}

function plain (stock: Stock, unit: SourceUnit): Candidate[] {
  const end = stock.source.text.includes(';\n') && stock.source.language !== 'python' && stock.source.language !== 'go' ? ';' : ''
  const literals = stock.hints.filter(hint => /^(-?\d+(\.\d+)?|(['"]).*\3)$/.test(hint)).slice(0, 5)
  const own = unit.owner === null ? [] : fields(stock, unit)
  const values = [...unit.params, ...own, ...plainReturns[stock.source.language], ...literals]
  return values.flatMap((value, index) => {
    const edit = rewritten(stock, unit, `return ${value}${end}`, '')
    return edit ? [{ operator: 'plain body', edit, score: 1.5 - 0.1 * index }] : []
  })
}

/** `this.size` for a method named size, and what the other methods of its class read. */
function fields (stock: Stock, unit: SourceUnit): string[] {
  const self = stock.source.language === 'python' ? 'self' : 'this'
  if (stock.source.language === 'go') return []
  const near = new Set([`${self}._${unit.name}`, `${self}.${unit.name}`])
  const found = stock.source.text.matchAll(new RegExp(`\\b${self}\\.[#\\w$]+`, 'g'))
  for (const [match] of found) if (near.size < 8 && match !== `${self}.${unit.name}`) near.add(match)
  near.delete(`${self}.${unit.name}`)
  return [...near]
}

function delegated (stock: Stock, unit: SourceUnit): Candidate[] {
  const { language, text } = stock.source
  const end = text.includes(';\n') && language !== 'python' && language !== 'go' ? ';' : ''
  const self = language === 'python' ? 'self.' : 'this.'
  const siblings = stock.source.units.filter(other => other !== unit && other.kind === unit.kind && other.owner === unit.owner && other.params.length === unit.params.length && part(other.node, 'body'))
  return siblings.slice(0, 20).flatMap((sibling, index) => {
    const params = language === 'python' && unit.kind === 'method' ? unit.params.slice(1) : unit.params
    const call = `return ${unit.kind === 'method' && language !== 'go' ? self : ''}${sibling.name}(${params.join(', ')})${end}`
    const edit = rewritten(stock, unit, call, '')
    return edit ? [{ operator: 'delegate', edit, score: 0.5 - 0.1 * index + 0.5 * likeness(unit, sibling) }] : []
  })
}
