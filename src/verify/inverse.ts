// Inverse mutation: the buggy tree with some of the bug's files restored must repair at least one failing test.
//   strict  every file alone.
//   group   files that repair nothing alone are tried together, smallest groups first, until every file is in a group
//           that repairs something; at most `groupRunsMax` runs more.

import type { PatchFile } from '../artifact/index.ts'
import type { CheckName, InverseMode } from '../domain.ts'
import { briefEvidence } from './evidence.ts'
import { groupsOf, unitName } from './plan.ts'
import type { Runs } from './runs.ts'
import type { TreeRun } from './types.ts'

export interface Restored { units: readonly PatchFile[]; flips: string[] }

export interface InverseResult {
  /** `strict` where every file holds alone, whatever was asked for. */
  mode: InverseMode
  restored: Restored[]
  /** Files that did not contribute. */
  idle: PatchFile[]
  /** A run that gave no answer, by the artifact's fault. */
  fault: { check: CheckName; reason: string } | null
  runs: unknown[]
}

interface Options { mode: InverseMode; groupRunsMax: number; f2p: readonly string[]; flips: (run: TreeRun) => string[] }

export async function restoreFiles (units: readonly PatchFile[], runs: Runs, options: Options): Promise<InverseResult> {
  const result: InverseResult = { mode: 'strict', restored: [], idle: [], fault: null, runs: [] }
  // Everything restored is the original, where all of these tests pass: nothing to run.
  const whole = (group: readonly PatchFile[]): boolean => group.length === units.length
  const contributes = async (group: readonly PatchFile[]): Promise<boolean> => {
    const run = whole(group) ? null : await runs.restored(group)
    if (run !== null) result.runs.push(briefEvidence(restoredTree(group), run))
    result.fault ??= faultOf(run, group)
    const flips = run === null ? [...options.f2p] : result.fault === null ? options.flips(run) : []
    if (flips.length > 0) result.restored.push({ units: group, flips })
    return flips.length > 0
  }
  for (const unit of units) {
    if (!await contributes([unit])) result.idle.push(unit)
    if (result.fault !== null || (result.idle.length > 0 && options.mode === 'strict')) return result
  }
  if (result.idle.length > 0) await joinIdle(result, contributes, options.groupRunsMax)
  return result
}

/** How the tree is named in evidence. */
export const restoredTree = (group: readonly PatchFile[]): string => `buggy, restored: ${group.map(unitName).join(', ')}`

async function joinIdle (result: InverseResult, contributes: (group: readonly PatchFile[]) => Promise<boolean>, groupRunsMax: number): Promise<void> {
  let left = groupRunsMax
  for (let size = 2; size <= result.idle.length; size++) {
    let found: PatchFile[] | undefined
    do {
      found = undefined
      for (const group of groupsOf(result.idle, size)) {
        if (left-- <= 0) return
        if (await contributes(group)) found = group
        if (result.fault !== null) return
        if (found !== undefined) break
      }
      if (found !== undefined) {
        result.mode = 'group'
        result.idle = result.idle.filter(unit => !found!.includes(unit))
      }
    } while (found !== undefined && result.idle.length >= size)
  }
}

/** A tree on which no test runs repairs nothing, which is an answer; one that hangs gives none. */
function faultOf (run: TreeRun | null, group: readonly PatchFile[]): InverseResult['fault'] {
  if (run === null || run.fault === null || run.fault.by === 'silence') return null
  const where = `with ${group.map(unitName).join(', ')} restored`
  return { check: run.fault.by === 'parser' ? 'parser' : 'inverse', reason: `${where} ${run.fault.reason}` }
}
