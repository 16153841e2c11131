// What can be taken out of a file and what can be changed in it: one walk over its tree.

import { directOf } from './direct.ts'
import { goUsesOf, leavesNamesUsed } from './go-rules.ts'
import type { GoUses } from './go-rules.ts'
import { removalOperators, removalsOf } from './removals.ts'
import { mutant, parseSource } from './source.ts'
import type { Source, SourceUnit } from './source.ts'
import type { SyntaxNode } from './syntax.ts'
import type { Edit, Mutant, SourceIndex, Unit } from './types.ts'

/** null: language unknown, text too large, or it does not parse. */
export function indexSource (path: string, text: string): SourceIndex | null {
  const source = parseSource(path, text)
  if (!source) return null
  const direct: Mutant[] = []
  const removals = new Map<string, Mutant[]>(removalOperators.map(operator => [operator, []]))
  const goUses = goUsesOf(source)
  const visit = (node: SyntaxNode, unit: SourceUnit | null): void => {
    if (node.kind === 'type' || node.kind === 'import' || node.kind === 'directive') return
    removalsOf(source, node, unit, (operator, edit, at) => keep(source, goUses, removals.get(operator)!, operator, edit, unitName(source, at, unit)))
    directOf(source, node, unit, (operator, edit, at) => keep(source, null, direct, operator, edit, unitName(source, at, unit)))
    const inner = source.unitOf.get(node) ?? unit
    for (const child of node.children) visit(child, inner?.kind === 'class' ? unit : inner)
  }
  visit(source.root, null)
  return { language: source.language, units: source.units.map(plainUnit), removals: [...removals.values()].flat(), direct }
}

function keep (source: Source, goUses: GoUses | null, into: Mutant[], operator: string, edit: Edit | null, unit: string | null): void {
  if (edit && (!goUses || leavesNamesUsed(goUses, source, edit)) && source.text.slice(edit.start, edit.end) !== edit.text) into.push(mutant(source, operator, edit, unit))
}

/** A body belongs to its own unit, a method's removal too. */
function unitName (source: Source, at: SyntaxNode, around: SourceUnit | null): string | null {
  const own = source.unitOf.get(at) ?? (at.kind === 'method' ? at.children.map(child => source.unitOf.get(child)).find(unit => unit) : undefined)
  if (own && own.kind !== 'class') return own.name
  return around?.name ?? null
}

function plainUnit ({ kind, name, params, line, endLine, start, end, bodyStart, bodyEnd }: Unit): Unit {
  return { kind, name, params, line, endLine, start, end, bodyStart, bodyEnd }
}
