// manifest.json of a bug folder: where the bug comes from and what verification found. With the five files beside it, it
// is all that somebody else needs to open the same arena and get the same table.

import { SparError } from '../errors.ts'
import type { Arena, Bug, BugParams, Strategy, Verdict } from '../domain.ts'

export const manifestSchema = 1

export interface Manifest {
  schema: typeof manifestSchema
  id: string
  order: 1 | 2
  parent: string | null
  arena: Pick<Arena, 'id' | 'target' | 'name' | 'commit' | 'tree' | 'image' | 'imagePath' | 'runner' | 'testCommand'>
  params: BugParams
  /** Null for a bug that did not come from a run. */
  strategy: Strategy | null
  seed: number | null
  policy: { name: string; version: string } | null
  /** Null before verification. A bug of order 2 is not verified again and carries its parent's. */
  verdict: Verdict | null
}

export type Provenance = Pick<Manifest, 'params' | 'strategy' | 'seed' | 'policy' | 'verdict'>

export function createManifest (bug: Bug, arena: Arena, provenance: Provenance): Manifest {
  const { id, target, name, commit, tree, image, imagePath, runner, testCommand } = arena
  const { params, strategy, seed, policy, verdict } = provenance
  return {
    schema: manifestSchema,
    id: bug.id,
    order: bug.order,
    parent: bug.parent,
    arena: { id, target, name, commit, tree, image, imagePath, runner, testCommand },
    params,
    strategy,
    seed,
    policy,
    verdict
  }
}

/** Reads the text of a manifest; refuses one that is newer than this reader. Throws ARTIFACT_BAD_MANIFEST. */
export function parseManifest (text: string, where: string): Manifest {
  const bad = (why: string): SparError => new SparError('ARTIFACT_BAD_MANIFEST', `Cannot read ${where}: ${why}`)
  let manifest: Partial<Manifest> | null
  try {
    manifest = JSON.parse(text) as Partial<Manifest> | null
  } catch (error) {
    throw bad((error as Error).message)
  }
  if (typeof manifest !== 'object' || manifest === null) throw bad('it holds no object')
  if (typeof manifest.schema !== 'number' || manifest.schema > manifestSchema) throw bad(`its schema is ${String(manifest.schema)}, this reader knows ${manifestSchema}`)
  const complete = typeof manifest.id === 'string' && typeof manifest.arena?.target === 'string' && typeof manifest.params?.minPassing === 'number'
  if (!complete) throw bad('it lacks id, arena or params')
  return manifest as Manifest
}

export const formatManifest = (manifest: Manifest): string => `${JSON.stringify(manifest, null, 2)}\n`
