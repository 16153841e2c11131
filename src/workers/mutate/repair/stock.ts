// What repairs draw on for one request: the file, the statements and conditions found in it and in the rest of the
// repository, and how often idioms stand beside each other.

import { parseSource } from '../source.ts'
import type { Source } from '../source.ts'
import { bare, enclosing, isJump, part, statementsOf } from '../syntax.ts'
import type { SyntaxNode } from '../syntax.ts'
import type { RepairRequest } from '../types.ts'
import { namesOf } from './scope.ts'
import type { Names } from './scope.ts'
import { donorCharactersMax, shelve, templateOf } from './templates.ts'
import type { Shelf, Workshop } from './templates.ts'
import type { Suspicion } from './sites.ts'
import { isLogging } from '../names.ts'

/** Text of other files that is read for one request, in the order given. */
export const corpusCharactersMax = 1_500_000

export interface Shelves { guards: Shelf; ifs: Shelf; simple: Shelf; jumps: Shelf; blocks: Shelf; conditions: Shelf; joined: Shelf; defaults: Shelf; elses: Shelf; cases: Shelf; catches: Shelf }

export interface Stock {
  source: Source
  names: Names
  suspicion: Suspicion
  shelves: Shelves
  /** Template keys of the statements of the file, for context. */
  keys: Map<SyntaxNode, string>
  workshops: Workshop[]
  hints: readonly string[]
}

export function createStock (request: RepairRequest): Stock | null {
  const source = parseSource(request.path, request.text)
  if (!source) return null
  const own: Workshop = { source, names: namesOf(source), own: true }
  const workshops = [own]
  let room = corpusCharactersMax
  for (const { path, text } of request.corpus) {
    room -= text.length
    if (room < 0) break
    const other = path === request.path ? null : parseSource(path, text)
    if (other && other.language === source.language) workshops.push({ source: other, names: namesOf(other), own: false })
  }
  const shelves: Shelves = {
    guards: new Map(), ifs: new Map(), simple: new Map(), jumps: new Map(), blocks: new Map(), conditions: new Map(), joined: new Map(), defaults: new Map(), elses: new Map(), cases: new Map(), catches: new Map()
  }
  const keys = new Map<SyntaxNode, string>()
  for (const workshop of workshops) collect(workshop, shelves, keys)
  return { source, names: own.names, suspicion: request.suspicion, shelves, keys, workshops, hints: request.hints }
}

function collect (workshop: Workshop, shelves: Shelves, keys: Map<SyntaxNode, string>): void {
  const visit = (node: SyntaxNode, unit: SyntaxNode | null): void => {
    const inner = unit ?? (node.kind === 'function' && workshop.source.unitOf.has(node) ? node : null)
    if (node.kind === 'block' || node.kind === 'case' || node.kind === 'program') collectStatements(workshop, shelves, keys, node, inner)
    collectExpression(workshop, shelves, node, inner)
    for (const child of node.children) visit(child, inner)
  }
  visit(workshop.source.root, null)
}

function collectStatements (workshop: Workshop, shelves: Shelves, keys: Map<SyntaxNode, string>, block: SyntaxNode, unit: SyntaxNode | null): void {
  const statements = statementsOf(block)
  const known = statements.map(statement => statement.end - statement.start > donorCharactersMax ? statement.kind : templateOf(workshop, statement, unit).key)
  statements.forEach((statement, index) => {
    if (workshop.own) keys.set(statement, known[index]!)
    const shelf = shelfFor(workshop, shelves, statement)
    if (shelf) shelve(shelf, workshop, statement, unit, known[index - 1] ?? '^', known[index + 1] ?? '$')
  })
}

function shelfFor (workshop: Workshop, shelves: Shelves, statement: SyntaxNode): Shelf | null {
  const { text } = workshop.source
  if (isLogging(statement) || '([`/'.includes(text[statement.start]!)) return null
  switch (statement.kind) {
    case 'if': return isGuard(statement) ? shelves.guards : shelves.ifs
    case 'return': case 'throw': case 'break': case 'continue': return shelves.jumps
    case 'statement': case 'assert': return shelves.simple
    case 'loop': case 'try': case 'switch': return shelves.blocks
    // Python's assignments are expressions' statements; a declaration is planted for the sake of the lines after it.
    default: return null
  }
}

export function isGuard (statement: SyntaxNode): boolean {
  const then = part(statement, 'then')
  if (statement.kind !== 'if' || !then || part(statement, 'else')) return false
  const inside = statementsOf(then)
  return inside.length > 0 && isJump(inside[inside.length - 1]!)
}

function collectExpression (workshop: Workshop, shelves: Shelves, node: SyntaxNode, unit: SyntaxNode | null): void {
  if (node.kind === 'logical' || (node.kind === 'binary' && node.word === '+')) {
    const left = part(node, 'left')
    const right = part(node, 'right')
    if (!left || !right) return
    const shelf = node.kind === 'logical' ? shelves.conditions : shelves.joined
    const keyOf = (side: SyntaxNode): string => templateOf(workshop, bare(side), unit).key
    shelve(shelf, workshop, right, unit, keyOf(nearest(left, node)), `${node.word}R`)
    if (left.kind !== node.kind) shelve(shelf, workshop, left, unit, keyOf(right), `${node.word}L`)
    return
  }
  if (node.role === 'test' && (node.parent?.kind === 'if' || node.parent?.kind === 'ternary' || node.parent?.kind === 'loop')) {
    const test = bare(node)
    shelve(shelves.conditions, workshop, test, unit, '', '')
  }
  if (node.kind === 'default') {
    const value = part(node, 'right')
    if (value) shelve(shelves.defaults, workshop, value, unit, part(node, 'left')?.word ?? '', '')
  }
  if (node.kind === 'if') {
    const otherwise = part(node, 'else')
    const then = part(node, 'then')
    if (otherwise && then) shelve(shelves.elses, workshop, otherwise, unit, templateOf(workshop, then, unit).key, '')
  }
  if (node.kind === 'case') shelve(shelves.cases, workshop, node, unit, '', '')
  if (node.kind === 'catch') shelve(shelves.catches, workshop, node, unit, '', '')
}

/** The operand of a chain that stands beside the right one. */
function nearest (left: SyntaxNode, chain: SyntaxNode): SyntaxNode {
  return left.kind === chain.kind && left.word === chain.word ? part(left, 'right') ?? left : left
}

export const loopAround = (node: SyntaxNode): SyntaxNode | null => {
  const found = enclosing(node, 'loop', 'function')
  return found?.kind === 'loop' ? found : null
}

