// Which folders of the host a container may see: for an arena that lives in a directory the system's programs, the
// toolchains and what was installed for the arena, each read-only at its own path. Every bind passes `assertBindable`,
// wherever it comes from.

import { readFileSync, realpathSync, statSync } from 'node:fs'
import { homedir } from 'node:os'

import { SparError } from '../../errors.ts'
import { outermost, type System } from '../system.ts'

export interface Bind { from: string; to: string }

/** Neither these, nor what is in them, nor what holds them. */
const kernelAndState = ['/proc', '/sys', '/dev', '/run', '/var/run', '/var/lib/docker', '/boot', '/etc']
const mountInfo = '/proc/self/mountinfo'

const holds = (folder: string, path: string): boolean => path === folder || path.startsWith(folder === '/' ? '/' : folder + '/')
/** A home as a whole, by its usual place. */
const isHome = (folder: string): boolean => /^\/(root|home(\/[^/]+)?|Users(\/[^/]+)?)$/.test(folder)

function real (path: string): string {
  try { return realpathSync(path) } catch { return path }
}

function whyNot (folder: string): string | null {
  const places = [folder, real(folder)]
  const homes = [homedir(), real(homedir())]
  if (places.some(place => !place.startsWith('/') || place.includes('/../') || place.endsWith('/..'))) return 'it is no absolute path'
  if (places.some(place => kernelAndState.some(path => holds(place, path) || holds(path, place)))) return 'it holds state of the host'
  if (places.some(place => isHome(place) || homes.some(home => holds(place, home)))) return 'it is a home, or holds one'
  return null
}

/** Throws SANDBOX_BAD_MOUNT for what no container may see, not even read-only. */
export function assertBindable (folder: string): void {
  const reason = whyNot(folder)
  if (reason !== null) throw new SparError('SANDBOX_BAD_MOUNT', `Cannot show ${folder} in a container: ${reason}. Only folders of programs and what was installed for an arena are`, { data: { folder } })
}

/** Outer folders before those in them. */
export function hostBinds (system: System, folders: string[]): Bind[] {
  const wanted = outermost(folders).filter(folder => !system.systemMounts.some(mount => holds(mount, folder)))
  const outer = [...system.systemMounts, ...wanted]
  const all = [...outer, ...mountsBelow(outer)]
  for (const folder of all) {
    assertBindable(folder)
    if (!statSync(folder).isDirectory()) throw new SparError('SANDBOX_BAD_MOUNT', `Cannot show ${folder} in a container: it is no folder`, { data: { folder } })
  }
  return all.sort().map(folder => ({ from: real(folder), to: folder }))
}

/** A bind shows one file system, since what is mounted below it would not be read-only; those come as binds of their own. */
function mountsBelow (folders: string[]): string[] {
  const points = readFileSync(mountInfo, 'utf8').split('\n').map(line => line.split(' ')[4] ?? '').map(decodeField)
  const below = points.filter(point => folders.some(folder => point !== folder && holds(real(folder), point)))
  return [...new Set(below)].filter(point => { try { return statSync(point).isDirectory() } catch { return false } })
}

const decodeField = (text: string): string => text.replace(/\\([0-7]{3})/g, (_, code: string) => String.fromCharCode(Number.parseInt(code, 8)))
