// Bugs of the second order: the patch of a failed attempt becomes `pred_patch.diff` of the same artifact. The first
// member (by number) whose attempt applied, changed something and failed its tests is taken. An attempt that was empty,
// did not apply or was refused makes none, nor does one that keeps the tests from running at all.

import type { Arena, GradeOutcome } from '../domain.ts'
import { createBug, createManifest, readArtifact, writeArtifact } from '../artifact/index.ts'
import type { RunStore } from '../store/run.ts'
import { gradeId, solveId } from './ids.ts'
import type { GradeResult } from './results.ts'

interface Parent { bugId: string; order: number; attempts: { member: number; solved: boolean | null }[] }

/** The grade of attempts that ran their tests and failed. */
const promotable: GradeOutcome = 'failing'

export async function promoteAttempt (store: RunStore, arena: Arena, episodeId: string, parent: Parent): Promise<{ bugId: string | null }> {
  const failed = parent.attempts.find(({ member, solved }) =>
    solved === false && store.result<GradeResult>(gradeId(episodeId, parent.order, member))?.grade.outcome === promotable)
  if (!failed) return { bugId: null }
  const { bug, manifest } = await readArtifact(store.bugDir(parent.bugId))
  const predPatch = store.attempt(solveId(episodeId, parent.order, failed.member))
  const promoted = createBug({ ...bug.files, predPatch }, bug.id)
  await writeArtifact(store.bugDir(promoted.id), promoted, createManifest(promoted, arena, { ...manifest! }))
  return { bugId: promoted.id }
}
