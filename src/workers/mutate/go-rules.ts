// Go refuses what other languages let pass: a missing return, a variable or import that nothing uses, operands of another
// type. An edit that could end so is left out, though some of these would have compiled.

import { enclosing, flag, part, statementsOf, walk } from './syntax.ts'
import type { SyntaxNode } from './syntax.ts'
import type { Source } from './source.ts'
import type { Edit } from './types.ts'

/** Whether control may leave a function with results behind this statement: taking it out could miss a return. */
export function endsFunction (source: Source, statement: SyntaxNode): boolean {
  if (source.language !== 'go') return false
  for (let at: SyntaxNode = statement; at.parent; at = at.parent) {
    const { parent } = at
    if (parent.kind === 'function') return part(parent, 'result') !== null
    if ((parent.kind === 'block' || parent.kind === 'case') && at.role === 'statement') {
      const siblings = statementsOf(parent)
      if (siblings[siblings.length - 1] !== at) return false
    }
  }
  return false
}

/** A return of zero values; '' without results; null when it cannot be written down. */
export function zeroReturn (source: Source, found: SyntaxNode): string | null {
  const result = part(found, 'result')
  if (!result) return ''
  if (result.children.length > 0) return 'return'
  const text = source.text.slice(result.start, result.end)
  const types = text.startsWith('(') ? splitTypes(text.slice(1, -1)) : [text]
  return `return ${types.map(zeroOf).join(', ')}`
}

function splitTypes (text: string): string[] {
  const types: string[] = []
  let depth = 0
  let from = 0
  for (let at = 0; at < text.length; at++) {
    if ('([{'.includes(text[at]!)) depth++
    else if (')]}'.includes(text[at]!)) depth--
    else if (text[at] === ',' && depth === 0) { types.push(text.slice(from, at).trim()); from = at + 1 }
  }
  const last = text.slice(from).trim()
  return last === '' ? types : [...types, last]
}

function zeroOf (type: string): string {
  if (/^(u?int(8|16|32|64|ptr)?|byte|rune|float(32|64)|complex(64|128))$/.test(type)) return '0'
  if (type === 'string') return '""'
  if (type === 'bool') return 'false'
  if (type === 'error' || type === 'any' || /^(\*|\[\]|map\[|func\(|chan |<-|interface\{)/.test(type)) return 'nil'
  return `*new(${type})`
}

/** Whether all operands in sight are numbers or truth values, so that another operator of the group has a meaning. */
export function goTypesAllow (source: Source, found: SyntaxNode): boolean {
  if (source.language !== 'go' || found.kind === 'logical' || found.kind === 'compare') return true
  if (found.word === '<<' || found.word === '>>') return false
  const operands = [part(found, 'left'), part(found, 'right')]
  return operands.some(operand => operand?.kind === 'number' || (operand?.kind === 'call' && part(operand, 'callee')?.word === 'len'))
}

// ---- names ----------------------------------------------------------------------------------------------------------

interface Declaration { name: string; start: number; scope: SyntaxNode }
interface Use { name: string; start: number; declaration: Declaration | null }
/** Every use of a name with what it means, and the imports of the file. */
export interface GoUses { uses: Use[]; declarations: Map<string, Declaration[]>; imports: Set<string>; root: SyntaxNode }

export function goUsesOf (source: Source): GoUses | null {
  if (source.language !== 'go') return null
  const found: { name: string; start: number }[] = []
  const declarations = new Map<string, Declaration[]>()
  const imports = new Set<string>()
  walk(source.root, node => {
    if (node.kind === 'import') { for (const name of node.children) imports.add(name.word); return }
    if (node.kind !== 'name' || node.parent?.kind === 'import') return
    if (declares(node)) {
      const declaration = { name: node.word, start: node.start, scope: scopeOf(node, source.root) }
      declarations.set(node.word, [...declarations.get(node.word) ?? [], declaration])
    } else if (!isTarget(node) && !(node.role === 'property' && node.parent?.kind === 'member')) found.push({ name: node.word, start: node.start })
  })
  found.push(...usesInTypes(source, imports))
  const uses = found.sort((a, b) => a.start - b.start).map(use => ({ ...use, declaration: resolve(declarations, use.name, use.start) }))
  return { uses, declarations, imports, root: source.root }
}

/** Types are no nodes in the common tree, but they use imports too. */
function * usesInTypes (source: Source, imports: Set<string>): Iterable<{ name: string; start: number }> {
  for (const match of source.text.matchAll(/\b([a-z]\w*)\.[A-Z]/g)) {
    const line = source.text.slice(source.text.lastIndexOf('\n', match.index) + 1, match.index)
    if (imports.has(match[1]!) && !line.includes('//')) yield { name: match[1]!, start: match.index }
  }
}

function scopeOf (name: SyntaxNode, root: SyntaxNode): SyntaxNode {
  return enclosing(name, 'block', 'case', 'if', 'loop', 'switch', 'function') ?? root
}

function resolve (declarations: GoUses['declarations'], name: string, at: number): Declaration | null {
  let nearest: Declaration | null = null
  for (const declaration of declarations.get(name) ?? []) {
    const { scope, start } = declaration
    if (start < at && scope.start <= at && at < scope.end && (!nearest || scope.start >= nearest.scope.start)) nearest = declaration
  }
  return nearest
}

function declares (name: SyntaxNode): boolean {
  for (let at: SyntaxNode | null = name; at; at = at.parent) {
    if (at.kind === 'member' || at.kind === 'index') return false
    if (at.role === 'init' && (at.parent?.kind === 'loop' || at.parent?.kind === 'switch') && at.kind !== 'assign') return true
    if (at.role === 'left') return at.parent?.kind === 'declarator' || (at.parent?.kind === 'assign' && (at.parent.flags & flag.fallback) !== 0)
    if (at.role === 'statement') return false
  }
  return false
}

/** `x = 1` uses nothing, `x += y` either. */
function isTarget (name: SyntaxNode): boolean {
  const at = name.parent?.kind === 'array' ? name.parent : name
  return at.role === 'left' && (at.parent?.kind === 'assign' || at.parent?.kind === 'augment')
}

/** Whether every name that the edit takes out is still used elsewhere or goes with its declaration. */
export function leavesNamesUsed (known: GoUses, source: Source, edit: Edit): boolean {
  const inside = (at: number): boolean => at >= edit.start && at < edit.end
  if (/\bgoto\b|\b(?:break|continue)[ \t]+\w|^\s*\w+:\s*$/m.test(source.text.slice(edit.start, edit.end))) return false
  for (const use of known.uses) {
    const { declaration } = use
    if (inside(use.start)) {
      if (mentions(edit.text, use.name) || (declaration && inside(declaration.start))) continue
      if (!declaration && !known.imports.has(use.name)) continue
      if (!known.uses.some(other => other.name === use.name && other.declaration === declaration && !inside(other.start))) return false
    } else if (declaration && inside(declaration.start) && !mentions(edit.text, use.name)) return false
  }
  return true
}

const mentions = (text: string, name: string): boolean => text !== '' && new RegExp(`\\b${name}\\b`).test(text)
