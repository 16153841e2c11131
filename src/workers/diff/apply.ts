// Applying a patch to a tree in memory, in two phases: every result is made from the tree as it was (check.ts), then old
// files are removed, then new ones written, in the order and with the side effects of `git apply`. The tree given is never
// changed; what the patch does not touch is shared with the result.

import { SparError } from '../../errors.ts'
import { checkSections, isBeyondLink, refuse, type Links } from './check.ts'
import { diffLimits, type DiffLimits } from './limits.ts'
import { emptyPatch, parsePatch } from './parse.ts'
import type { PatchIndex } from './patch-index.ts'
import { sectionsOf, type Section } from './section.ts'
import { isFolder, isLink, type Tree, type TreeFile, World } from './tree.ts'

export interface ApplyOptions {
  /** Applies the patch backwards, as `git apply -R` does. */
  reverse?: boolean
  limits?: Partial<DiffLimits>
}

/** Applies a patch, or one that is read already. See index.ts. */
export function applyPatch (patch: Uint8Array | PatchIndex, tree: Tree, { reverse = false, limits = {} }: ApplyOptions = {}): Map<string, TreeFile> {
  const index = patch instanceof Uint8Array ? parsePatch(patch, limits) : patch
  if (index.fileCount === 0) throw emptyPatch()
  const world = new World(tree)
  const sections = sectionsOf(index, reverse)
  const links = checkSections({ index, reverse, world, sections, binaryBytesMax: limits.binaryBytesMax ?? diffLimits.binaryBytesMax })
  if (sections.every(changesInPlace)) for (const section of sections) world.files.set(section.newPath!, fileOf(section))
  else {
    for (const section of sections) removeOld(section, world)
    for (const section of sections) if (section.isDelete !== 1) writeNew(section, world, links)
  }
  return world.files
}

/** Such sections need none of what a file system does between removing and writing. */
const changesInPlace = ({ oldPath, newPath, isNew, isDelete, isCopy, newMode }: Section): boolean =>
  oldPath !== null && oldPath === newPath && isNew === 0 && isDelete === 0 && !isCopy && !isFolder(newMode) && !isLink(newMode)

function removeOld ({ oldPath, oldMode, isNew, isDelete, isCopy, isRename }: Section, world: World): void {
  if (isDelete !== 1 && (isNew === 1 || isCopy)) return
  const prune = isDelete === 1 || isRename
  if (isFolder(oldMode)) world.removeFolder(oldPath!, prune)
  else world.remove(oldPath!, prune)
}

function writeNew (section: Section, world: World, links: Links): void {
  const path = section.newPath!
  if (isBeyondLink(path, links, world)) throw refuse('PATCH_BEYOND_LINK', path, 'it is beyond a symbolic link')
  if (isFolder(section.newMode)) world.makeFolder(path)
  // git fails to make a link to nothing; but where it cannot make its folder either, it goes on as if it had made both.
  else if (isLink(section.newMode) && (section.result[0] ?? 0) === 0 && world.isBelowFile(path)) return
  else world.write(path, fileOf(section))
}

const targetBytesMax = 4095

function fileOf ({ newPath, newMode, result }: Section): TreeFile {
  if (!isLink(newMode)) return { mode: (newMode & 0o100) === 0 ? '100644' : '100755', bytes: result }
  const end = result.indexOf(0)
  const bytes = end === -1 ? result : result.slice(0, end)
  if (bytes.length === 0 || bytes.length > targetBytesMax) {
    throw new SparError('PATCH_BLOCKED', `Cannot write "${newPath}": a symbolic link needs a target of 1 to ${targetBytesMax} bytes`, { data: { path: newPath } })
  }
  return { mode: '120000', bytes }
}
