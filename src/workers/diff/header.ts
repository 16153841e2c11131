// From one place of a patch to the next file section: git's own search, which takes every line that is none for a comment.
// A section opens with `diff --git` and the header lines that follow it, or with `---`, `+++` and `@@ -` in a row. A
// `diff --git` line with no header line below it opens nothing, but its names stay and stand until the next section.

import { SparError } from '../../errors.ts'
import { binaryString, byteAt, cString, LF, nextLine, SPACE, startsWith } from './bytes.ts'
import { isDevNull, isEpoch, nameOfGitLine, readDatedName, readName } from './names.ts'
import { readMode } from './numbers.ts'
import { readHunkHeader } from './hunks.ts'

/** Yes, no, or not told: a diff that is not git's leaves it to the tree whether a file is new. */
export type Told = 1 | 0 | -1

export interface Header {
  /** Binary strings, or null where git has none. */
  oldName: string | null
  newName: string | null
  isNew: Told
  isDelete: Told
  isRename: boolean
  isCopy: boolean
  /** 0 where the patch does not say. */
  oldMode: number
  newMode: number
  /** What stands on either side of the `..` of the index line: object ids, or what a patch has there. */
  oldId: string
  newId: string
  /** Whether a name held a NUL, at which git cuts it. */
  nul: boolean
  /** Whether it is git's kind of section. */
  git: boolean
  start: number
  end: number
}

export const malformed = (bytes: Uint8Array, at: number, what: string): SparError => {
  const line = binaryString(bytes, at, Math.min(nextLine(bytes, at), at + 120)).trimEnd()
  return new SparError('PATCH_MALFORMED', `Cannot read the patch: ${what}, at byte ${at}: ${line}`, { data: { at } })
}

/** The next section's header, or null where only comments follow. Throws PATCH_MALFORMED where git would give up. */
export function findHeader (bytes: Uint8Array, from: number): Header | null {
  const header: Header = { oldName: null, newName: null, isNew: -1, isDelete: -1, isRename: false, isCopy: false, oldMode: 0, newMode: 0, oldId: '', newId: '', nul: false, git: false, start: -1, end: from }
  for (let at = from, next; at < bytes.length; at = next) {
    next = nextLine(bytes, at)
    if (next - at < 6) continue
    if (startsWith(bytes, at, '@@ -')) {
      if (readHunkHeader(bytes, at, next) !== null) throw malformed(bytes, at, 'a hunk that belongs to no file')
      continue
    }
    if (bytes.length < next + 6) return null
    if (startsWith(bytes, at, 'diff --git ')) {
      if (header.start === -1) header.start = at
      const end = readGitHeader(bytes, at, next, header)
      if (end > next) return { ...header, git: true, end }
    } else if (startsWith(bytes, at, '--- ') && startsWith(bytes, next, '+++ ')) {
      const end = nextLine(bytes, next)
      // git's own count of what must follow leaves out the length of the first line.
      if (bytes.length - at < end - next + 14 || !startsWith(bytes, end, '@@ -')) continue
      readOtherHeader(bytes, at, next, header)
      return { ...header, start: header.start === -1 ? at : header.start, end }
    }
  }
  return null
}

function keep (header: Header, name: string | null): string | null {
  if (name?.includes('\0')) header.nul = true
  return name === null ? null : cString(name)
}

// ---- git's ----------------------------------------------------------------------------------------------------------

type Reader = (header: Header, bytes: Uint8Array, at: number, sameName: string | null) => void

const bareName = (header: Header, bytes: Uint8Array, at: number): string | null => keep(header, readName(bytes, at, { strip: 0 }))
const oldMode: Reader = (header, bytes, at) => { header.oldMode = modeAt(bytes, at) }
const newMode: Reader = (header, bytes, at) => { header.newMode = modeAt(bytes, at) }
const oldName: Reader = (header, bytes, at) => { header.oldName = sideName(header, bytes, at, header.oldName, header.isNew) }
const newName: Reader = (header, bytes, at) => { header.newName = sideName(header, bytes, at, header.newName, header.isDelete) }
const renameFrom: Reader = (header, bytes, at) => { header.isRename = true; header.oldName = bareName(header, bytes, at) }
const renameTo: Reader = (header, bytes, at) => { header.isRename = true; header.newName = bareName(header, bytes, at) }

const readers: readonly [string, Reader][] = [
  ['--- ', oldName],
  ['+++ ', newName],
  ['old mode ', oldMode],
  ['new mode ', newMode],
  ['deleted file mode ', (header, bytes, at, sameName) => { header.isDelete = 1; header.oldName = sameName; oldMode(header, bytes, at, null) }],
  ['new file mode ', (header, bytes, at, sameName) => { header.isNew = 1; header.newName = sameName; newMode(header, bytes, at, null) }],
  ['copy from ', (header, bytes, at) => { header.isCopy = true; header.oldName = bareName(header, bytes, at) }],
  ['copy to ', (header, bytes, at) => { header.isCopy = true; header.newName = bareName(header, bytes, at) }],
  ['rename old ', renameFrom],
  ['rename new ', renameTo],
  ['rename from ', renameFrom],
  ['rename to ', renameTo],
  ['similarity index ', () => {}],
  ['dissimilarity index ', () => {}],
  ['index ', readIndexLine]
]

/** Reads into `header`; returns where the header lines end, which is `next` where there is none. */
function readGitHeader (bytes: Uint8Array, at: number, next: number, header: Header): number {
  Object.assign(header, { isNew: 0, isDelete: 0 })
  const sameName = keep(header, nameOfGitLine(bytes, at, next))
  let end = next
  while (end < bytes.length) {
    const after = nextLine(bytes, end)
    if (bytes[after - 1] !== LF) break
    const reader = readers.find(([key]) => startsWith(bytes, end, key))
    if (reader === undefined) break
    reader[1](header, bytes, end + reader[0].length, sameName)
    if (header.isNew + header.isDelete + Number(header.isRename) + Number(header.isCopy) > 1) throw malformed(bytes, end, 'header lines that contradict each other')
    end = after
  }
  if (header.oldName === null && header.newName === null) header.oldName = header.newName = sameName
  if ((header.newName === null && header.isDelete !== 1) || (header.oldName === null && header.isNew !== 1)) throw malformed(bytes, at, 'a header that names no file')
  return end
}

function modeAt (bytes: Uint8Array, at: number): number {
  const mode = readMode(bytes, at)
  if (mode === null) throw malformed(bytes, at, 'a file mode that is none')
  return mode
}

/** The name behind `---` or `+++`, which must agree with what was told before. */
function sideName (header: Header, bytes: Uint8Array, at: number, known: string | null, missing: Told): string | null {
  if (known === null && missing === 1) {
    if (!isDevNull(bytes, at)) throw malformed(bytes, at, 'a name where /dev/null belongs')
    return null
  }
  if (known !== null && missing === 1) throw malformed(bytes, at, 'a name for the missing side of a file')
  const name = keep(header, readName(bytes, at, { strip: 1, tabEnds: true }))
  if (known !== null && name !== known) throw malformed(bytes, at, 'names that contradict each other')
  return name
}

const idLength = 40

/** `index old..new mode`. What does not look like it is ignored; the search for its parts is not bounded by the line. */
function readIndexLine (header: Header, bytes: Uint8Array, at: number): void {
  const dots = cString(binaryString(bytes, at, at + idLength + 1)).indexOf('.')
  if (dots === -1 || byteAt(bytes, at + dots + 1) !== 0x2e) return
  header.oldId = binaryString(bytes, at, at + dots)
  const second = at + dots + 2
  const rest = cString(binaryString(bytes, second, nextLine(bytes, second)))
  const length = /[ \n]|$/.exec(rest)!.index
  if (length > idLength) return
  header.newId = rest.slice(0, length)
  if (byteAt(bytes, second + length) === SPACE) header.oldMode = modeAt(bytes, second + length + 1)
}

// ---- diff -u, svn and others ----------------------------------------------------------------------------------------

function readOtherHeader (bytes: Uint8Array, minusLine: number, plusLine: number, header: Header): void {
  const minus = minusLine + 4
  const plus = plusLine + 4
  if (isDevNull(bytes, minus)) tell(header, 1, 0, keep(header, readDatedName(bytes, plus, null)))
  else if (isDevNull(bytes, plus)) tell(header, 0, 1, keep(header, readDatedName(bytes, minus, null)))
  else {
    const name = keep(header, readDatedName(bytes, plus, keep(header, readDatedName(bytes, minus, null))))
    if (isEpoch(bytes, minus)) tell(header, 1, 0, name)
    else if (isEpoch(bytes, plus)) tell(header, 0, 1, name)
    else header.oldName = header.newName = name
    if (name === null) throw malformed(bytes, minusLine, 'a section without a file name')
  }
}

function tell (header: Header, isNew: Told, isDelete: Told, name: string | null): void {
  if (name === null) throw new SparError('PATCH_MALFORMED', 'Cannot read the patch: a section without a file name')
  header.isNew = isNew
  header.isDelete = isDelete
  if (isNew === 1) header.newName = name
  else header.oldName = name
}
