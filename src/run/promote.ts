// Bugs of the second order: the patch of a failed attempt becomes `pred_patch.diff` of the same artifact. The first
// member (by number) whose attempt applied, changed something and failed its tests is taken. An attempt that was empty,
// did not apply or was refused makes none, nor does one that keeps the tests from running at all.

import type { Arena, GradeOutcome } from '../domain.ts'
import { createBug, createManifest } from '../artifact/index.ts'
import { bugFolder, output, type BugRef, type EpisodeStore } from '../store/episodes.ts'
import { gradeId, promoteId, solveId } from './ids.ts'
import type { GradeResult } from './results.ts'

interface Parent extends Omit<BugRef, 'episodeId'> { attempts: { member: number; solved: boolean | null }[] }
export interface Promoted { bugId: string | null }

/** The grade of attempts that ran their tests and failed. */
const promotable: GradeOutcome = 'failing'

export async function promoteAttempt (store: EpisodeStore, arena: Arena, episodeId: string, parent: Parent): Promise<Promoted> {
  const id = promoteId(episodeId, parent.order + 1)
  const known = await store.result<Promoted>(id)
  if (known !== null) return known
  const member = await firstFailed(store, episodeId, parent)
  if (member === null) return await store.keepOutput(id, output({ bugId: null }))
  const { bug, manifest } = await store.bug({ episodeId, ...parent })
  const predPatch = await store.attempt(solveId(episodeId, parent.order, member))
  const promoted = createBug({ ...bug.files, predPatch }, bug.id)
  return await store.keepOutput(id, output({ bugId: promoted.id }, { artifact: { folder: bugFolder(promoted.id), bug: promoted, manifest: createManifest(promoted, arena, { ...manifest! }) } }))
}

async function firstFailed (store: EpisodeStore, episodeId: string, { order, attempts }: Parent): Promise<number | null> {
  for (const { member, solved } of attempts) {
    if (solved === false && (await store.result<GradeResult>(gradeId(episodeId, order, member)))?.grade.outcome === promotable) return member
  }
  return null
}
