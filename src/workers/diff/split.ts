// A patch taken apart by file and put together again. A part is the section with what stands behind it up to the next
// one; the first part also has what stands before. So every part is a patch of its own, and all joined are the whole.

import { file, PatchIndex } from './patch-index.ts'
import { parsePatch } from './parse.ts'

/** The parts, sharing the patch's memory; a patch without sections is one part, an empty one none. */
export function splitPatch (patch: Uint8Array | PatchIndex): Uint8Array[] {
  const index = patch instanceof Uint8Array ? parsePatch(patch) : patch
  const { bytes } = index.plain
  const starts = Array.from({ length: index.fileCount }, (_, at) => index.cell(at, file.start))
  if (bytes.length === 0) return []
  return [0, ...starts.slice(1)].map((start, at) => bytes.subarray(start, starts[at + 1] ?? bytes.length))
}

export const joinPatches = (parts: readonly Uint8Array[]): Uint8Array => Buffer.concat(parts)

/** The bytes of a patch that was read, or of some of its files, by number. */
export function formatPatch (index: PatchIndex, files?: readonly number[]): Uint8Array {
  const parts = splitPatch(index)
  return joinPatches(files === undefined ? parts : files.map(at => parts[at]!))
}
