// Where code can be removed or mutated: the parser's mutants of every covered file, those on lines that the suite runs,
// and a draw among them that mixes sizes. Files are read and parsed when they are first drawn from.

import type { Random } from '../../../ports.ts'
import type { Workers } from '../../../workers/pool.ts'
import { removalOperators } from '../../../workers/mutate/removals.ts'
import type { Mutant } from '../../../workers/mutate/types.ts'
import { coversAny, type Coverage } from '../coverage.ts'
import type { Play } from '../session.ts'
import type { ToolTree } from '../tree.ts'
import { applyEdits, areApart } from './patch.ts'
import type { Change } from './probe.ts'

const limits = {
  /** Code files that are read. */
  files: 14,
  /** Characters of all of them together: reading is paid from the token budget. */
  characters: 260_000,
  /** Lines of one removed part. */
  lines: 120
}

export interface CodeFile { path: string; text: string; mutants: Mutant[] }

/** Reads and parses covered files in the order given, as many as the limits allow; those without a usable site are left out. */
export async function * loadCode (tree: ToolTree, workers: Workers, paths: readonly string[], coverage: Coverage, kind: 'removals' | 'direct'): Play<CodeFile[]> {
  const texts = yield * tree.read(paths.slice(0, limits.files), 'I read the code that the chosen tests cover.')
  const files: CodeFile[] = []
  let characters = 0
  for (const [path, text] of texts) {
    if (text === null || isGenerated(text) || (characters += text.length) > limits.characters) continue
    const index = await workers.run('index', { path, text })
    if (index === null) continue
    const mutants = index[kind].filter(mutant => isCovered(coverage, path, mutant) && mutant.endLine - mutant.line < limits.lines)
    files.push({ path, text, mutants })
  }
  return files
}

export function isGenerated (text: string): boolean {
  const head = text.slice(0, 1000)
  return /do not edit|@generated|auto-?generated|automatically generated/i.test(head) || text.split('\n').some(line => line.length > 600)
}

export function isCovered (coverage: Coverage, path: string, { line, endLine }: { line: number; endLine: number }): boolean {
  return [...coverage.values()].some(lines => coversAny(lines.get(path), line, endLine))
}

/**
 * Sizes of removal, and how often each is drawn. A breaker earns most when about a quarter of the attempts repair its bug:
 * what is written elsewhere in the repository too (an operand, a guard) comes back far more often than a body or a branch.
 */
const sizes: readonly { upTo: typeof removalOperators[number]; weight: number }[] = [
  { upTo: 'remove choice', weight: 0.62 },
  { upTo: 'remove guard', weight: 0.28 },
  { upTo: 'remove loop', weight: 0.06 },
  { upTo: 'remove method', weight: 0.04 }
]

/** One change of the file: a site or a few. null when nothing new is left. */
export function drawChange (file: CodeFile, kind: 'removals' | 'direct', random: Random, seen: Set<string>): Change | null {
  const count = [1, 1, 1, 1, 1, 1, 1, 1, 1, 2][random.int(10)]!
  for (let tries = 0; tries < 8; tries++) {
    const sites = Array.from({ length: count }, () => drawMutant(file.mutants, kind, random)).filter(mutant => mutant !== null)
    const edits = sites.map(({ edit }) => edit)
    const key = `${file.path} ${edits.map(({ start, end, text }) => `${start} ${end} ${text}`).sort().join()}`
    if (sites.length === 0 || seen.has(key) || !areApart(edits) || applyEdits(file.text, edits) === file.text) continue
    seen.add(key)
    return { path: file.path, edits: [...edits], what: sites.map(describe).join(', '), origin: kind === 'direct' ? 'direct' : 'removal' }
  }
  return null
}

export function describe ({ operator, unit, line }: Mutant): string {
  return `${operator} ${unit === null ? `at line ${line}` : `in ${unit}`}`
}

function drawMutant (mutants: readonly Mutant[], kind: 'removals' | 'direct', random: Random): Mutant | null {
  if (mutants.length === 0) return null
  if (kind === 'direct') return random.pick(mutants)
  const size = drawSize(random)
  const group = mutants.filter(({ operator }) => sizeOf(operator) === size)
  return random.pick(group.length > 0 ? group : mutants)
}

const rank = new Map<string, number>(removalOperators.map((operator, index) => [operator, index]))

const sizeOf = (operator: string): number => sizes.findIndex(({ upTo }) => rank.get(operator)! <= rank.get(upTo)!)

function drawSize (random: Random): number {
  let left = random.next()
  return Math.max(0, sizes.findIndex(({ weight }) => (left -= weight) < 0))
}
