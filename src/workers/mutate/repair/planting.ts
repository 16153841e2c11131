// Scores for planting a template at a place: idiom (how often it is seen), company (what stands beside it there and here),
// nearness of the names it would use, and whether the failing tests name what it says.

import type { Stock } from './stock.ts'
import { nearbyNames, nearbyPaths, rootOf } from './scope.ts'
import { fillings, isPlantable, textOf } from './templates.ts'
import type { Filling, Shelf, Template } from './templates.ts'

export interface Place {
  offset: number
  /** Names that can be seen, nearest first. */
  near: readonly string[]
  paths: readonly string[]
  /** Keys of what stands before and after, or the operand beside and the operator. */
  previous: string
  next: string
}

export interface Planting { text: string; indent: string; score: number; template: Template }

/** Templates of a shelf that are looked at closely for one place. */
const templatesMax = 120

/** What is declared and used by nobody waits to be used. */
function orphanScore (stock: Stock, { template, names }: Filling): number {
  const { orphans } = stock.names
  return (names.some(name => orphans.has(rootOf(name))) ? 0.9 : 0) + (template.fixed.some(name => orphans.has(name)) ? 1.2 : 0)
}

export function placeAt (stock: Stock, offset: number, previous = '', next = ''): Place {
  return { offset, near: nearbyNames(stock.source, stock.names, offset), paths: nearbyPaths(stock.source, stock.names, offset), previous, next }
}

/** The best plantings for a place, best first. */
export function plantings (stock: Stock, shelf: Shelf, place: Place, plantingsMax: number): Planting[] {
  const scored: { template: Template; score: number }[] = []
  for (const template of shelf.values()) {
    if (isPlantable(template, stock.names, place.offset)) scored.push({ template, score: templateScore(template, place) })
  }
  scored.sort((a, b) => b.score - a.score)
  const filled: Filling[] = []
  for (const { template, score } of scored.slice(0, templatesMax)) {
    const bonus = score + hintScore(stock.hints, template.key)
    for (const filling of fillings(template, stock.names, template.coarse ? place.paths : place.near, place.offset)) {
      filled.push({ ...filling, score: bonus + filling.score + orphanScore(stock, filling) })
    }
  }
  filled.sort((a, b) => b.score - a.score)
  const planted = filled.slice(0, plantingsMax).map(filling => ({ text: textOf(filling), indent: filling.template.indent, score: filling.score, template: filling.template }))
  return [...planted, ...planted.slice(0, hintedMax).flatMap(planting => hinted(stock, planting))]
}

const hintedMax = 15
const hintsPerPlanting = 3

/** The same with a literal that the failing tests name in place of its first string or number. */
function hinted (stock: Stock, planting: Planting): Planting[] {
  const literal = /(['"])(?:(?!\1)[^\\\n])*\1|\b\d+\b/.exec(planting.text)
  if (!literal) return []
  const [found] = literal
  const numeric = /^\d/.test(found)
  const usable = stock.hints.filter(hint => numeric ? /^\d+$/.test(hint) : !/^[\d.-]+$/.test(hint) && !/[\\\n]/.test(hint))
  return usable.slice(0, hintsPerPlanting).flatMap((hint, index) => {
    const quote = numeric ? '' : found[0]!
    const text = /^(['"]).*\1$/.test(hint) ? hint.slice(1, -1) : hint
    if (quote !== '' && text.includes(quote)) return []
    const replaced = planting.text.slice(0, literal.index) + quote + text + quote + planting.text.slice(literal.index + found.length)
    return [{ ...planting, text: replaced, score: planting.score - 0.5 - 0.3 * index }]
  })
}

function templateScore (template: Template, place: Place): number {
  let company = 0
  for (const instance of template.instances) {
    const before = instance.previous !== '' && instance.previous === place.previous ? 1.2 : 0
    const after = instance.next !== '' && instance.next === place.next ? 1.2 : 0
    const distance = instance.own ? Math.abs(instance.node.start - place.offset) : Infinity
    company = Math.max(company, before + after + (distance < 1500 ? 0.6 : distance < 6000 ? 0.3 : 0))
  }
  return Math.log(1 + 2 * template.own + template.other) + company - 0.006 * (template.node.end - template.node.start)
}

function hintScore (hints: readonly string[], text: string): number {
  for (let index = 0; index < hints.length && index < 12; index++) {
    const hint = hints[index]!
    if (hint.length > 2 && text.includes(hint)) return 0.8 - 0.04 * index
  }
  return 0
}
