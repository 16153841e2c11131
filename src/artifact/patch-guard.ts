// What no patch may do, whoever wrote it: reach outside the tree, into `.git`, or through links and submodules, name a
// file twice, or be larger than the caps. Held by the reader, before anything uses a patch. Links that already are in the
// tree are not visible here: applying refuses them (src/verify/tree.ts).

import { SparError } from '../errors.ts'
import type { PatchFile } from './patch.ts'

export const patchLimits = {
  bytesMax: 16 * 2 ** 20,
  filesMax: 1000,
  pathBytesMax: 4096,
  /** Declared size of one binary file, unpacked. */
  binaryBytesMax: 64 * 2 ** 20
}
export type PatchLimits = typeof patchLimits

const refuse = (code: string, message: string, data: Record<string, unknown>): never => {
  throw new SparError(code, message, { data })
}

export function guardSize (bytes: number, limits: PatchLimits): void {
  if (bytes > limits.bytesMax) refuse('PATCH_TOO_LARGE', `Cannot read a patch of ${bytes} bytes: the limit is ${limits.bytesMax} (bytesMax)`, { bytes })
}

/** Refuses a path that is not a plain relative path inside the tree. */
export function guardPath (path: string, limits: PatchLimits = patchLimits): void {
  const shown = JSON.stringify(path.slice(0, 200))
  if (path === '' || path.includes('\0')) refuse('PATCH_BAD_PATH', `Cannot use path ${shown}: it is empty or holds a NUL`, { path })
  if (Buffer.byteLength(path) > limits.pathBytesMax) refuse('PATCH_BAD_PATH', `Cannot use path ${shown}: it is longer than ${limits.pathBytesMax} bytes (pathBytesMax)`, { path })
  const parts = path.split('/')
  if (path.startsWith('/') || parts.includes('..')) refuse('PATCH_OUTSIDE', `Cannot use path ${shown}: it reaches outside the tree`, { path })
  if (parts.includes('') || parts.includes('.')) refuse('PATCH_BAD_PATH', `Cannot use path ${shown}: it has an empty part or "."`, { path })
  if (parts.some(isGitName)) refuse('PATCH_GIT_DIR', `Cannot use path ${shown}: it reaches into .git`, { path })
}

/** `.git` under every spelling that some file system takes for it. */
const isGitName = (part: string): boolean =>
  /^(?:\.git|git~1)$/i.test(part.replace(/[\u200c-\u200f\u202a-\u202e\u206a-\u206f\ufeff]/g, '').replace(/[. ]+$/, '').replace(/:.*$/, ''))

/** Refuses file modes other than those of regular files. */
export function guardMode (mode: string, path: string): void {
  if (/^12/.test(mode)) refuse('PATCH_SYMLINK', `Cannot use a patch with a symbolic link: "${path}"`, { path })
  if (/^16/.test(mode)) refuse('PATCH_SUBMODULE', `Cannot use a patch with a submodule: "${path}"`, { path })
  if (!/^100[0-7]{3}$/.test(mode)) refuse('PATCH_MALFORMED', `Cannot use a patch with mode ${mode.slice(0, 20)} of "${path}": only regular files`, { path, mode })
}

/** Refuses too many files, and a path that two sections write. A copy's source is only read. */
export function guardFiles (files: readonly PatchFile[], limits: PatchLimits): void {
  if (files.length > limits.filesMax) refuse('PATCH_TOO_LARGE', `Cannot read a patch over ${files.length} files: the limit is ${limits.filesMax} (filesMax)`, { files: files.length })
  const seen = new Set<string>()
  for (const path of files.flatMap(touchedPaths)) {
    if (seen.has(path)) refuse('PATCH_DUPLICATE', `Cannot use a patch that names "${path}" twice`, { path })
    seen.add(path)
  }
}

/** Paths that a section creates, changes or removes. */
export function touchedPaths (file: PatchFile): string[] {
  const paths = file.status === 'copied' ? [file.newPath] : [file.oldPath, file.newPath]
  return [...new Set(paths.filter(path => path !== null))]
}
