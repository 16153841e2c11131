// The bugs in the folder of a run: each is what its name says, since the name is the hash of its files.

import { existsSync, readdirSync } from 'node:fs'
import { readArtifact, type Artifact } from '../artifact/index.ts'
import { SparError } from '../errors.ts'
import type { BreakResult } from '../run/results.ts'
import { attemptPath } from '../store/episodes.ts'
import type { RunStore } from '../store/run.ts'
import type { Notes } from './notes.ts'

export async function checkArtifacts (store: RunStore, notes: Notes): Promise<void> {
  for (const folder of ['submissions', 'bugs', 'rejected']) {
    if (!existsSync(store.path(folder))) continue
    for (const name of readdirSync(store.path(folder)).filter(name => !name.startsWith('.')).sort()) {
      notes.count('artifact')
      const work = `${folder}/${name}`
      const wanted = folder === 'submissions' ? store.result<BreakResult>(name)?.bugId ?? null : name
      const found = await identify(store, work)
      // A submission without a result is of a rollout that was killed while it was kept.
      if (wanted !== null && found !== wanted) notes.differ({ kind: 'artifact', by: 'evidence', work, field: 'id', stored: wanted, recomputed: found })
    }
  }
}

/** The id that the files of a folder have, or why they have none. */
async function identify (store: RunStore, folder: string): Promise<string> {
  try {
    return (await readArtifact(store.path(folder))).bug.id
  } catch (error) {
    if (!(error instanceof SparError)) throw error
    const { files } = error.data
    return error.code === 'ARTIFACT_ID_MISMATCH' && typeof files === 'string' ? files : `${error.code}: ${error.message}`
  }
}

/** The patch of a solver's rollout; null where there is none. */
export const findPatch = (store: RunStore, rolloutId: string): Uint8Array | null => existsSync(store.path(attemptPath(rolloutId))) ? store.attempt(rolloutId) : null

/** The bug with this id, from the first of these folders where it is whole; null where it is in none. */
export async function findArtifact (store: RunStore, id: string, folders: readonly string[]): Promise<Artifact | null> {
  for (const folder of folders) {
    try {
      const artifact = await readArtifact(store.path(folder))
      if (artifact.bug.id === id) return artifact
    } catch (error) {
      // What is wrong with it is a difference of its own.
      if (!(error instanceof SparError)) throw error
    }
  }
  return null
}
