// From trials of single files to a bug over several: which probes go together. Pure. A file contributes when some test
// fails because of it alone: with the file restored that test must pass, and no other file may break it.

import type { BugParams, TestMap } from '../../../domain.ts'
import type { Random } from '../../../ports.ts'
import { areApart } from './patch.ts'
import type { Probe } from './probe.ts'

const limits = {
  /** Share of the tests that a bug may break, and what it may break when the search has lasted some rounds. */
  failingShare: 0.4,
  failingShareLast: 0.85,
  roundsChoosy: 3,
  draws: 60
}

export interface AssembleInput {
  probes: readonly Probe[]
  params: BugParams
  /** Results on the original. */
  clean: TestMap
  /** A runner that refuses a test file without tests: every file must keep one that passes. */
  keepsFiles: boolean
  /** Keys of combinations that were tried before. */
  refused: ReadonlySet<string>
  /** At least one probe of this origin. */
  mustHold: 'history' | null
  /** How often the search has drawn. */
  round: number
  random: Random
}

/** Draws a combination that should pass verification, or null. Prefers bugs that break a few tests. */
export function assemble (input: AssembleInput): Probe[] | null {
  const shares = input.round < limits.roundsChoosy ? [limits.failingShare] : [limits.failingShare, limits.failingShareLast]
  for (const share of shares) {
    for (let draw = 0; draw < limits.draws; draw++) {
      const chosen = drawProbes(input, share)
      if (chosen !== null) return chosen
    }
  }
  return null
}

export const keyOf = (probes: readonly Probe[]): string =>
  probes.map(({ change }) => `${change.path} ${JSON.stringify(change.edits)}`).sort().join('\n')

function drawProbes ({ probes, params, clean, keepsFiles, refused, mustHold, random }: AssembleInput, share: number): Probe[] | null {
  const order = random.shuffle(probes)
  const first = mustHold === null ? order[0] : order.find(({ change }) => change.origin === mustHold)
  if (first === undefined) return null
  const chosen = [first]
  for (const probe of order) {
    if (filesOf(chosen).size < params.minFiles && !filesOf(chosen).has(probe.change.path)) chosen.push(probe)
  }
  for (const probe of order) {
    if (brokenBy(chosen).size < params.minFailing && !chosen.includes(probe) && filesOf(chosen).has(probe.change.path) && fits(chosen, probe)) chosen.push(probe)
  }
  const broken = brokenBy(chosen)
  const all = Object.keys(clean)
  if (filesOf(chosen).size < params.minFiles || broken.size < params.minFailing || broken.size > Math.max(all.length * share, 1) || broken.size >= all.length) return null
  if (keepsFiles && emptied(all, broken)) return null
  return contributes(chosen) && !refused.has(keyOf(chosen)) ? chosen : null
}

const emptied = (all: readonly string[], broken: ReadonlySet<string>): boolean => {
  const left = new Set(all.filter(id => !broken.has(id)).map(testFileOf))
  return all.some(id => !left.has(testFileOf(id)))
}

const testFileOf = (id: string): string => id.split('::')[0]!

const filesOf = (probes: readonly Probe[]): Set<string> => new Set(probes.map(({ change }) => change.path))

const brokenBy = (probes: readonly Probe[]): Set<string> => new Set(probes.flatMap(({ effect }) => effect.failing))

const fits = (chosen: readonly Probe[], probe: Probe): boolean =>
  areApart([...chosen, probe].filter(({ change }) => change.path === probe.change.path).flatMap(({ change }) => change.edits))

export function contributes (probes: readonly Probe[]): boolean {
  return [...filesOf(probes)].every(path => {
    const others = brokenBy(probes.filter(({ change }) => change.path !== path))
    return probes.some(({ change, effect }) => change.path === path && effect.failing.some(id => !others.has(id)))
  })
}
