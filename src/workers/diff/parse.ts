// Reading a patch into its index. It takes and refuses what `git apply` takes and refuses at this stage, which is more
// than a patch of ours may be: see guard.ts for what is refused beyond that.

import { SparError } from '../../errors.ts'
import { isDifferLine, readBlock, type Block } from './binary.ts'
import { nextLine, startsWith } from './bytes.ts'
import { findHeader, malformed, type Header } from './header.ts'
import { hunk, readHunks, type Changes } from './hunks.ts'
import { diffLimits, holdLimit, type DiffLimits } from './limits.ts'
import { Newlines } from './newlines.ts'
import { file, fileFlag, PatchIndex } from './patch-index.ts'
import { Table } from './table.ts'

/**
 * Reads a patch. The index keeps the bytes; they must not change. Where git finds no section, the index has no files.
 * Throws PATCH_MALFORMED where git refuses the patch whatever the tree is, and PATCH_TOO_LARGE over a limit.
 */
export function parsePatch (patch: Uint8Array, limits: Partial<DiffLimits> = {}): PatchIndex {
  const caps = { ...diffLimits, ...limits }
  holdLimit(caps, 'patchBytesMax', patch.length, 'bytes')
  return new Reading(patch, caps).read()
}

class Reading {
  private readonly files = new Table(file.columns, 64)
  private readonly hunks = new Table(hunk.columns, 1024)
  private readonly newlines: Newlines
  private names = ''
  private unpacked = 0
  private readonly bytes: Uint8Array
  private readonly limits: DiffLimits

  constructor (bytes: Uint8Array, limits: DiffLimits) {
    this.bytes = bytes
    this.newlines = new Newlines(bytes)
    this.limits = limits
  }

  read (): PatchIndex {
    const { bytes } = this
    let at: number | null = 0
    let readTo = bytes.length
    while (at < bytes.length) {
      const header = findHeader(bytes, at)
      if (header === null) break
      at = this.readSection(header)
      if (at === null) {
        readTo = header.start
        break
      }
      holdLimit(this.limits, 'filesMax', this.files.rows, 'files')
    }
    return new PatchIndex({ bytes, fileTable: this.files.trimmed(), hunkTable: this.hunks.trimmed(), names: Buffer.from(this.names, 'latin1'), readTo })
  }

  /** Returns where the section ends, or null for a binary block that git cannot read, at which it stops without a word. */
  private readSection (header: Header): number | null {
    const { bytes } = this
    const firstHunk = this.hunks.rows
    const changes = readHunks(bytes, this.newlines, header.end, this.hunks)
    if ('broken' in changes) throw malformed(bytes, changes.broken, 'a hunk that is not what its header says')
    holdLimit(this.limits, 'hunksMax', this.hunks.rows, 'hunks')
    this.settle(header, changes)
    const binary = changes.hunks === 0 ? this.readBinary(header) : notBinary
    if (binary === null) return null
    if (changes.hunks === 0 && !binary.binary && !changesMetadata(header)) throw malformed(bytes, header.start, 'a section that changes nothing')
    this.keep(header, changes, firstHunk, binary)
    return Math.max(changes.end, binary.end)
  }

  /** Only now a diff that is not git's tells whether it may add or remove the file: one hunk, with one side empty. */
  private settle (header: Header, { hunks, oldLines, newLines }: Changes): void {
    if (header.isNew === -1 && (oldLines > 0 || hunks > 1)) header.isNew = 0
    if (header.isDelete === -1 && (newLines > 0 || hunks > 1)) header.isDelete = 0
    if (header.isNew === 1 && oldLines > 0) throw malformed(this.bytes, header.start, 'a new file with old lines')
    if (header.isDelete === 1 && newLines > 0) throw malformed(this.bytes, header.start, 'a deleted file with new lines')
  }

  private readBinary (header: Header): Binary | null {
    const { bytes } = this
    const start = header.end
    if (!startsWith(bytes, start, 'GIT binary patch\n')) {
      const differ = isDifferLine(bytes, start)
      return { binary: differ, end: differ ? nextLine(bytes, start) : start }
    }
    const forward = this.readBlock(nextLine(bytes, start))
    if (forward === null || forward === 'broken') return null
    const back = this.readBlock(forward.end + 1)
    if (back === 'broken') return null
    return { binary: true, forward, end: (back ?? forward).end + 1, ...(back ? { back } : {}) }
  }

  private readBlock (at: number): Block | 'broken' | null {
    const block = readBlock(this.bytes, at, this.limits.binaryBytesMax)
    if (block !== null && block !== 'broken') this.unpacked += block.size
    holdLimit(this.limits, 'binaryTotalBytesMax', this.unpacked, 'bytes of binary files')
    return block
  }

  private keep (header: Header, changes: Changes, firstHunk: number, { binary, forward, back, end }: Binary): void {
    const row = this.files.add()
    const { data } = this.files
    const flags = (header.isRename ? fileFlag.renamed : 0) | (header.isCopy ? fileFlag.copied : 0) | (binary ? fileFlag.binary : 0) |
      (header.nul ? fileFlag.nul : 0) | (header.git ? fileFlag.git : 0)
    data.set([header.start, header.end, Math.max(end, changes.end), firstHunk, changes.hunks, changes.added, changes.deleted, changes.growth], row)
    data.set([...this.range(header.oldName), ...this.range(header.newName), ...this.range(header.oldId), ...this.range(header.newId)], row + file.oldName)
    data.set([header.oldMode, header.newMode, header.isNew, header.isDelete, flags], row + file.oldMode)
    for (const [column, block] of [[file.forward, forward], [file.back, back]] as const) {
      if (block !== undefined) data.set([block.method, block.size, block.start, block.end], row + column)
    }
  }

  private range (name: string | null): [number, number] {
    if (name === null) return [-1, -1]
    this.names += name
    return [this.names.length - name.length, this.names.length]
  }
}

interface Binary { binary: boolean; end: number; forward?: Block; back?: Block }

const notBinary: Binary = { binary: false, end: 0 }

/** What a section without a hunk may change. "Not told" of a deletion counts as a change, as it does for git. */
const changesMetadata = ({ isRename, isCopy, isNew, isDelete, oldMode, newMode }: Header): boolean =>
  isRename || isCopy || isNew === 1 || isDelete !== 0 || (oldMode !== 0 && newMode !== 0 && oldMode !== newMode)

/** The refusal of a patch that holds no section, which `git apply` refuses too. */
export const emptyPatch = (): SparError => new SparError('PATCH_EMPTY', 'Cannot apply the patch: it holds no file section')
