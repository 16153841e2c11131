// Code found elsewhere, ready to be planted: a statement or condition whose local names are slots. The same template seen
// many times is idiom; a filled template takes its names from the place where it is planted. A slot holds a name, or, in
// the coarser form of a short template, a whole access path (`state.done = true` is `PATH = true`).

import type { Source } from '../source.ts'
import { isLocal, isVariable, isVisible, pathAt, rootOf } from './scope.ts'
import type { Names } from './scope.ts'
import { flag, indentAt, walk } from '../syntax.ts'
import type { SyntaxNode } from '../syntax.ts'

export interface Instance {
  /** Slot to the name it had. */
  names: string[]
  node: SyntaxNode
  /** Whether it comes from the file that is repaired. */
  own: boolean
  previous: string
  next: string
}

export interface Template {
  key: string
  node: SyntaxNode
  /** Text around the slots; one more than `holes`. */
  pieces: string[]
  /** Slot that stands after each piece. */
  holes: number[]
  slots: number
  /** Names that must be visible where it is planted; of another file they may not be declared there. */
  fixed: string[]
  indent: string
  /** Slots hold access paths. */
  coarse: boolean
  instances: Instance[]
  own: number
  other: number
}

/** Names chosen for the slots of a template. */
export interface Filling { template: Template; names: readonly string[]; score: number }

export const donorCharactersMax = 600
const instancesMax = 12

export interface Workshop { source: Source; names: Names; own: boolean }

type Made = Omit<Template, 'instances' | 'own' | 'other'> & { slotNames: string[] }

export function templateOf (workshop: Workshop, node: SyntaxNode, unit: SyntaxNode | null): Made {
  const { source, names } = workshop
  const slotNames: string[] = []
  const fixed = new Set<string>()
  const marks: { start: number; end: number; slot: number }[] = []
  const properties: SyntaxNode[] = []
  walk(node, inner => {
    if (inner.kind !== 'name' || inner.word === '') return
    if (!isVariable(inner)) { properties.push(inner); return }
    if (boundInside(names, inner, node)) return
    if (isLocal(names, inner.word, node.start, unit)) {
      let slot = slotNames.indexOf(inner.word)
      if (slot === -1) slot = slotNames.push(inner.word) - 1
      marks.push({ start: inner.start, end: inner.start + inner.word.length, slot })
    } else if (names.declared.has(inner.word)) fixed.add(inner.word)
  })
  // `this.size = size`: the property follows its variable.
  for (const property of properties) {
    const slot = slotNames.indexOf(property.word)
    if (slot !== -1 && (property.parent!.flags & flag.special) === 0) marks.push({ start: property.start, end: property.start + property.word.length, slot })
  }
  marks.sort((a, b) => a.start - b.start)
  const { pieces, holes } = cut(source.text, node, marks)
  const key = pieces.map((piece, index) => piece.replace(/\s+/g, ' ') + (holes[index] === undefined ? '' : `\0${holes[index]}`)).join('')
  return { key, node, pieces, holes, slots: slotNames.length, fixed: [...fixed], indent: indentAt(source.text, node.start), coarse: false, slotNames }
}

const coarseCharactersMax = 120
const coarseSlotsMax = 2

/** The template with access paths for slots; null when it would say too little or nothing else. */
function coarseTemplateOf (workshop: Workshop, node: SyntaxNode, unit: SyntaxNode | null): Made | null {
  const { source, names } = workshop
  if (node.end - node.start > coarseCharactersMax) return null
  const slotNames: string[] = []
  const fixed = new Set<string>()
  const marks: { start: number; end: number; slot: number }[] = []
  let deep = false
  const visit = (inner: SyntaxNode): void => {
    const path = pathAt(source, inner)
    const root = path === null ? '' : rootOf(path)
    if (path !== null && (root === 'this' || isLocal(names, root, node.start, unit)) && !(inner.kind === 'name' && boundInside(names, inner, node))) {
      let slot = slotNames.indexOf(path)
      if (slot === -1) slot = slotNames.push(path) - 1
      marks.push({ start: inner.start, end: inner.start + path.length, slot })
      deep ||= path.includes('.')
      return
    }
    if (inner.kind === 'name' && isVariable(inner) && names.declared.has(inner.word)) fixed.add(inner.word)
    inner.children.forEach(visit)
  }
  visit(node)
  if (!deep || slotNames.length > coarseSlotsMax || marks[0]?.end === node.end) return null
  const { pieces, holes } = cut(source.text, node, marks)
  const key = pieces.map((piece, index) => piece.replace(/\s+/g, ' ') + (holes[index] === undefined ? '' : `\u0001${holes[index]}`)).join('')
  return { key, node, pieces, holes, slots: slotNames.length, fixed: [...fixed], indent: indentAt(source.text, node.start), coarse: true, slotNames }
}

function boundInside (names: Names, use: SyntaxNode, within: SyntaxNode): boolean {
  const scopes = names.declared.get(use.word)
  return scopes !== undefined && scopes.some(scope => scope.start >= within.start && scope.end <= within.end && scope.start <= use.start && use.end <= scope.end)
}

function cut (text: string, node: SyntaxNode, marks: { start: number; end: number; slot: number }[]): { pieces: string[]; holes: number[] } {
  const pieces: string[] = []
  const holes: number[] = []
  let at = node.start
  for (const mark of marks) {
    if (mark.start < at) continue
    pieces.push(text.slice(at, mark.start))
    holes.push(mark.slot)
    at = mark.end
  }
  pieces.push(text.slice(at, node.end))
  return { pieces, holes }
}

export type Shelf = Map<string, Template>

export function shelve (shelf: Shelf, workshop: Workshop, node: SyntaxNode, unit: SyntaxNode | null, previous: string, next: string): void {
  if (node.end - node.start > donorCharactersMax) return
  for (const made of [templateOf(workshop, node, unit), coarseTemplateOf(workshop, node, unit)]) {
    if (!made) continue
    const { slotNames, ...plain } = made
    let template = shelf.get(plain.key)
    if (!template) shelf.set(plain.key, template = { ...plain, instances: [], own: 0, other: 0 })
    if (workshop.own) template.own++
    else template.other++
    if (template.instances.length < instancesMax) template.instances.push({ names: slotNames, node, own: workshop.own, previous, next })
  }
}

/** Whether what the template needs beside its slots is there. */
export function isPlantable (template: Template, names: Names, offset: number): boolean {
  return template.fixed.every(name => isVisible(names, name, offset))
}

const pairNamesMax = 8
const singleNamesMax = 10
const singlePathsMax = 30

/**
 * Ways to fill the slots, each with a score: the names it had, where they are all visible; then the nearest names.
 * `near` is in order of nearness.
 */
export function fillings (template: Template, names: Names, near: readonly string[], offset: number): Filling[] {
  if (template.slots === 0) return [{ template, names: [], score: 0 }]
  const found = new Map<string, Filling>()
  const put = (chosen: readonly string[], score: number): void => {
    const key = chosen.join(' ')
    const known = found.get(key)
    if (!known || known.score < score) found.set(key, { template, names: chosen, score })
  }
  for (const instance of template.instances) {
    const missing = instance.names.filter(name => !near.includes(name) && (template.coarse || !isVisible(names, name, offset)))
    if (missing.length === 0) {
      const score = 0.8 - 0.12 * sum(instance.names.map(name => rankOf(near, name))) / template.slots
      put(instance.names, score)
      if (template.slots > 1 && !template.coarse) putOneRenamed(put, instance.names, near, score)
    }
    if (missing.length > 0 && missing.length <= 2 && !template.coarse) putRenamed(put, instance.names, missing, near)
  }
  if (template.slots === 1) near.slice(0, template.coarse ? singlePathsMax : singleNamesMax).forEach((name, index) => put([name], template.coarse ? -0.2 - 0.15 * index : -0.25 * index))
  if (template.slots === 2) {
    near.slice(0, pairNamesMax).forEach((first, i) => near.slice(0, pairNamesMax).forEach((second, j) => { if (i !== j) put([first, second], -0.4 - 0.2 * (i + j)) }))
  }
  return [...found.values()]
}

type Put = (chosen: readonly string[], score: number) => void

/** What cannot be seen here is called by the nearest names that the template does not use. */
function putRenamed (put: Put, original: readonly string[], missing: readonly string[], near: readonly string[]): void {
  const free = near.filter(name => !original.includes(name))
  for (let shift = 0; shift < Math.min(3, free.length - missing.length + 1); shift++) {
    put(original.map(name => missing.includes(name) ? free[missing.indexOf(name) + shift]! : name), -0.8 - 0.5 * shift)
  }
}

/** A copy that differs in one name: what stands beside code of the same shape mostly does. */
function putOneRenamed (put: Put, original: readonly string[], near: readonly string[], score: number): void {
  near.slice(0, pairNamesMax).forEach((name, index) => {
    if (original.includes(name)) return
    original.forEach((_, slot) => put(original.map((kept, other) => other === slot ? name : kept), score - 0.6 - 0.12 * index))
  })
}

function rankOf (near: readonly string[], name: string): number {
  const index = near.indexOf(name)
  return index === -1 ? near.length + 2 : index
}

const sum = (values: number[]): number => values.reduce((total, value) => total + value, 0)

export function textOf ({ template, names: chosen }: Filling): string {
  let text = template.pieces[0]!
  for (let index = 0; index < template.holes.length; index++) text += chosen[template.holes[index]!]! + template.pieces[index + 1]!
  return text
}
