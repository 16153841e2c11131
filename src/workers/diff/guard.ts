// What a patch of a stranger may not do before anything is written: reach outside of the tree, into `.git`, through a link
// or into a submodule, name a path twice or in two spellings that some file systems take for one, or touch too much. git
// allows some of this, so it is apart from applying. Every refusal is a SparError with a code of its own.

import { SparError } from '../../errors.ts'
import { hasRawBytes } from './bytes.ts'
import { fileFlag, type PatchFileEntry, type PatchIndex } from './patch-index.ts'
import type { Tree } from './tree.ts'

export interface GuardLimits {
  filesMax: number
  pathBytesMax: number
}

export const guardLimits: GuardLimits = { filesMax: 1000, pathBytesMax: 4096 }

const refuse = (code: string, message: string, data: Record<string, unknown>): never => {
  throw new SparError(code, message, { data })
}

/** Refuses a path that is not a plain relative path inside the tree. */
export function guardPath (path: string, limits: Pick<GuardLimits, 'pathBytesMax'> = guardLimits): void {
  const shown = JSON.stringify(path.slice(0, 200))
  if (path === '' || path.includes('\0')) refuse('PATCH_BAD_PATH', `Cannot use path ${shown}: it is empty or holds a NUL`, { path })
  if (hasRawBytes(path)) refuse('PATCH_BAD_PATH', `Cannot use path ${shown}: it is not UTF-8`, { path })
  if (Buffer.byteLength(path) > limits.pathBytesMax) refuse('PATCH_BAD_PATH', `Cannot use path ${shown}: it is longer than ${limits.pathBytesMax} bytes (pathBytesMax)`, { path })
  const parts = path.split('/')
  if (path.startsWith('/') || parts.includes('..')) refuse('PATCH_OUTSIDE', `Cannot use path ${shown}: it reaches outside the tree`, { path })
  if (parts.includes('') || parts.includes('.')) refuse('PATCH_BAD_PATH', `Cannot use path ${shown}: it has an empty part or "."`, { path })
  if (parts.some(isGitName)) refuse('PATCH_GIT_DIR', `Cannot use path ${shown}: it reaches into .git`, { path })
}

/** `.git` under every spelling that some file system takes for it. */
const isGitName = (part: string): boolean => part.split('\\').some(name =>
  /^(?:\.git|git~1)$/i.test(name.replace(/[\u200c-\u200f\u202a-\u202e\u206a-\u206f\ufeff]/g, '').replace(/:.*$/s, '').replace(/[. ]+$/, '')))

/** Refuses file modes other than those of regular files. */
export function guardMode (mode: string, path: string): void {
  if (/^12/.test(mode)) refuse('PATCH_SYMLINK', `Cannot use a patch with a symbolic link: "${path}"`, { path })
  if (/^16/.test(mode)) refuse('PATCH_SUBMODULE', `Cannot use a patch with a submodule: "${path}"`, { path })
  if (!/^100[0-7]{3}$/.test(mode)) refuse('PATCH_MALFORMED', `Cannot use a patch with mode ${mode.slice(0, 20)} of "${path}": only regular files`, { path, mode })
}

/** Paths that a section creates, changes or removes. A copy's source is only read. */
export function touchedPaths (file: Pick<PatchFileEntry, 'oldPath' | 'newPath' | 'status'>): string[] {
  const paths = file.status === 'copied' ? [file.newPath] : [file.oldPath, file.newPath]
  return [...new Set(paths.filter(path => path !== null))]
}

/**
 * Refuses what no patch may do, whoever wrote it; with a tree also what depends on what is there: links that are touched
 * or lead to a path, and a new path that differs from one of the tree in case only.
 */
export function guardPatch (index: PatchIndex, { tree, limits = {} }: { tree?: Tree; limits?: Partial<GuardLimits> } = {}): void {
  const caps = { ...guardLimits, ...limits }
  const { bytes, readTo } = index.plain
  if (index.fileCount > caps.filesMax) refuse('PATCH_TOO_LARGE', `Cannot use a patch over ${index.fileCount} files: the limit is ${caps.filesMax} (filesMax)`, { files: index.fileCount })
  if (readTo < bytes.length) refuse('PATCH_MALFORMED', `Cannot use a patch of which git would apply only the first ${readTo} bytes: a binary block behind them is broken`, { at: readTo })
  const files = index.files()
  files.forEach((file, at) => { guardFile(file, index.flag(at, fileFlag.nul), caps) })
  const paths = files.flatMap(touchedPaths)
  guardTwice(paths)
  guardCase(files, tree ?? new Map())
  if (tree) for (const path of files.flatMap(({ oldPath, newPath }) => [oldPath, newPath])) if (path !== null) guardLinks(path, tree)
}

function guardFile ({ oldPath, newPath, oldMode, newMode }: PatchFileEntry, nul: boolean, caps: GuardLimits): void {
  const path = (newPath ?? oldPath)!
  if (nul) refuse('PATCH_BAD_PATH', `Cannot use a patch with a NUL in a path: ${JSON.stringify(path.slice(0, 200))}`, { path })
  for (const name of [oldPath, newPath]) if (name !== null) guardPath(name, caps)
  for (const mode of [oldMode, newMode]) if (mode !== null) guardMode(mode, path)
}

function guardTwice (paths: readonly string[]): void {
  const seen = new Set<string>()
  for (const path of paths) {
    if (seen.has(path)) refuse('PATCH_DUPLICATE', `Cannot use a patch that names "${path}" twice`, { path })
    seen.add(path)
  }
}

/** One spelling for all that a file system without case, or with its own way to write accents, takes for one. */
const folded = (path: string): string => path.normalize('NFC').toLowerCase()

/** Only what is there in the end can be a twin: a rename may change the case of a name. */
function guardCase (files: readonly PatchFileEntry[], tree: Tree): void {
  const spelled = new Map<string, string>()
  for (const { newPath } of files) {
    if (newPath === null) continue
    const twin = spelled.get(folded(newPath))
    if (twin !== undefined) refuse('PATCH_CASE_TWIN', `Cannot use a patch with "${twin}" and "${newPath}": some file systems take them for one`, { path: newPath, twin })
    spelled.set(folded(newPath), newPath)
  }
  const removed = new Set(files.flatMap(({ oldPath, newPath, status }) => oldPath !== newPath && status !== 'copied' ? [oldPath] : []))
  for (const path of tree.keys()) {
    const twin = spelled.get(folded(path))
    if (twin !== undefined && twin !== path && !tree.has(twin) && !removed.has(path)) refuse('PATCH_CASE_TWIN', `Cannot use a patch with "${twin}": the tree has "${path}"`, { path, twin })
  }
}

function guardLinks (path: string, tree: Tree): void {
  for (let end = path.indexOf('/'); ; end = path.indexOf('/', end + 1)) {
    const part = end === -1 ? path : path.slice(0, end)
    if (tree.get(part)?.mode === '120000') refuse('PATCH_SYMLINK', `Cannot use a patch for "${path}": "${part}" is a symbolic link`, { path, link: part })
    if (end === -1) return
  }
}
