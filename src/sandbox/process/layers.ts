// Whom the files belong to. When Spar runs as an ordinary user, that user's own id is mapped into the sandbox and the
// arena's folders serve as they are. When it runs as root, what runs in a sandbox must not be the host's root even under
// another name (a process with that id may write to /proc/sys whatever its capabilities), so it gets an id of its own, and
// each arena's tree is copied once into layers that belong to this id.
//
// An arena is immutable: a layer is known by the arena's id, its folder and the folder's own identity.

import { execFile } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync, lstatSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'

import type { Arena } from '../../domain.ts'
import { rootModeId } from '../system.ts'
import type { HostTools } from './tools.ts'

const run = promisify(execFile)

export interface Layers { tree: string; git: string }

/** Copies with everything (modes, links, times), sharing blocks where the file system can. */
export async function copyTree (tools: HostTools, from: string, to: string): Promise<void> {
  const args = process.platform === 'darwin' ? ['-Rpc', `${from}/.`, to] : ['-a', '--reflink=auto', `${from}/.`, to]
  mkdirSync(to, { recursive: true })
  await run(tools.cp, args, { maxBuffer: 2 ** 24 })
}

export class LayerStore {
  readonly #folder: string
  readonly #tools: HostTools
  readonly #made = new Map<string, Promise<Layers>>()

  constructor (folder: string, tools: HostTools) {
    this.#folder = folder
    this.#tools = tools
  }

  /** The arena's own folders, or copies of them that belong to the sandbox's id. */
  async get (arena: Arena, asRoot: boolean, withGit: boolean): Promise<Layers> {
    const own = { tree: join(arena.dir, 'tree'), git: join(arena.dir, 'git') }
    if (!asRoot) return own
    const tree = await this.#copy(arena, own.tree)
    return { tree, git: withGit ? await this.#copy(arena, own.git) : '' }
  }

  async #copy (arena: Arena, from: string): Promise<string> {
    const stat = lstatSync(from, { bigint: true })
    const key = createHash('sha256').update([arena.id, from, stat.dev, stat.ino, stat.mtimeNs].join('\n')).digest('hex').slice(0, 24)
    let making = this.#made.get(key)
    if (making === undefined) {
      making = this.#make(key, from).then(tree => ({ tree, git: '' }))
      this.#made.set(key, making)
      making.catch(() => this.#made.delete(key))
    }
    return (await making).tree
  }

  async #make (key: string, from: string): Promise<string> {
    const final = join(this.#folder, key)
    if (existsSync(final)) return join(final, 'files')
    mkdirSync(this.#folder, { recursive: true })
    const folder = mkdtempSync(join(this.#folder, `.new-${process.pid}-`))
    try {
      await copyTree(this.#tools, from, join(folder, 'files'))
      await run(this.#tools.chown, ['-R', '-h', `${rootModeId}:${rootModeId}`, join(folder, 'files')])
      writeFileSync(join(folder, 'from'), from)
      renameSync(folder, final)
    } catch (error) {
      rmSync(folder, { recursive: true, force: true })
      // Another process was first: its layer is as good.
      if (!existsSync(final)) throw error
    }
    return join(final, 'files')
  }
}

/** Layers of arenas that are no more. */
export function staleLayers (folder: string): string[] {
  if (!existsSync(folder)) return []
  return readdirSync(folder).filter(name => !name.startsWith('.')).map(name => join(folder, name)).filter(path => {
    try { return !existsSync(readFileSync(join(path, 'from'), 'utf8')) } catch { return true }
  })
}
