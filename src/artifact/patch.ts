// A reader of git diffs over bytes: which files a patch touches, and the patch split by file. It only reads; `git apply`
// in a sandbox applies. It sees every section that git would see: what git takes for a file and this reader would not
// (sections without `diff --git`, stray hunks) is refused, since a guard must not be blind where git is not.

import { SparError } from '../errors.ts'
import { guardFiles, guardMode, guardPath, guardSize, patchLimits, type PatchLimits } from './patch-guard.ts'
import { readHeader, type PatchHeader } from './patch-header.ts'
import { lineAt, malformed, nextLine } from './patch-lines.ts'

export interface PatchFile {
  /** Null for an added file. */
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
  /** This file's part of the patch, which is a patch of its own; all parts joined are the whole. */
  bytes: Uint8Array
}

/** The files of a patch, in its order; none for an empty one. Throws PATCH_MALFORMED and the codes of patch-guard.ts. */
export function readPatch (bytes: Uint8Array, limits: PatchLimits = patchLimits): PatchFile[] {
  guardSize(bytes.length, limits)
  // One character a byte: offsets in the text are offsets in the bytes.
  const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('latin1')
  const sections = readSections(text, limits)
  const files = sections.map(({ start, ...file }, index) =>
    ({ ...file, bytes: bytes.subarray(index === 0 ? 0 : start, sections[index + 1]?.start ?? bytes.length) }))
  guardFiles(files, limits)
  return files
}

type Section = Omit<PatchFile, 'bytes'> & { start: number }

function readSections (text: string, limits: PatchLimits): Section[] {
  const sections: Section[] = []
  let at = 0
  while (at < text.length) {
    const header = text.startsWith('diff --git ', at) ? readHeader(text, at) : null
    if (header !== null) {
      const body = readBody(text, header.end, limits)
      sections.push(sectionOf(header, body, at, limits))
      at = body.end
    } else {
      refuseHidden(text, at)
      at = nextLine(text, at)
    }
  }
  return sections
}

/** Text between sections is a comment to git, unless it looks like a section or hunk of the older kind. */
function refuseHidden (text: string, at: number): void {
  const second = nextLine(text, at)
  const traditional = text.startsWith('--- ', at) && text.startsWith('+++ ', second) && text.startsWith('@@ -', nextLine(text, second))
  if (traditional) throw malformed(text, at, 'a file section without its "diff --git" line')
  if (hunkHeader(text, at) !== null) throw malformed(text, at, 'a hunk that belongs to no file')
}

function sectionOf (header: PatchHeader, body: Body, start: number, limits: PatchLimits): Section {
  const { oldPath, newPath, status, oldMode, newMode } = header
  for (const path of [oldPath, newPath]) if (path !== null) guardPath(path, limits)
  for (const mode of [oldMode, newMode]) if (mode !== null) guardMode(mode, newPath ?? oldPath!)
  const { binary, addedLines, deletedLines } = body
  const changes = binary || addedLines + deletedLines > 0 || status !== 'modified' || oldMode !== newMode
  if (!changes) throw malformed('', 0, `no change of "${newPath}"`)
  return { oldPath, newPath, status, oldMode, newMode, binary, addedLines, deletedLines, start }
}

interface Body { end: number; binary: boolean; addedLines: number; deletedLines: number }

function readBody (text: string, start: number, limits: PatchLimits): Body {
  if (text.startsWith('GIT binary patch\n', start)) return { ...readBinary(text, start, limits), binary: true, addedLines: 0, deletedLines: 0 }
  const line = lineAt(text, start)
  if (/^(?:Binary f|F)iles .* differ$/.test(line)) throw malformed(text, start, 'a binary file without its content (take the diff with --binary)')
  let [end, addedLines, deletedLines] = [start, 0, 0]
  for (let hunk = readHunk(text, end); hunk !== null; hunk = readHunk(text, end)) {
    end = hunk.end
    addedLines += hunk.added
    deletedLines += hunk.deleted
  }
  return { end, binary: false, addedLines, deletedLines }
}

/** Line counts of a hunk's two sides, or null when no hunk starts here. */
export function hunkHeader (text: string, at: number): { oldLines: number; newLines: number } | null {
  if (!text.startsWith('@@ -', at)) return null
  const match = /^@@ -\d+(?:,(\d+))? \+\d+(?:,(\d+))? @@/.exec(lineAt(text, at))
  return match === null ? null : { oldLines: Number(match[1] ?? 1), newLines: Number(match[2] ?? 1) }
}

function readHunk (text: string, start: number): { end: number; added: number; deleted: number } | null {
  const header = hunkHeader(text, start)
  if (header === null) {
    if (text.startsWith('@@ -', start)) throw malformed(text, start, 'a hunk header')
    return null
  }
  let { oldLines, newLines } = header
  let [at, added, deleted] = [nextLine(text, start), 0, 0]
  while (oldLines > 0 || newLines > 0 || text.startsWith('\\ ', at)) {
    const mark = text[at]
    if (mark === '-') deleted++
    else if (mark === '+') added++
    else if (mark !== ' ' && mark !== '\n' && mark !== '\\') throw malformed(text, start, 'a hunk that ends before its line counts')
    if (mark === '-' || mark === ' ' || mark === '\n') oldLines--
    if (mark === '+' || mark === ' ' || mark === '\n') newLines--
    if (oldLines < 0 || newLines < 0) throw malformed(text, start, 'a hunk with more lines than its counts')
    at = nextLine(text, at)
  }
  return { end: at, added, deleted }
}

/** One or two blocks (forward, reverse), each a size line and base-85 lines up to an empty line. */
function readBinary (text: string, start: number, limits: PatchLimits): { end: number } {
  let at = nextLine(text, start)
  for (let block = 0; block < 2; block++) {
    const size = /^(?:literal|delta) (\d+)$/.exec(lineAt(text, at))
    if (size === null) {
      if (block === 0) throw malformed(text, at, 'a binary block')
      break
    }
    if (Number(size[1]) > limits.binaryBytesMax) throw new SparError('PATCH_TOO_LARGE', `Cannot read a patch with a binary file of ${size[1]} bytes: the limit is ${limits.binaryBytesMax} (binaryBytesMax)`)
    for (at = nextLine(text, at); at < text.length && text[at] !== '\n'; at = nextLine(text, at)) {
      if (!/^[A-Za-z]/.test(text[at]!)) throw malformed(text, at, 'a line of a binary block')
    }
    at = nextLine(text, at)
  }
  return { end: at }
}
