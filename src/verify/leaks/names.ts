// What a file's name says of a changed file: that it has the same name, is a backup of it, or what was compiled of it.

import { basename, dirname } from 'node:path/posix'
import { stemOf } from './commands.ts'

/** The last folder and the name; the name alone of a file at the top. */
export const shortPath = (path: string): string => path.split('/').slice(-2).join('/')

const endsWith = (path: string, end: string): boolean => path === end || path.endsWith(`/${end}`)

/** Folders that every package has: a name below them says nothing. */
const anybodys = /^(?:src|lib|dist|build|source|sources|app|core|common|internal|utils?|helpers?|types|models|tests?|test_utils|scripts|bin|js|py|python|packages|_?vendor|cjs|esm|es|umd)\//

/** Of the same name in a folder of the same name that means something, whatever ending a compiler gave it. */
export function isNamesake (path: string, changed: string): boolean {
  const short = shortPath(changed)
  if (!short.includes('/') || anybodys.test(short)) return false
  return endsWith(path, short) || endsWith(stemOf(path.replace(/\.map$/, '')), stemOf(short))
}

/** Of the same name anywhere, or a backup of one. */
export const isAlike = (path: string, changed: string): boolean => basename(path) === basename(changed) || isNamesake(path, changed) || isBackup(path, changed)

/** What editors, patch and merge tools leave beside a file. */
export function isBackup (path: string, changed: string): boolean {
  const [name, of] = [basename(path), basename(changed)]
  if (!name.includes(of) || name === of) return name.startsWith(`${stemOf(of)}.`) && /\.(?:orig|old|bak|backup|BASE|LOCAL|REMOTE)(?:\.[^.]*)?$|\.(?:BASE|LOCAL|REMOTE)\.\d+\./.test(name)
  return /^[.#]|[~#]$|\.(?:orig|rej|bak|backup|old|save|swp|swo|swn|tmp|copy|mine|theirs|r\d+)$/i.test(name)
}

export const isBytecodeOf = (path: string, changed: string): boolean => endsWith(bytecodeSource(path) ?? '', shortPath(changed))

/** Where the source of a compiled Python file stands, or would stand. */
export function bytecodeSource (path: string): string | null {
  const match = /^(.*\/)?(?:__pycache__\/)?([^/]+?)(?:\.(?:cpython|pypy)-?[^/]*?)?\.py[co]$/.exec(path)
  if (match === null) return null
  const [, folder = '', stem] = match
  return `${folder.replace(/__pycache__\/$/, '')}${stem}.py`
}

const buildFolder = /(?:^|\/)(?:build|dist|out|target|\.next|\.turbo|\.cache|coverage|htmlcov|[^/]+\.egg-info)(?:\/|$)/

export const isBuildOutput = (path: string, tree: string): boolean => path.startsWith(`${tree}/`) && buildFolder.test(dirname(path.slice(tree.length + 1)))
