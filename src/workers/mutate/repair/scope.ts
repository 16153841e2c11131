// Which names can be seen from where, and which are close by. Blocks, functions and the program declare names; what nobody
// declares is a global of the language.

import { paramName } from '../units.ts'
import type { Source } from '../source.ts'
import { enclosing, flag, part, parts, walk } from '../syntax.ts'
import type { SyntaxNode } from '../syntax.ts'

export interface Names {
  /** Name to the nodes within which it can be seen. */
  declared: Map<string, SyntaxNode[]>
  /** Every use of a name as a variable, in the order of the text. */
  uses: Use[]
  /** Every access path from a variable or `this`, such as `state.queue.length`; a plain variable is one too. */
  paths: Use[]
  /** Names that are declared and never used: what was taken out may have used them. */
  orphans: ReadonlySet<string>
}

export interface Use { name: string; offset: number }

export function namesOf (source: Source): Names {
  const declared = new Map<string, SyntaxNode[]>()
  const uses: Use[] = []
  const paths: Use[] = []
  const declare = (name: string, within: SyntaxNode): void => {
    const known = declared.get(name)
    if (!known) declared.set(name, [within])
    else if (!known.includes(within)) known.push(within)
  }
  walk(source.root, node => {
    for (const [name, within] of declarations(source, node)) declare(name, within)
    if (isVariable(node)) uses.push({ name: node.word, offset: node.start })
    const path = pathAt(source, node)
    if (path !== null) paths.push({ name: path, offset: node.start })
  })
  uses.sort((a, b) => a.offset - b.offset)
  paths.sort((a, b) => a.offset - b.offset)
  return { declared, uses, paths, orphans: orphansOf(source, declared, uses) }
}

/** The text of an access path when the node is the whole of one: no part of a longer path, and not the method that is called. */
export function pathAt (source: Source, node: SyntaxNode): string | null {
  if (node.role === 'object' && node.parent?.kind === 'member' && !isMethod(node.parent)) return null
  return isMethod(node) || !isPath(node) || node.end - node.start > 60 ? null : source.text.slice(node.start, node.kind === 'name' ? node.start + node.word.length : node.end)
}

const isMethod = (node: SyntaxNode): boolean => node.kind === 'member' && node.role === 'callee'

function isPath (node: SyntaxNode): boolean {
  if (node.kind === 'name') return isVariable(node) && node.role !== 'callee' && node.role !== 'name'
  if (node.kind !== 'member' || node.flags & flag.optional) return node.kind === 'this' && node.role === 'object'
  const object = part(node, 'object')
  return object !== null && (object.kind === 'this' || isPath(object))
}

export const rootOf = (path: string): string => path.slice(0, (path + '.').indexOf('.'))

function orphansOf (source: Source, declared: Names['declared'], uses: Use[]): Set<string> {
  const counts = new Map<string, number>()
  for (const { name } of uses) counts.set(name, (counts.get(name) ?? 0) + 1)
  const exported = new Set(source.units.filter(unit => unit.exported || unit.kind !== 'function').map(unit => unit.name))
  return new Set([...declared.keys()].filter(name => counts.get(name) === 1 && !exported.has(name) && name !== 'self' && !name.startsWith('_')))
}

/** A name that stands for a variable, not for a property or key. */
export function isVariable (node: SyntaxNode): boolean {
  if (node.kind !== 'name' || node.word === '' || node.word === 'undefined') return false
  if (node.role === 'property') return node.parent?.kind === 'index'
  if (node.role === 'key') return (node.parent!.flags & flag.computed) !== 0
  return true
}

function declarations (source: Source, node: SyntaxNode): [string, SyntaxNode][] {
  switch (node.kind) {
    case 'declarator': {
      const whole = node.parent
      const scope = whole?.word === 'var' ? functionAround(source, node) : blockAround(source, node)
      return boundNames(part(node, 'left')).map(name => [name, scope])
    }
    case 'function': {
      const own = part(node, 'name')
      const names: [string, SyntaxNode][] = parts(node, 'param').flatMap(param => boundNames(param)).map(name => [name, node])
      if (own) names.push([own.word, blockAround(source, node)])
      return names
    }
    case 'class': {
      const own = part(node, 'name')
      return own ? [[own.word, blockAround(source, node)]] : []
    }
    case 'catch': return parts(node, 'param').flatMap(param => boundNames(param)).map(name => [name, node])
    case 'import': return importedNames(node).map(name => [name, source.root])
    case 'assign': {
      if (source.language === 'python') return boundNames(part(node, 'left')).map(name => [name, functionAround(source, node)])
      return node.flags & flag.fallback ? boundNames(part(node, 'left')).map(name => [name, blockAround(source, node)]) : []
    }
    case 'loop': return source.language === 'python' || source.language === 'go' ? parts(node, 'init').flatMap(init => boundNames(init)).map(name => [name, source.language === 'go' ? node : functionAround(source, node)]) : []
    default: return []
  }
}

function importedNames (node: SyntaxNode): string[] {
  const names: string[] = []
  walk(node, inner => { if (inner.kind === 'name') names.push(inner.word) })
  return names
}

/** Names that a pattern binds; members and indexes bind nothing. */
export function boundNames (pattern: SyntaxNode | null): string[] {
  if (!pattern) return []
  if (pattern.kind === 'name') return pattern.word ? [pattern.word] : []
  if (pattern.kind === 'member' || pattern.kind === 'index' || pattern.kind === 'call') return []
  const names: string[] = []
  for (const child of pattern.children) if (child.role !== 'key' && child.role !== 'right') names.push(...boundNames(child))
  return names.length > 0 ? names : [paramName(pattern)].filter(name => name !== '')
}

const functionAround = (source: Source, node: SyntaxNode): SyntaxNode => enclosing(node, 'function') ?? source.root
const blockAround = (source: Source, node: SyntaxNode): SyntaxNode => enclosing(node, 'block', 'loop', 'case', 'function', 'if', 'switch') ?? source.root

export function isVisible (names: Names, name: string, offset: number): boolean {
  const scopes = names.declared.get(name)
  return scopes !== undefined && scopes.some(scope => scope.start <= offset && offset <= scope.end)
}

/** The outermost named function around an offset: what is declared within is local, also to the functions inside of it. */
export function unitNodeAt (source: Source, offset: number): SyntaxNode | null {
  let found: SyntaxNode | null = null
  for (const unit of source.units) {
    if (unit.kind === 'class' || unit.node.start > offset || unit.node.end < offset) continue
    if (!found || unit.node.start < found.start) found = unit.node
  }
  return found
}

export function isLocal (names: Names, name: string, offset: number, unit: SyntaxNode | null): boolean {
  if (!unit) return false
  const scopes = names.declared.get(name)
  return scopes !== undefined && scopes.some(scope => scope.start <= offset && offset <= scope.end && scope.start >= unit.start && scope.end <= unit.end)
}

/** Local names that can be seen from an offset, nearest mention first; what comes after counts as nearer. */
export function nearbyNames (source: Source, names: Names, offset: number): string[] {
  const unit = unitNodeAt(source, offset)
  return byDistance(names, names.uses, offset, unit, source.text.length).filter(name => isLocal(names, name, offset, unit))
}

const farPathsMax = 40

/** Access paths that begin at a name that can be seen: those of the unit by distance, then those of the file by number. */
export function nearbyPaths (source: Source, names: Names, offset: number): string[] {
  const unit = unitNodeAt(source, offset)
  const usable = (path: string): boolean => {
    const root = rootOf(path)
    return root === 'this' || (isLocal(names, root, offset, unit) && path !== 'self')
  }
  const near = byDistance(names, names.paths, offset, unit, source.text.length).filter(usable)
  const counts = new Map<string, number>()
  for (const { name } of names.paths) if (name.includes('.') && usable(name)) counts.set(name, (counts.get(name) ?? 0) + 1)
  const far = [...counts].sort((a, b) => b[1] - a[1]).map(([path]) => path).filter(path => !near.includes(path))
  return [...near, ...far.slice(0, farPathsMax)]
}

function byDistance (names: Names, all: readonly Use[], offset: number, unit: SyntaxNode | null, length: number): string[] {
  const to = unit?.end ?? length
  const distances = new Map<string, number>()
  for (let index = firstFrom(all, unit?.start ?? 0); index < all.length && all[index]!.offset < to; index++) {
    const use = all[index]!
    const away = use.offset >= offset ? use.offset - offset : (offset - use.offset) * 1.5
    const distance = names.orphans.has(rootOf(use.name)) ? away * 0.2 : away
    if (distance < (distances.get(use.name) ?? Infinity)) distances.set(use.name, distance)
  }
  return [...distances].sort((a, b) => a[1] - b[1]).map(([name]) => name)
}

function firstFrom (uses: readonly Use[], from: number): number {
  let low = 0
  let high = uses.length
  while (low < high) {
    const middle = (low + high) >> 1
    if (uses[middle]!.offset < from) low = middle + 1
    else high = middle
  }
  return low
}
