// A line diff as git writes it with `--no-renames --binary --full-index -U3` and plain prefixes, but for the function names
// behind @@, deltas of binary files, and the exact choice between diffs that are equally right. The way through it: bytes,
// lines, ids, changed lines, regions, hunks. Deterministic: the same input gives the same bytes.

import { SparError } from '../../errors.ts'
import { formatBinary, isBinary } from './binary.ts'
import { compareLines } from './compare.ts'
import { formatIndex, formatNames, formatOpening, type SectionHeader } from './header.ts'
import { formatHunks } from './hunks.ts'
import { internLines } from './intern.ts'
import { diffLimits, tooLarge, type DiffLimits } from './limits.ts'
import { regionsOf, slideRegions } from './regions.ts'
import { splitLines } from './split.ts'

export interface DiffOptions {
  /** Of the file in its tree, the same on both sides. */
  path: string
  /** `100644`, `100755`, `120000`, or null: there is no such file on that side, and its bytes are empty. */
  beforeMode?: string | null
  afterMode?: string | null
  limits?: Partial<DiffLimits>
}

/**
 * A patch that makes `after` out of `before`; empty when nothing differs. Throws DIFF_TOO_LARGE, DIFF_BAD_PATH and
 * DIFF_BAD_MODE.
 */
export function diffLines (before: Uint8Array, after: Uint8Array, options: DiffOptions): Uint8Array {
  const { path, beforeMode = '100644', afterMode = '100644' } = options
  const limits = { ...diffLimits, ...options.limits }
  requirePath(path, limits.pathBytesMax)
  for (const [mode, bytes] of [[beforeMode, before], [afterMode, after]] as const) requireSide(mode, bytes, limits.bytesMax)
  const header = { path, beforeMode, afterMode }
  if (beforeMode === afterMode && Buffer.compare(before, after) === 0) return new Uint8Array(0)
  if (!turnsLink(beforeMode, afterMode)) return section(before, after, header, limits)
  // A file that becomes a symbolic link goes, and the link comes.
  const none = new Uint8Array(0)
  return joined([section(before, none, { ...header, afterMode: null }, limits), section(none, after, { ...header, beforeMode: null }, limits)])
}

function section (before: Uint8Array, after: Uint8Array, header: SectionHeader, limits: DiffLimits): Uint8Array {
  const opening = formatOpening(header)
  if (header.beforeMode !== null && header.afterMode !== null && Buffer.compare(before, after) === 0) return ascii(opening)
  const head = opening + formatIndex(header, before, after)
  if (isBinary(before) || isBinary(after)) return ascii(head + formatBinary(before, after))
  const hunks = diffHunks(before, after, limits)
  return hunks.length === 0 ? ascii(head) : joined([ascii(head + formatNames(header)), hunks])
}

/** The hunks alone. Throws DIFF_TOO_LARGE. */
export function diffHunks (before: Uint8Array, after: Uint8Array, limits: DiffLimits = diffLimits): Uint8Array {
  const [old, young] = [splitLines(before, limits.linesMax), splitLines(after, limits.linesMax)]
  const ids = internLines(old, young, limits.probesMax)
  const regions = slideRegions(regionsOf(compareLines(ids, limits)), ids.before, ids.after)
  return formatHunks(old, young, regions)
}

const modes = ['100644', '100755', '120000']
const turnsLink = (before: string | null, after: string | null): boolean => before !== null && after !== null && (before === '120000') !== (after === '120000')

function requireSide (mode: string | null, bytes: Uint8Array, bytesMax: number): void {
  if (mode !== null && !modes.includes(mode)) throw new SparError('DIFF_BAD_MODE', `Cannot compare files of mode "${mode}": a mode is one of ${modes.join(', ')}, or null for no file`)
  if (mode === null && bytes.length > 0) throw new SparError('DIFF_BAD_MODE', 'Cannot compare: a file that does not exist (mode null) has content')
  if (bytes.length > bytesMax) throw tooLarge('a side has', 'bytesMax', bytesMax)
}

function requirePath (path: string, pathBytesMax: number): void {
  const shown = JSON.stringify(path.slice(0, 200))
  if (path === '' || path.includes('\0') || /\p{Surrogate}/u.test(path)) throw new SparError('DIFF_BAD_PATH', `Cannot name a file ${shown}: it is empty, holds a NUL or is no Unicode text`)
  if (Buffer.byteLength(path) > pathBytesMax) throw tooLarge('the path has', 'pathBytesMax', pathBytesMax)
}

const ascii = (text: string): Uint8Array => {
  const bytes = new Uint8Array(text.length)
  Buffer.from(bytes.buffer).write(text, 'latin1')
  return bytes
}

function joined (parts: Uint8Array[]): Uint8Array {
  const bytes = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0))
  let at = 0
  for (const part of parts) {
    bytes.set(part, at)
    at += part.length
  }
  return bytes
}
