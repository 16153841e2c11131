// Scores for planting a template at a place: idiom (how often it is seen), company (what stands beside it there and here),
// nearness of the names it would use, and whether the failing tests name what it says.

import type { Stock } from './stock.ts'
import { fillings, isPlantable, textOf } from './templates.ts'
import type { Filling, Shelf, Template } from './templates.ts'

export interface Place {
  offset: number
  /** Names that can be seen, nearest first. */
  near: readonly string[]
  /** Keys of what stands before and after, or the operand beside and the operator. */
  previous: string
  next: string
}

export interface Planting { text: string; indent: string; score: number; template: Template }

/** Templates of a shelf that are looked at closely for one place. */
const templatesMax = 120

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
    for (const filling of fillings(template, stock.names, place.near, place.offset)) filled.push({ ...filling, score: bonus + filling.score })
  }
  filled.sort((a, b) => b.score - a.score)
  return filled.slice(0, plantingsMax).map(filling => ({ text: textOf(filling), indent: filling.template.indent, score: filling.score, template: filling.template }))
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
