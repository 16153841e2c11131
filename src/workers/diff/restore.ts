// Inverse mutation: a tree with some files of a patch put back as they were before it.

import { SparError } from '../../errors.ts'
import { applyPatch, type ApplyOptions } from './apply.ts'
import { parsePatch } from './parse.ts'
import { formatPatch } from './split.ts'
import type { Tree, TreeFile } from './tree.ts'

/**
 * Applies backwards only the sections that touch one of the paths (either name of a rename counts), to a tree that has the
 * whole patch. Throws PATCH_NO_FILE for a path that the patch does not touch, and what applyPatch throws.
 */
export function restoreFiles (patch: Uint8Array, tree: Tree, paths: readonly string[], options: Omit<ApplyOptions, 'reverse'> = {}): Map<string, TreeFile> {
  const index = parsePatch(patch, options.limits)
  const wanted = new Set(paths)
  const found = new Set<string>()
  const chosen = index.files().flatMap(({ oldPath, newPath }, at) => {
    const touched = [oldPath, newPath].filter(path => path !== null && wanted.has(path))
    for (const path of touched) found.add(path!)
    return touched.length > 0 ? [at] : []
  })
  const missing = paths.find(path => !found.has(path))
  if (missing !== undefined) throw new SparError('PATCH_NO_FILE', `Cannot restore "${missing}": the patch does not touch it`, { data: { path: missing } })
  return applyPatch(formatPatch(index, chosen), tree, { ...options, reverse: true })
}
