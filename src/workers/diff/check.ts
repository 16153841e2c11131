// The first phase of applying: each section is checked against the tree as it was, and its new content is made, before
// anything is written. Sections see each other in order: a file that an earlier one changed is read as changed, one that
// it removed is gone, and one that any section will remove does not stand in the way of a new one. Renames and copies
// always read the tree as it was.

import { SparError } from '../../errors.ts'
import { applyBinary } from './apply-binary.ts'
import { file, type PatchIndex } from './patch-index.ts'
import { isSafePath } from './paths.ts'
import type { Section } from './section.ts'
import { applyHunks } from './text.ts'
import { isFolder, isLink, type Missing, modeType, type World } from './tree.ts'

const fileType = 0o100000
const nothing = new Uint8Array(0)

/** What became of a path: the section that wrote it last, or that it is removed, or will be. */
type Past = Section | 'removed' | 'will be removed'

export interface Plan {
  index: PatchIndex
  reverse: boolean
  world: World
  sections: readonly Section[]
  binaryBytesMax: number
}

/** Links that sections remove or leave, as far as the patch itself says so. */
export interface Links { removed: Set<string>; kept: Set<string> }

export const refuse = (code: string, path: string, why: string): SparError =>
  new SparError(code, `Cannot apply the patch to "${path}": ${why}`, { data: { path } })

/** Fills in modes and results of the sections. Throws where git refuses. */
export function checkSections (plan: Plan): Links {
  const links = linksOf(plan.sections)
  const past = new Map<string, Past>()
  for (const section of plan.sections) if (section.newPath === null || section.isRename) past.set(section.oldPath!, 'will be removed')
  for (const section of plan.sections) checkSection(section, plan, past, links)
  return links
}

function linksOf (sections: readonly Section[]): Links {
  const links: Links = { removed: new Set(), kept: new Set() }
  for (const { oldPath, newPath, oldMode, newMode, isRename, isDelete } of sections) {
    if (oldPath !== null && isLink(oldMode) && (isRename || isDelete !== 0)) links.removed.add(oldPath)
    if (newPath !== null && isLink(newMode)) links.kept.add(newPath)
  }
  return links
}

function checkSection (section: Section, plan: Plan, past: Map<string, Past>, links: Links): void {
  if (section.isNew === 1 && section.oldName !== null) throw refuse('PATCH_MALFORMED', section.oldPath!, 'a new file that has an old name')
  const before = section.isRename || section.isCopy || section.oldPath === null ? undefined : past.get(section.oldPath)
  if (before === 'removed') throw refuse('PATCH_NO_FILE', section.oldPath!, 'an earlier section removes or renames it')
  const previous = before === 'will be removed' ? undefined : before
  if (section.oldPath !== null) checkOld(section, section.oldPath, previous, plan.world)
  checkNew(section, plan.world, past)
  checkNames(section)
  if (section.isDelete === 0 && isBeyondLink(section.newPath!, links, plan.world)) {
    throw refuse('PATCH_BEYOND_LINK', section.newPath!, 'it is beyond a symbolic link')
  }
  section.result = contentOf(section, previous, plan)
  if (section.newPath !== null) past.set(section.newPath, section)
  if (section.newPath === null || section.isRename) past.set(section.oldPath!, 'removed')
  if (section.isDelete === 1 && section.result.length > 0) throw refuse('PATCH_CONFLICT', section.oldPath ?? section.newPath!, 'what is left of the removed file is not empty')
}

/** The old side must be there, and of the stated type. A section that leaves it open may turn out to add the file. */
function checkOld (section: Section, path: string, previous: Section | undefined, world: World): void {
  const found = previous ? previous.newMode : world.stat(path)
  if (typeof found === 'string') {
    if (found !== 'ENOENT' || section.isNew !== -1) throw refuse('PATCH_NO_FILE', path, reasons[found])
    Object.assign(section, { isNew: 1, isDelete: 0, oldName: null, oldPath: null })
    return
  }
  if (section.isNew === -1) section.isNew = 0
  if (section.oldMode === 0) section.oldMode = found
  if (((found ^ section.oldMode) & modeType) !== 0) throw refuse('PATCH_WRONG_TYPE', path, `it has mode ${octal(found)}, and the patch is for mode ${octal(section.oldMode)}`)
  if (section.newMode === 0 && section.isDelete === 0) section.newMode = found
}

const reasons: Record<Missing, string> = {
  ENOENT: 'there is no such file',
  ENOTDIR: 'a part of its path is a file',
  ELOOP: 'its path leads through links in a circle',
  ENAMETOOLONG: 'its path is too long'
}

const octal = (mode: number): string => (mode >>> 0).toString(8).padStart(6, '0')

function checkNew (section: Section, world: World, past: Map<string, Past>): void {
  const { newPath, oldPath } = section
  if (newPath === null) return
  if (section.isNew === 1 || section.isRename || section.isCopy) {
    const state = past.get(newPath)
    checkFree(newPath, state === 'removed' || state === 'will be removed', world)
    if (section.newMode === 0) section.newMode = section.isNew === 1 ? fileType | 0o644 : section.oldMode
  }
  if (oldPath === null) return
  if (section.newMode === 0) section.newMode = section.oldMode
  if (((section.oldMode ^ section.newMode) & modeType) !== 0) {
    throw refuse('PATCH_WRONG_TYPE', newPath, `its new mode ${octal(section.newMode)} is of another type than ${octal(section.oldMode)}`)
  }
}

function checkFree (path: string, madeFree: boolean, world: World): void {
  const found = world.stat(path)
  if (typeof found === 'string') {
    if (found === 'ENOENT' || found === 'ENOTDIR') return
    throw refuse('PATCH_BAD_PATH', path, reasons[found])
  }
  if (isFolder(found) || madeFree || world.leadsThroughLink(path)) return
  throw refuse('PATCH_FILE_EXISTS', path, 'it exists already')
}

/** git lets a copy read from anywhere, and looks at the names of all else. */
function checkNames (section: Section): void {
  const { oldName, newName, isDelete, isNew, isCopy } = section
  const reads = isDelete !== 0 || (isNew === 0 && !isCopy)
  if (oldName !== null && reads && !isSafePath(oldName, section.oldMode)) throw refuse('PATCH_BAD_PATH', section.oldPath!, 'git takes no such path')
  if (newName !== null && isDelete === 0 && !isSafePath(newName, section.newMode)) throw refuse('PATCH_BAD_PATH', section.newPath!, 'git takes no such path')
}

/** Whether a folder of the path is a link in the end: one that the patch leaves, or one of the tree that it does not remove. */
export function isBeyondLink (path: string, links: Links, world: World): boolean {
  for (let slash = path.lastIndexOf('/'); slash > 0; slash = path.lastIndexOf('/', slash - 1)) {
    const folder = path.slice(0, slash)
    if (links.kept.has(folder)) return true
    if (links.removed.has(folder)) continue
    const found = world.stat(folder)
    if (typeof found === 'number' && isLink(found)) return true
  }
  return false
}

function contentOf (section: Section, previous: Section | undefined, plan: Plan): Uint8Array {
  const path = section.oldPath
  // A submodule's content is not in the tree: git applies nothing, and says nothing.
  const submodule = previous === undefined && path !== null && isFolder(section.oldMode)
  const before = previous?.result ?? (submodule || path === null ? nothing : readOld(path, plan.world))
  const { index, reverse } = plan
  if (section.isBinary) return applyBinary(before, section, index, reverse, submodule, plan.binaryBytesMax)
  if (submodule) return before
  const { bytes, hunkTable } = index.plain
  const result = applyHunks(before, bytes, hunkTable, index.cell(section.index, file.firstHunk), index.cell(section.index, file.hunks), index.cell(section.index, file.growth), reverse)
  if (typeof result === 'number') throw refuse('PATCH_CONFLICT', path ?? section.newPath!, `hunk ${result + 1} of ${index.cell(section.index, file.hunks)} does not fit`)
  return result
}

function readOld (path: string, world: World): Uint8Array {
  if (world.leadsThroughLink(path)) throw refuse('PATCH_BEYOND_LINK', path, 'it is beyond a symbolic link')
  const bytes = world.read(path)
  if (bytes === null) throw refuse('PATCH_NO_FILE', path, 'it is no file')
  return bytes
}
