// One file section while it is applied: what the patch says of it, in the direction asked for, and what the tree adds.

import { textOfPath } from './bytes.ts'
import type { Told } from './header.ts'
import { file, fileFlag, type PatchIndex } from './patch-index.ts'

export interface Section {
  readonly index: number
  /** Binary strings. */
  oldName: string | null
  newName: string | null
  /** The same as paths of the tree. */
  oldPath: string | null
  newPath: string | null
  isNew: Told
  isDelete: Told
  isRename: boolean
  isCopy: boolean
  isBinary: boolean
  oldMode: number
  newMode: number
  oldId: string
  newId: string
  /** The new content, once it is known. */
  result: Uint8Array
}

const nothing = new Uint8Array(0)

/** All sections in the order in which git takes them: backwards, and each turned around, when the patch is reversed. */
export function sectionsOf (index: PatchIndex, reverse: boolean): Section[] {
  const sections = Array.from({ length: index.fileCount }, (_, at) => reverse ? turned(sectionOf(index, at)) : sectionOf(index, at))
  return reverse ? sections.reverse() : sections
}

function sectionOf (index: PatchIndex, at: number): Section {
  const oldName = index.name(at, file.oldName)
  const newName = index.name(at, file.newName)
  return {
    index: at,
    oldName,
    newName,
    oldPath: oldName === null ? null : textOfPath(oldName),
    newPath: newName === null ? null : textOfPath(newName),
    isNew: index.told(at, file.isNew),
    isDelete: index.told(at, file.isDelete),
    isRename: index.flag(at, fileFlag.renamed),
    isCopy: index.flag(at, fileFlag.copied),
    isBinary: index.flag(at, fileFlag.binary),
    oldMode: index.cell(at, file.oldMode),
    newMode: index.cell(at, file.newMode),
    oldId: index.name(at, file.oldId) ?? '',
    newId: index.name(at, file.newId) ?? '',
    result: nothing
  }
}

/** A rename stays a rename, and a copy a copy: that its target is there already is found out later. */
const turned = (section: Section): Section => ({
  ...section,
  oldName: section.newName,
  newName: section.oldName,
  oldPath: section.newPath,
  newPath: section.oldPath,
  isNew: section.isDelete,
  isDelete: section.isNew,
  oldMode: section.newMode,
  newMode: section.oldMode,
  oldId: section.newId,
  newId: section.oldId
})
