// The patches of artifacts and of solvers, read by the diff engine and held to more than git asks: only git's own kind of
// section, regular files, plain paths inside the tree, each named once, and caps on sizes. What git sees is what the engine
// sees, so nothing that git would apply escapes. Links that already are in the tree are not visible here: applying refuses
// them (src/verify/tree.ts).

import { SparError } from '../errors.ts'
import { guardPatch, parsePatch, reversePatch as reverseDiff, splitPatch, type PatchFileEntry, type PatchIndex } from '../workers/diff/index.ts'

export interface PatchFile extends Omit<PatchFileEntry, 'hunks' | 'start' | 'end'> {
  /** This file's part of the patch, which is a patch of its own; all parts joined are the whole. */
  bytes: Uint8Array
}

export const patchLimits = {
  bytesMax: 16 * 2 ** 20,
  filesMax: 1000,
  pathBytesMax: 4096,
  /** Declared size of one binary file, unpacked. */
  binaryBytesMax: 64 * 2 ** 20
}
export type PatchLimits = typeof patchLimits

/** A bug's patches are read again for each tree that they are applied to: readings of small ones are kept, the latest so many. */
const kept = { bytesMax: 16 * 1024, readingsMax: 256 }
const readings = new Map<string, readonly PatchFile[]>()

/** The files of a patch, in its order; none for an empty one. Throws PATCH_MALFORMED and the codes of the guards (workers/diff/guard.ts). */
export function readPatch (bytes: Uint8Array, limits: PatchLimits = patchLimits): PatchFile[] {
  if (limits !== patchLimits || bytes.length > kept.bytesMax) return readAnew(bytes, limits)
  const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('latin1')
  const known = readings.get(text)
  if (known !== undefined) return [...known]
  // Of a copy, which nobody else holds.
  const files = readAnew(new Uint8Array(bytes), limits)
  if (readings.size >= kept.readingsMax) readings.delete(readings.keys().next().value!)
  readings.set(text, files)
  return [...files]
}

function readAnew (bytes: Uint8Array, limits: PatchLimits): PatchFile[] {
  const index = readIndex(bytes, limits)
  const parts = splitPatch(index)
  return index.files().map(({ oldPath, newPath, status, oldMode, newMode, binary, addedLines, deletedLines }, at) => ({
    oldPath,
    newPath,
    status,
    // The mode of an index line is that of both sides.
    oldMode,
    newMode: newMode ?? (newPath === null ? null : oldMode),
    binary,
    addedLines,
    deletedLines,
    bytes: parts[at]!
  }))
}

function readIndex (bytes: Uint8Array, limits: PatchLimits): PatchIndex {
  const index = parsePatch(bytes, { patchBytesMax: limits.bytesMax, filesMax: limits.filesMax, binaryBytesMax: limits.binaryBytesMax })
  index.files().forEach((file, at) => { requirePlain(file, at, index) })
  guardPatch(index, { limits })
  return index
}

/** What git takes, and a diff of ours never is. */
function requirePlain ({ oldPath, newPath, status, start, binary }: PatchFileEntry, at: number, index: PatchIndex): void {
  const malformed = (what: string): SparError => new SparError('PATCH_MALFORMED', `Cannot read the patch: ${what}, at byte ${start}: ${newPath ?? oldPath}`, { data: { at: start } })
  if (!index.isGit(at)) throw malformed('a file section without its "diff --git" line')
  if (status === 'modified' && oldPath !== newPath) throw malformed('two names where there is one file')
  if (binary && !index.hasContent(at)) throw malformed('a binary file without its content (take the diff with --binary)')
}

/**
 * The patch turned around: what `git diff -R` prints for the same change. Needed as text for the solver, who is shown the
 * weakening backwards. Throws what `readPatch` throws, and PATCH_NO_REVERSE.
 */
export const reversePatch = (bytes: Uint8Array): Uint8Array => reverseDiff(readIndex(bytes, patchLimits))
