// What was found, as findings: `code: text`, with the file that leaks and the file whose original it is.

import { SparError } from '../../errors.ts'
import type { LeakLimits } from './limits.ts'
import { bytecodeSource, isBackup, isBuildOutput, isBytecodeOf, isNamesake } from './names.ts'
import { heldIn, type Form, type Held, type Original } from './text.ts'

export type LeakCode = 'leak-git' | 'leak-copy' | 'leak-build' | 'leak-backup' | 'leak-patch' | 'leak-map' | 'leak-bytecode' | 'leak-archive' | 'leak-open' | 'leak-more' | 'leak-unscanned'

/** `path` as bytes (latin-1); `time` in seconds. */
export interface ReadFile { path: string; bytes: Uint8Array; size: number; time: number }

const finding = (code: LeakCode, text: string): string => `${code}: ${text}`
export const unscanned = (text: string): string => finding('leak-unscanned', text)
export const noWalls = finding('leak-open', 'this sandbox has no walls (isolation none): everything on this host can be read, the original among it')

/** Longest name of a file that is shown whole. */
const shownMax = 300

export function shown (path: string): string {
  const text = Buffer.from(path, 'latin1').toString('utf8').replace(/[\p{Cc}\p{Cf}\p{Cs}]/gu, '?')
  return text.length > shownMax ? `…${text.slice(-shownMax)}` : text
}

/** How the parts of gitCommand's output read where nothing is wrong. */
const ownFile = /^\.git\/(?:HEAD|config|index|COMMIT_EDITMSG|info\/exclude|refs\/heads\/main|logs\/HEAD|logs\/refs\/heads\/main|objects\/pack\/pack-[0-9a-f]{40}\.(?:pack|idx|rev))$/

/** Throws LEAKS_UNREADABLE where the answer is none. */
export function judgeGit (output: Uint8Array, commit: string): string[] {
  const parts = Buffer.from(output).toString('utf8').split('\0').map(part => part.split('\n').filter(line => line !== ''))
  if (parts.length !== 4) throw new SparError('LEAKS_UNREADABLE', 'Cannot read what git says of a solver\'s tree', { retryable: true })
  const [objects, refs, index, files] = parts as [string[], string[], string[], string[]]
  const list = (items: readonly string[]): string => items.slice(0, 3).map(item => item.trim()).join(', ') + (items.length > 3 ? ` and ${items.length - 3} more` : '')
  const others = refs.filter(ref => ref !== `refs/heads/main ${commit}`)
  const odd = files.filter(file => !ownFile.test(file))
  return [
    ...objects.length > 0 ? [finding('leak-git', `the repository holds objects that are not of its commit: ${list(objects)}`)] : [],
    ...others.length > 0 ? [finding('leak-git', `the repository has refs beside its branch: ${list(others)}`)] : [],
    ...index.length > 0 ? [finding('leak-git', `the index names what the commit does not have: ${list(index)}`)] : [],
    ...odd.length > 0 ? [finding('leak-git', `the repository holds files of other uses: ${list(odd)}`)] : []
  ]
}

export const heldInStore = (store: string, path: string): string => finding('leak-git', `${shown(store)} holds the original of ${path} as an object`)

const codes: Record<Form, LeakCode> = { plain: 'leak-copy', patch: 'leak-patch', map: 'leak-map' }

export function judgeFile ({ path, bytes }: ReadFile, originals: readonly Original[], tree: string): string[] {
  return heldIn(bytes, originals, changed => isNamesake(path, changed)).map(held => {
    const code = held.form !== 'plain' ? codes[held.form] : isBackup(path, held.path) ? 'leak-backup' : isBuildOutput(path, tree) ? 'leak-build' : 'leak-copy'
    return finding(code, `${shown(path)} ${heldText(held)}`)
  })
}

const heldText = ({ path, changes, of }: Held): string => `holds the original of ${changes === of && of === 1 ? 'the change' : `${changes} of ${of} changes`} in ${path}`

/**
 * Compiled Python whose source says how the file was. One that was made from the source that stands beside it says no more
 * than that source, which is looked at by itself.
 */
export function judgeBytecode (files: readonly ReadFile[], originals: readonly Original[]): string[] {
  const sources = new Map(files.map(file => [file.path, file]))
  return files.flatMap(({ path, bytes }) => {
    const of = originals.find(original => isBytecodeOf(path, original.path))
    if (of === undefined || madeFrom(bytes, sources.get(bytecodeSource(path)!))) return []
    return [finding('leak-bytecode', `${shown(path)} was compiled from another ${of.path}`)]
  })
}

/** Header of a compiled file: magic, flags, then time and size of its source, four bytes each; with flags a hash of it. */
function madeFrom (bytecode: Uint8Array, source: ReadFile | undefined): boolean {
  if (source === undefined || bytecode.length < 16) return false
  const head = Buffer.from(bytecode.buffer, bytecode.byteOffset, 16)
  return head.readUInt32LE(4) === 0 && head.readUInt32LE(8) === source.time % 2 ** 32 && head.readUInt32LE(12) === source.size % 2 ** 32
}

/** Output of archivesCommand for members that were read. */
export function judgeArchives (output: Uint8Array, originals: readonly Original[]): string[] {
  const bytes = Buffer.from(output.buffer, output.byteOffset, output.length)
  const findings: string[] = []
  for (let at = 0; at < bytes.length;) {
    const end = bytes.indexOf(0, at)
    const [archive = '', member] = bytes.toString('latin1', at, Math.max(at, end)).split('\x01/')
    at = end + 1
    if (end === -1) throw new SparError('LEAKS_UNREADABLE', 'Cannot read what the archives of a sandbox hold', { retryable: true })
    if (member === undefined) {
      findings.push(unscanned(shown(archive.replace('\x02', ': '))))
      continue
    }
    const start = bytes.indexOf(10, at) + 1
    const size = Number(bytes.toString('latin1', at, start - 1))
    findings.push(...heldIn(bytes.subarray(start, start + size), originals, changed => isNamesake(member, changed)).map(held => finding('leak-archive', `${shown(member)} in ${shown(archive)} ${heldText(held)}`)))
    at = start + size
  }
  return findings
}

/** Sorted, each once, as many as there may be. */
export function listed (findings: readonly string[], { findingsMax }: LeakLimits): string[] {
  const all = [...new Set(findings)].sort()
  return all.length <= findingsMax ? all : [...all.slice(0, findingsMax), finding('leak-more', `${all.length - findingsMax} more findings are not listed (findingsMax)`)]
}
