// The tree a patch is applied to, as a file system that answers git's questions: what stands at a path (links on the way
// are followed, the last one is not), whether the way there leads through a link, and what removing and creating files
// does to folders, which are there as long as something is in them or until they are removed when they become empty.
// Nothing is outside of the tree: a path or link that leads out of it leads to nothing.

import { SparError } from '../../errors.ts'

export interface TreeFile { mode: '100644' | '100755' | '120000'; bytes: Uint8Array }
export type Tree = ReadonlyMap<string, TreeFile>

export const modeType = 0o170000
export const linkMode = 0o120000
/** A folder is a submodule to git. */
export const folderMode = 0o160000

export const isLink = (mode: number): boolean => (mode & modeType) === linkMode
export const isFolder = (mode: number): boolean => (mode & modeType) === folderMode

const pathBytesMax = 4095
const nameBytesMax = 255
const linksMax = 40

export type Missing = 'ENOENT' | 'ENOTDIR' | 'ELOOP' | 'ENAMETOOLONG'

interface Place { path: string; mode: number }

/** Bytes of a path, a byte that is not UTF-8 counted as one. */
const bytesOf = (path: string): number => Buffer.byteLength(path) - 2 * (path.match(/\p{Cs}/gu)?.length ?? 0)

const parentOf = (path: string): string => path.slice(0, Math.max(0, path.lastIndexOf('/')))

export class World {
  readonly files: Map<string, TreeFile>
  /** How many names each folder holds; made when first asked for. */
  private held: Map<string, number> | null = null

  constructor (tree: Tree) {
    this.files = new Map(tree)
  }

  /** The mode of what stands there, as `lstat` finds it. */
  stat (path: string): number | Missing {
    const file = this.files.get(path)
    if (file !== undefined) return modeOf(file)
    const place = this.walk(path, 0)
    return typeof place === 'string' ? place : place.mode
  }

  read (path: string): Uint8Array | null {
    const file = this.files.get(path)
    if (file !== undefined) return file.bytes
    const place = this.walk(path, 0)
    return typeof place === 'string' ? null : this.files.get(place.path)?.bytes ?? null
  }

  /** Whether a folder on the way is a link. */
  leadsThroughLink (path: string): boolean {
    for (let slash = path.indexOf('/', 1); slash !== -1; slash = path.indexOf('/', slash + 1)) {
      const found = this.stat(path.slice(0, slash))
      if (typeof found === 'string') return false
      if (!isFolder(found)) return isLink(found)
    }
    return false
  }

  private get folders (): Map<string, number> {
    if (this.held === null) {
      this.held = new Map()
      for (const path of this.files.keys()) this.hold(path)
    }
    return this.held
  }

  /** Counts a new name in its folder, and makes the folders that are missing. */
  private hold (path: string): void {
    const folders = this.folders
    for (let at = path; at.includes('/');) {
      at = parentOf(at)
      const count = folders.get(at)
      folders.set(at, (count ?? 0) + 1)
      if (count !== undefined) return
    }
  }

  private walk (path: string, links: number): Place | Missing {
    if (path === '' || path.startsWith('/')) return 'ENOENT'
    if (path.length > pathBytesMax / 3 && bytesOf(path) > pathBytesMax) return 'ENAMETOOLONG'
    const parts = path.split('/')
    let at = ''
    for (let index = 0; index < parts.length; index++) {
      const part = parts[index]!
      if (part === '' || part === '.') continue
      if (part === '..') {
        if (at === '') return 'ENOENT'
        at = parentOf(at)
        continue
      }
      if (part.length > nameBytesMax / 3 && bytesOf(part) > nameBytesMax) return 'ENAMETOOLONG'
      const next = at === '' ? part : `${at}/${part}`
      const file = this.files.get(next)
      if (file === undefined) {
        if (!this.folders.has(next)) return 'ENOENT'
        at = next
        continue
      }
      const last = index === parts.length - 1
      if (last) return { path: next, mode: modeOf(file) }
      if (file.mode !== '120000') return 'ENOTDIR'
      if (links === linksMax) return 'ELOOP'
      const target = Buffer.from(file.bytes).toString('utf8')
      if (target.startsWith('/')) return 'ENOENT'
      return this.walk([...(at === '' ? [] : [at]), target, ...parts.slice(index + 1)].join('/'), links + 1)
    }
    return { path: at, mode: folderMode }
  }

  // ---- changing it --------------------------------------------------------------------------------------------------

  /** Removes a file, and with `prune` the folders that become empty. Whether there was one. */
  remove (path: string, prune: boolean): boolean {
    const place = this.files.has(path) ? { path, mode: 0 } : this.walk(path, 0)
    if (typeof place === 'string' || !this.files.has(place.path)) return false
    void this.folders
    this.files.delete(place.path)
    this.release(place.path, prune)
    return true
  }

  /** Removes an empty folder. */
  removeFolder (path: string, prune: boolean): void {
    const place = this.walk(path, 0)
    if (typeof place === 'string' || this.folders.get(place.path) !== 0) return
    this.folders.delete(place.path)
    this.release(place.path, prune)
  }

  private release (path: string, prune: boolean): void {
    for (let at = path; at.includes('/');) {
      at = parentOf(at)
      const count = this.folders.get(at)! - 1
      this.folders.set(at, count)
      if (count > 0 || !prune) return
      this.folders.delete(at)
    }
  }

  /** Writes a file, in place of a file or of an empty folder. Throws PATCH_BLOCKED where something else is in the way. */
  write (path: string, file: TreeFile): void {
    this.refuseBlocked(path)
    const children = this.folders.get(path)
    if (children !== undefined && children > 0) throw blocked(path, 'it is a folder that is not empty')
    if (children === undefined && !this.files.has(path)) this.hold(path)
    this.folders.delete(path)
    this.files.set(path, file)
  }

  makeFolder (path: string): void {
    this.refuseBlocked(path)
    if (this.files.has(path)) throw blocked(path, 'it is a file')
    if (this.folders.has(path)) return
    this.hold(path)
    this.folders.set(path, 0)
  }

  isBelowFile (path: string): boolean {
    for (let at = parentOf(path); at !== ''; at = parentOf(at)) if (this.files.has(at)) return this.files.get(at)!.mode !== '120000'
    return false
  }

  /**
   * A link can only stand in the way here when one section removes it and another one puts it back. git 2.39 then writes
   * through it, wherever it leads, or loses the file without a word: the one thing that is refused here and not there.
   */
  private refuseBlocked (path: string): void {
    for (let slash = path.indexOf('/'); slash !== -1; slash = path.indexOf('/', slash + 1)) {
      const folder = path.slice(0, slash)
      const file = this.files.get(folder)
      if (file?.mode === '120000') throw new SparError('PATCH_THROUGH_LINK', `Cannot write "${path}": the patch removes the link "${folder}" and puts it back`, { data: { path } })
      if (file) throw blocked(path, `"${folder}" is not a folder`)
    }
  }
}

const modeOf = (file: TreeFile): number => file.mode === '120000' ? linkMode : file.mode === '100755' ? 0o100755 : 0o100644

const blocked = (path: string, why: string): SparError => new SparError('PATCH_BLOCKED', `Cannot write "${path}": ${why}`, { data: { path } })
