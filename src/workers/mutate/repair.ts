// Repair candidates for a tree with a bug in it, of which only lines under suspicion and words from failing tests are
// known. Families of candidates (repair/) run a seeded race; what survives changes something, parses, and is unique.

import { createRandom } from '../../random.ts'
import { addedOperands, addedSummands } from './repair/conditions.ts'
import { rebuiltBodies } from './repair/bodies.ts'
import { changedExpressions } from './repair/expressions.ts'
import { effectOf, race } from './repair/race.ts'
import type { Candidate, Family } from './repair/race.ts'
import { createStock } from './repair/stock.ts'
import type { Stock } from './repair/stock.ts'
import { plantedBranches, plantedStatements, wrappedStatements, wrappedTries } from './repair/statements.ts'
import { applyEdit, mutant, parses } from './source.ts'
import type { Source } from './source.ts'
import type { Edit, Mutant, RepairReply, RepairRequest } from './types.ts'

/** Share of every family among the first candidates. */
export const familyWeights = {
  negations: 2, operators: 2, constants: 1, names: 1, arguments: 0.8, marks: 1, deletions: 1.5, direct: 0.7,
  guards: 3, ifs: 1.5, simple: 4, jumps: 2, blocks: 0.3, operands: 5, summands: 0.7, branches: 1, wraps: 1.2, tries: 0.3, bodies: 4
}

export function repairCandidates (request: RepairRequest): RepairReply {
  const stock = createStock(request)
  if (!stock) return { candidates: [] }
  const ordered = race(familiesOf(stock), createRandom(request.seed))
  return { candidates: distinct(stock.source, ordered, request.limit) }
}

function familiesOf (stock: Stock): Family[] {
  const found: Record<keyof typeof familyWeights, Candidate[]> = {
    ...changedExpressions(stock),
    ...plantedStatements(stock),
    operands: addedOperands(stock),
    summands: addedSummands(stock),
    branches: plantedBranches(stock),
    wraps: wrappedStatements(stock),
    tries: wrappedTries(stock),
    bodies: rebuiltBodies(stock)
  }
  return Object.entries(found).map(([name, candidates]) => ({ weight: familyWeights[name as keyof typeof familyWeights], candidates }))
}

function distinct (source: Source, ordered: Candidate[], limit: number): Mutant[] {
  const seen = new Set<string>()
  const accepted: Mutant[] = []
  const checks = createCheck(source)
  for (const { operator, edit } of ordered) {
    if (accepted.length >= limit) break
    const effect = effectOf(source.text, edit)
    if (effect === null || seen.has(effect)) continue
    seen.add(effect)
    if (checks(edit)) accepted.push(mutant(source, operator, edit, unitNameAt(source, edit.start)))
  }
  return accepted
}

/** The innermost function or method around an offset. */
function unitNameAt (source: Source, offset: number): string | null {
  let name: string | null = null
  let start = -1
  for (const unit of source.units) {
    if (unit.kind === 'class' || unit.start > offset || unit.end < offset || unit.start < start) continue
    name = unit.name
    start = unit.start
  }
  return name
}

/** Whether the text parses after an edit. Only the statement at top level around the edit is parsed: it stands alone. */
function createCheck (source: Source): (edit: Edit) => boolean {
  const { path, text, root } = source
  return edit => {
    const around = root.children.find(child => child.start <= edit.start && edit.end <= child.end)
    if (!around) return parses(path, applyEdit(text, edit))
    const piece = text.slice(around.start, around.end)
    return parses(path, applyEdit(piece, { start: edit.start - around.start, end: edit.end - around.start, text: edit.text }))
  }
}
