// Images of arenas that live in a directory: no registry and no base image, one layer that is packed here. It holds what a
// process sandbox has beside the host's programs: the tree (with its history or without, or none), an /etc and empty
// folders to mount on. The tree belongs to an ordinary id; everything else is root's, which no process in it is.
//
// An image is known by a digest of what it is made from, so that the next process finds it again. Its labels say which
// machine and folder it was made from: it goes with that folder.

import { execFile, spawn } from 'node:child_process'
import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { chmodSync, existsSync, lstatSync, mkdirSync, mkdtempSync, realpathSync, symlinkSync, writeFileSync } from 'node:fs'
import { rm } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { Readable } from 'node:stream'
import { promisify } from 'node:util'

import type { Arena } from '../../domain.ts'
import { SparError } from '../../errors.ts'
import type { SandboxSpec } from '../../ports.ts'
import type { Owner } from '../owner.ts'
import { ownerFile } from '../process/reap.ts'
import { etcState, makeEtc, rootModeId, scratchPath, treePath, type System } from '../system.ts'
import type { Engine } from './engine.ts'

const run = promisify(execFile)

export const imageLabels = { machine: 'org.spar.image.machine', from: 'org.spar.image.from' }
const repository = 'spar-arena'
/** Raised when what an image holds changes. */
const layout = 1
/** Names that mean "removed" in a layer; an engine would take them at their word. */
const whiteout = '.wh.'
/** Of a tar archive. */
const blockBytes = 512
const skeletonBytesMax = 2 ** 26
const complaintBytesMax = 2000

/** Who runs in containers of these images: whoever runs Spar, so that the toolchains can be read, but never root. */
export function containerIds (): { uid: number; gid: number } {
  const uid = process.getuid?.() ?? rootModeId
  return uid === 0 ? { uid: rootModeId, gid: rootModeId } : { uid, gid: process.getgid?.() ?? uid }
}

/** What of a folder of the host goes below the tree's path. */
interface Part { folder: string; what: string }

export class ArenaImages {
  readonly #engine: Engine
  readonly #folder: string
  readonly #owner: Owner
  readonly #system: System
  readonly #made = new Map<string, Promise<string>>()

  constructor (engine: Engine, options: { home: string; owner: Owner; system: System }) {
    this.#engine = engine
    this.#folder = join(resolve(options.home), 'sandboxes')
    this.#owner = options.owner
    this.#system = options.system
  }

  /** Digest of the image that shows this view of the arena, made where the engine does not have it. */
  async get (arena: Arena, view: SandboxSpec['view']): Promise<string> {
    if (view === 'empty') return await this.empty()
    const tree = { folder: join(arena.dir, 'tree'), what: '.' }
    const history = { folder: join(arena.dir, 'git'), what: './.git' }
    return await this.#get(arena.dir, view === 'history' ? [tree, history] : [tree], arena.id)
  }

  /** Without any tree. */
  async empty (): Promise<string> {
    mkdirSync(this.#folder, { recursive: true })
    return await this.#get(this.#folder, [], '')
  }

  /** Looks again before the next use: somebody may have removed an image that nothing used. */
  forget (): void {
    this.#made.clear()
  }

  async #get (from: string, parts: Part[], id: string): Promise<string> {
    const key = createHash('sha256').update([layout, from, id, ...parts.map(stateOf), JSON.stringify(containerIds()), JSON.stringify(this.#system), etcState(containerIds().uid)].join('\n')).digest('hex').slice(0, 32)
    let making = this.#made.get(key)
    if (making === undefined) {
      making = this.#make(`${repository}:${key}`, from, parts)
      this.#made.set(key, making)
      making.catch(() => this.#made.delete(key))
    }
    return await making
  }

  async #make (name: string, from: string, parts: Part[]): Promise<string> {
    const known = await this.#engine.image(name)
    if (known !== null) return known.id
    for (const part of parts) await assertNoWhiteout(part)
    mkdirSync(this.#folder, { recursive: true })
    const stage = mkdtempSync(join(this.#folder, '.image-'))
    try {
      writeFileSync(join(stage, ownerFile), JSON.stringify(this.#owner))
      makeSkeleton(join(stage, 'root'), this.#system)
      for (const path of [treePath, scratchPath]) mkdirSync(join(stage, 'own', path), { recursive: true })
      const labels = { [imageLabels.machine]: this.#owner.machine, [imageLabels.from]: realpathSync(from) }
      return await this.#engine.importImage(Readable.from(pack(stage, parts)), { name, labels })
    } finally { await rm(stage, { recursive: true, force: true }) }
  }
}

async function assertNoWhiteout ({ folder }: Part): Promise<void> {
  const { stdout } = await run('find', [resolve(folder), '-name', `${whiteout}*`, '-print', '-quit'])
  if (stdout !== '') throw new SparError('SANDBOX_NO_IMAGE', `Cannot pack an arena into an image: to an engine the name of ${stdout.trim()} means that something was removed. Rename it, or use --sandbox process`)
}

/** Removes the images of this machine whose folder is no more; not those in use. Returns what it removed. */
export async function removeStaleImages (engine: Engine, machine: string): Promise<string[]> {
  const removed: string[] = []
  for (const { id, labels } of await engine.images(`${imageLabels.machine}=${machine}`)) {
    const folder = labels[imageLabels.from]
    if (folder !== undefined && !existsSync(folder) && await engine.removeImage(id)) removed.push(`image ${id.slice(7, 19)}`)
  }
  return removed
}

function stateOf ({ folder }: Part): string {
  const { dev, ino, mtimeNs } = lstatSync(folder, { bigint: true })
  return [folder, dev, ino, mtimeNs].join(' ')
}

const ordinary = ['etc', 'mnt', 'usr', 'var', 'run', 'dev', 'proc', 'sys']
const writable = ['tmp', 'var/tmp']

function makeSkeleton (folder: string, { links, systemMounts }: System): void {
  for (const path of [...ordinary, ...writable, ...systemMounts]) mkdirSync(join(folder, path), { recursive: true })
  for (const path of writable) chmodSync(join(folder, path), 0o1777)
  for (const { path, target } of links) symlinkSync(target, join(folder, path))
  makeEtc(join(folder, 'etc'), { network: false, own: containerIds().uid })
  chmodSync(folder, 0o755)
}

/** One archive with two owners: root's skeleton without its end, then what belongs to the sandbox's id. */
async function * pack (stage: string, parts: Part[]): AsyncGenerator<Buffer> {
  const root = join(stage, 'root')
  // The last entry is a folder, which is all header: the zeros after it are the end of the archive.
  const { stdout } = await run('tar', ['-c', '--numeric-owner', '--owner=0', '--group=0', '--exclude=./proc', '-C', root, '.', '-C', root, 'proc'], { encoding: 'buffer', maxBuffer: skeletonBytesMax })
  yield withoutEnd(stdout)
  const { uid, gid } = containerIds()
  const transform = `--transform=s|^\\.|${treePath.slice(1)}|S`
  // The engine takes no path twice: the tree's own folder is the first entry of its part.
  const empty = [scratchPath, ...(parts.length === 0 ? [treePath] : [])].map(path => path.slice(1))
  const places = ['-C', join(stage, 'own'), ...empty, ...parts.flatMap(({ folder, what }) => ['-C', resolve(folder), what])]
  yield * output('tar', ['-c', '--numeric-owner', `--owner=${uid}`, `--group=${gid}`, transform, ...places])
}

function withoutEnd (archive: Buffer): Buffer {
  let length = archive.length
  while (length >= blockBytes && archive.subarray(length - blockBytes, length).every(byte => byte === 0)) length -= blockBytes
  return archive.subarray(0, length)
}

async function * output (file: string, args: string[]): AsyncGenerator<Buffer> {
  const child = spawn(file, args, { stdio: ['ignore', 'pipe', 'pipe'] })
  let complaint = ''
  child.stderr.on('data', (chunk: Buffer) => { complaint = (complaint + chunk.toString()).slice(-complaintBytesMax) })
  const ended = once(child, 'close')
  ended.catch(() => {})
  yield * child.stdout
  const [code] = await ended as [number | null]
  if (code !== 0) throw new SparError('SANDBOX_NO_IMAGE', `Cannot pack an arena into an image: ${complaint.trim() || `tar ends with ${code}`}. It takes GNU tar, files that can be read, and room on the disk`)
}
