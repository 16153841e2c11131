// Functions, methods and classes that have a name: what a bug or a repair is said to be in. An anonymous callback belongs
// to the unit around it.

import { flag, isStatement, lineAt, part, parts, statementsOf, walk } from './syntax.ts'
import type { SyntaxNode } from './syntax.ts'
import type { SourceUnit } from './source.ts'
import type { Language } from './types.ts'

export function findUnits (root: SyntaxNode, text: string, lineStarts: number[], language: Language): SourceUnit[] {
  const units: SourceUnit[] = []
  walk(root, found => {
    const unit = found.kind === 'class' ? classUnit(found) : found.kind === 'function' ? functionUnit(found, text, language) : null
    if (!unit) return
    units.push({ ...unit, line: lineAt(lineStarts, unit.start), endLine: lineAt(lineStarts, Math.max(unit.start, unit.end - 1)) })
  })
  return units
}

type Placed = Omit<SourceUnit, 'line' | 'endLine'>

function classUnit (found: SyntaxNode): Placed | null {
  const name = nameOf(found)
  if (!name) return null
  const { start, end } = wholeOf(found)
  return { kind: 'class', name, params: [], start, end, bodyStart: found.end, bodyEnd: found.end, node: found, body: null, exported: isExported(found), owner: null }
}

function functionUnit (found: SyntaxNode, text: string, language: Language): Placed | null {
  const name = nameOf(found)
  const body = part(found, 'body')
  if (!name || !body || body.kind === 'type') return null
  const owner = ownerOf(found)
  const whole = wholeOf(found)
  const [bodyStart, bodyEnd] = bodySpan(body, text, language)
  return {
    kind: owner === null ? 'function' : 'method',
    name,
    params: parts(found, 'param').map(param => paramName(param)).filter(param => param !== ''),
    start: whole.start,
    end: whole.end,
    bodyStart,
    bodyEnd,
    node: found,
    body,
    exported: isExported(found),
    owner
  }
}

/** With its key, or with what it is assigned to: what has to be read to know its name. */
function wholeOf (found: SyntaxNode): SyntaxNode {
  const { parent } = found
  if (!parent || part(found, 'name')) return parent?.kind === 'method' ? parent : found
  return parent.kind === 'method' || parent.kind === 'pair' || parent.kind === 'field' || parent.kind === 'declarator' || parent.kind === 'assign' ? parent : found
}

function bodySpan (body: SyntaxNode, text: string, language: Language): [number, number] {
  if (language !== 'python') return body.kind === 'block' ? [body.start + 1, body.end - 1] : [body.start, body.end]
  const statements = statementsOf(body)
  const first = statements[0]
  if (first?.kind !== 'directive') return [body.start, body.end]
  const next = statements[1]
  return next ? [next.start, body.end] : [first.end, body.end]
}

/** The name that a function or class is known by: its own, its key's, or that of what it is assigned to. */
function nameOf (found: SyntaxNode): string | null {
  const own = part(found, 'name')
  if (own) return own.word
  const { parent } = found
  if (!parent) return null
  if ((parent.kind === 'method' || parent.kind === 'pair' || parent.kind === 'field') && found.role === 'value') return keyName(part(parent, 'key'))
  if ((parent.kind === 'declarator' || parent.kind === 'assign') && found.role === 'right') return keyName(part(parent, 'left'))
  return null
}

function keyName (key: SyntaxNode | null): string | null {
  if (!key) return null
  if (key.kind === 'name') return key.word
  if (key.kind === 'member') return part(key, 'property')?.word || null
  return null
}

/** The class, object or prototype whose method a function is; null for a plain function. */
function ownerOf (found: SyntaxNode): string | null {
  const { parent } = found
  if (found.word !== '') return found.word
  if (parent?.kind === 'method' || (parent?.kind === 'field' && found.role === 'value')) return parent.parent ? nameOf(parent.parent) ?? '' : ''
  if (parent?.kind === 'pair' && found.role === 'value') return parent.parent ? nameOf(parent.parent) ?? '' : ''
  const left = parent?.kind === 'assign' && found.role === 'right' ? part(parent, 'left') : null
  const object = left?.kind === 'member' ? part(left, 'object') : null
  if (object?.kind === 'member' && part(object, 'property')?.word === 'prototype') return part(object, 'object')?.word ?? ''
  return null
}

export function paramName (param: SyntaxNode): string {
  if (param.kind === 'name') return param.word
  for (const child of param.children) {
    const name = child.role === 'key' || child.role === 'value' || child.role === 'right' ? '' : paramName(child)
    if (name !== '') return name
  }
  return ''
}

function isExported (found: SyntaxNode): boolean {
  for (let at: SyntaxNode | null = found; at; at = at.parent) {
    if (at.flags & flag.exported || at.kind === 'export') return true
    if (at.kind === 'assign' && part(at, 'left')?.kind === 'member') return true
    if (isStatement(at)) return false
  }
  return false
}
