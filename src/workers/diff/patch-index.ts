// What is known of a patch after reading it: where each file's section and each hunk is, as numbers. The patch's bytes
// stay as they are; a string is made when somebody asks for it. The plain form crosses to another thread cheaply, and
// both tables can be moved.

import { binaryString, textOfPath } from './bytes.ts'
import { blockMethod, type Block } from './binary.ts'
import type { Told } from './header.ts'

/** Columns of the table of files. Names and object ids are ranges in `names`; a missing name starts at -1. */
export const file = {
  start: 0,
  /** Offset of the first hunk or binary block, behind the header. */
  body: 1,
  end: 2,
  firstHunk: 3,
  hunks: 4,
  added: 5,
  deleted: 6,
  growth: 7,
  oldName: 8,
  newName: 10,
  oldId: 12,
  newId: 14,
  oldMode: 16,
  newMode: 17,
  isNew: 18,
  isDelete: 19,
  flags: 20,
  /** Method, size, start and end of the binary block forward, and of the one back. */
  forward: 21,
  back: 25,
  columns: 29
} as const

export const fileFlag = { renamed: 1, copied: 2, binary: 4, nul: 8, git: 16 } as const

export interface PatchFileEntry {
  /** Null for an added file. Bytes that are not UTF-8 are lone surrogates U+DC80 to U+DCFF. */
  oldPath: string | null
  /** Null for a deleted file. */
  newPath: string | null
  status: 'added' | 'deleted' | 'modified' | 'renamed' | 'copied'
  /** Octal, as the patch states them; null where it does not. */
  oldMode: string | null
  newMode: string | null
  binary: boolean
  addedLines: number
  deletedLines: number
  hunks: number
  /** The section in the patch; what stands before the first section or between two belongs to none. */
  start: number
  end: number
}

export interface PlainPatchIndex {
  bytes: Uint8Array
  fileTable: Int32Array
  hunkTable: Int32Array
  names: Uint8Array
  /** Where git stops reading: before a binary block that it cannot read, else at the end. What is behind is ignored. */
  readTo: number
}

export class PatchIndex {
  readonly plain: PlainPatchIndex

  constructor (plain: PlainPatchIndex) {
    this.plain = plain
  }

  get fileCount (): number {
    return this.plain.fileTable.length / file.columns
  }

  /** One object a section, in the patch's order. Made anew at each call. */
  files (): PatchFileEntry[] {
    return Array.from({ length: this.fileCount }, (_, index) => this.entry(index))
  }

  /** What `git apply --numstat` prints; lines are null for a binary file. */
  numstat (): { path: string; added: number | null; deleted: number | null }[] {
    return this.files().map(({ oldPath, newPath, binary, addedLines, deletedLines }) =>
      ({ path: newPath ?? oldPath!, added: binary ? null : addedLines, deleted: binary ? null : deletedLines }))
  }

  entry (index: number): PatchFileEntry {
    const binary = this.flag(index, fileFlag.binary)
    return {
      oldPath: pathOf(this.name(index, file.oldName)),
      newPath: pathOf(this.name(index, file.newName)),
      status: this.status(index),
      oldMode: modeText(this.cell(index, file.oldMode)),
      newMode: modeText(this.cell(index, file.newMode)),
      binary,
      addedLines: this.cell(index, file.added),
      deletedLines: this.cell(index, file.deleted),
      hunks: this.cell(index, file.hunks),
      start: this.cell(index, file.start),
      end: this.cell(index, file.end)
    }
  }

  cell (index: number, column: number): number {
    return this.plain.fileTable[index * file.columns + column]!
  }

  flag (index: number, flag: number): boolean {
    return (this.cell(index, file.flags) & flag) !== 0
  }

  /** Whether the section opens with `diff --git`. */
  isGit (index: number): boolean {
    return this.flag(index, fileFlag.git)
  }

  /** Whether a binary section carries what the file becomes. */
  hasContent (index: number): boolean {
    return this.cell(index, file.forward) !== blockMethod.none
  }

  told (index: number, column: typeof file.isNew | typeof file.isDelete): Told {
    return this.cell(index, column) as Told
  }

  /** A name or object id as a binary string; null where there is none. */
  name (index: number, column: number): string | null {
    const start = this.cell(index, column)
    return start === -1 ? null : binaryString(this.plain.names, start, this.cell(index, column + 1))
  }

  block (index: number, column: typeof file.forward | typeof file.back): Block {
    return { method: this.cell(index, column), size: this.cell(index, column + 1), start: this.cell(index, column + 2), end: this.cell(index, column + 3) }
  }

  private status (index: number): PatchFileEntry['status'] {
    if (this.cell(index, file.isNew) === 1) return 'added'
    if (this.cell(index, file.isDelete) === 1) return 'deleted'
    return this.flag(index, fileFlag.renamed) ? 'renamed' : this.flag(index, fileFlag.copied) ? 'copied' : 'modified'
  }
}

const pathOf = (name: string | null): string | null => name === null ? null : textOfPath(name)

const modeText = (mode: number): string | null => mode === 0 ? null : (mode >>> 0).toString(8).padStart(6, '0')
