// The search for leaks: proves on a solver's tree that nothing of the original of the bug's changes can be read, or says where.
//
//   git       every object of the repository is of its one commit; no other store holds the original's files
//   content   files that hold the original's text: tree (whatever ignores it), mounts, writable folders
//   names     files of a changed file's name anywhere on the system; backups; bytecode; what archives hold
//
// All that reads files runs in the solver's sandbox, before the solver. A fault of the sandbox is thrown; a limit that was
// reached is a finding. Findings change no outcome.

import { basename, dirname } from 'node:path/posix'
import { readPatch, touchedPaths } from '../../artifact/index.ts'
import type { Arena, Bug } from '../../domain.ts'
import { SparError } from '../../errors.ts'
import type { Sandbox } from '../../ports.ts'
import { blobId } from '../../workers/blob-id.ts'
import { applyPatch, type TreeFile } from '../../workers/diff/index.ts'
import { throwIfAborted } from '../tree.ts'
import { archivesCommand, chosenCommand, contentCommand, gitCommand, listCommand, namesCommand, noReader, readCommand, stemOf, storesCommand } from './commands.ts'
import { heldInStore, judgeArchives, judgeBytecode, judgeFile, judgeGit, listed, noWalls, shown, unscanned, type ReadFile } from './judge.ts'
import { leakLimits, type LeakLimits } from './limits.ts'
import { pathsWith, readListing, withMembers, withoutTestData, type Listing } from './listing.ts'
import { bytecodeSource, isAlike, isBytecodeOf, shortPath } from './names.ts'
import { Remembered } from './remembered.ts'
import { fragmentsOf, readOriginal, type Original } from './text.ts'

/** What is known already. Of one kind of sandboxes on one machine. */
export interface LeakMemory { scans: Remembered<readonly string[]>; listings: Remembered<Listing> }

const memories = new WeakMap<object, LeakMemory>()

/** Of these sandboxes: a node has one kind. */
export function leakMemoryOf (sandboxes: object): LeakMemory {
  const memory = memories.get(sandboxes) ?? createLeakMemory()
  memories.set(sandboxes, memory)
  return memory
}

export const createLeakMemory = (limits: LeakLimits = leakLimits): LeakMemory => ({ scans: new Remembered(limits.scansMax), listings: new Remembered(limits.listingsMax) })

/** `id`: of all that its patches change. */
export interface SoughtBug { id: string; files: Pick<Bug['files'], 'bugInject' | 'predPatch'> }
export interface LeakRequest { bug: SoughtBug; arena: Arena; /** The one commit of the solver's tree. */ commit: string }

/** Each bug's tree is searched once; `sandbox` holds it, as prepared. Findings as `code: text`, none where nothing leaks. */
export async function scanSolverTree (sandbox: Sandbox, request: LeakRequest, memory: LeakMemory, signal?: AbortSignal, limits: LeakLimits = leakLimits): Promise<readonly string[]> {
  const { bug, arena, commit } = request
  return await memory.scans.get(`${bug.id} ${commit} ${arena.id}`, async () => await new Search(sandbox, request, memory, signal, limits).run().catch((error: unknown) => {
    // A large tree on a slow disk is no reason to play the rollout again.
    if (error instanceof SparError && error.code === 'LEAKS_KILLED') return [unscanned(error.message)]
    throw error
  }), signal)
}

interface Sought { originals: Original[]; /** Ids of the original's files as git objects. */ blobs: Map<string, string>; /** The changed files as they are now. */ now: ReadFile[] }

class Search {
  readonly #sandbox: Sandbox
  readonly #request: LeakRequest
  readonly #memory: LeakMemory
  readonly #signal: AbortSignal | undefined
  readonly #limits: LeakLimits
  readonly #findings: string[] = []
  readonly #isOpen: boolean
  readonly #mounts: string[]
  /** Folders beside the tree that whatever runs in the sandbox can write to. */
  readonly #writable: string[]

  constructor (sandbox: Sandbox, request: LeakRequest, memory: LeakMemory, signal: AbortSignal | undefined, limits: LeakLimits) {
    this.#sandbox = sandbox
    this.#request = request
    this.#memory = memory
    this.#signal = signal
    this.#limits = limits
    this.#isOpen = sandbox.isolation === 'none'
    this.#writable = [sandbox.scratch, this.#isOpen ? `${dirname(sandbox.scratch)}/tmp` : '/tmp']
    this.#mounts = request.arena.mounts
  }

  async run (): Promise<string[]> {
    const { commit } = this.#request
    if (this.#isOpen) this.#findings.push(noWalls)
    this.#findings.push(...judgeGit(await this.#exec(gitCommand(this.#sandbox, commit)), commit))
    const sought = await this.#originals()
    if (sought !== null && sought.blobs.size > 0) await this.#search(sought)
    return listed(this.#findings, this.#limits)
  }

  /** The original is what the patches, taken back, leave. */
  async #originals (): Promise<Sought | null> {
    const { bug: { files } } = this.#request
    const patches = [files.bugInject, ...files.predPatch === null ? [] : [files.predPatch]]
    const paths = [...new Set(patches.flatMap(patch => readPatch(patch).flatMap(touchedPaths)))]
    const read = await this.#read(paths.map(path => Buffer.from(path).toString('latin1')), this.#limits.originalBytesMax)
    const now = new Map(read.map(file => [Buffer.from(file.path, 'latin1').toString('utf8'), file]))
    try {
      let before: ReadonlyMap<string, TreeFile> = new Map([...now].map(([path, { bytes }]): [string, TreeFile] => [path, { mode: '100644', bytes }]))
      for (const patch of patches.toReversed()) before = applyPatch(patch, before, { reverse: true })
      const changed = readPatch(files.bugInject).flatMap(({ oldPath, newPath }) => oldPath === null || !before.has(oldPath) ? [] : [{ path: oldPath, bytes: before.get(oldPath)!.bytes, now: now.get(newPath ?? oldPath)?.bytes ?? null }])
      return {
        originals: changed.map(({ path, bytes, now }) => readOriginal(path, bytes, now, this.#limits)),
        blobs: new Map(changed.map(({ path, bytes }) => [blobId(bytes), path])),
        now: read.map(file => ({ ...file, path: `${this.#sandbox.tree}/${file.path}` }))
      }
    } catch (error) {
      if (!(error instanceof SparError)) throw error
      this.#findings.push(unscanned(`the original of ${paths.slice(0, 3).join(', ')} cannot be worked out: ${error.message}`))
      return null
    }
  }

  async #search (sought: Sought): Promise<void> {
    const { originals } = sought
    const { tree } = this.#sandbox
    const paths = originals.map(({ path }) => path)
    for (const { path, left } of originals) if (left > 0) this.#findings.push(unscanned(`${left} changes in ${path} are not looked for (changesMax)`))
    const listings = await this.#listings()
    const here = await this.#here(paths)
    const names = here.paths.toString('latin1').split('\0').slice(1, -1)
    const own = new Set(sought.now.map(({ path }) => path))
    const alike = [...new Set([...names.filter(name => paths.some(path => isAlike(name, path))), ...this.#alike(listings, paths)])].filter(path => !own.has(path))
    const bytecode = [...new Set([...names, ...this.#bytecode(listings, paths)])].filter(name => paths.some(path => isBytecodeOf(name, path)))
    const holding = [...new Set([...await this.#holding(originals), ...await this.#holdingOf(alike, originals)])].filter(path => !own.has(path))
    const read = await this.#readCandidates([...holding, ...bytecode, ...bytecode.map(path => bytecodeSource(path)!)])
    this.#findings.push(
      ...[...read.filter(({ path }) => holding.includes(path)), ...sought.now].flatMap(file => judgeFile(file, originals, tree)),
      ...judgeBytecode(read, originals)
    )
    await this.#stores([...listings, here].flatMap(({ stores }) => stores), sought.blobs)
    await this.#archives([...listings, here], sought)
  }

  // ---- names ----------------------------------------------------------------------------------------------------------

  async #listings (): Promise<Listing[]> {
    const { arena } = this.#request
    const { tree } = this.#sandbox
    const wanted: [key: string, what: string, roots: string[], without: string[]][] = []
    if (this.#mounts.length > 0) wanted.push([`mounts ${arena.id}`, 'the mounts of the arena', this.#mounts, []])
    if (!this.#isOpen) wanted.push([`system ${arena.image ?? 'host'}`, 'the folders of the system', ['/'], [tree, ...this.#writable, ...this.#mounts]])
    const listings: Listing[] = []
    for (const [key, what, roots, without] of wanted) {
      const listing = await this.#memory.listings.get(key, async () => await this.#withMembers(readListing(await this.#exec(listCommand(roots, without, this.#limits)), this.#limits), roots !== this.#mounts), this.#signal)
      if (listing.isCut) this.#findings.push(unscanned(`${what} hold more files than are listed (listingBytesMax)`))
      listings.push(listing)
    }
    return listings
  }

  /** What the tree and the writable folders hold of these names. */
  async #here (paths: readonly string[]): Promise<Listing> {
    const { tree } = this.#sandbox
    const { namesBytesMax } = this.#limits
    const output = await this.#exec(namesCommand([tree, ...this.#writable], this.#mounts, this.#sandbox, paths.map(path => basename(path)), this.#limits))
    if (output.length > namesBytesMax) this.#findings.push(unscanned('the tree holds more files of these names than are listed (namesBytesMax)'))
    return await this.#withMembers(readListing(output, { ...this.#limits, listingBytesMax: namesBytesMax }))
  }

  #alike (listings: readonly Listing[], paths: readonly string[]): string[] {
    return this.#found(listings, paths.flatMap(path => [`/${bytesOf(basename(path))}`, `/.${bytesOf(basename(path))}`, `/${bytesOf(stemOf(shortPath(path)))}.`])).filter(name => paths.some(path => isAlike(name, path)))
  }

  #bytecode (listings: readonly Listing[], paths: readonly string[]): string[] {
    return this.#found(listings, paths.filter(path => path.endsWith('.py')).flatMap(path => [`/__pycache__/${bytesOf(stemOf(basename(path)))}.`, `/${bytesOf(stemOf(basename(path)))}.pyc\0`]))
  }

  #found (listings: readonly Listing[], texts: readonly string[]): string[] {
    const max = this.#limits.namesakesMax
    return listings.flatMap(listing => texts.flatMap(text => {
      const found = pathsWith(listing.paths, text, max)
      if (found.length === max) this.#findings.push(unscanned(`more files than ${max} are named like ${shown(text)} (namesakesMax)`))
      return found
    }))
  }

  // ---- content --------------------------------------------------------------------------------------------------------

  async #holding (originals: readonly Original[]): Promise<string[]> {
    const fragments = this.#fragments(fragmentsOf(originals, 'anywhere'))
    if (fragments.length === 0) return []
    return this.#lines(await this.#exec(contentCommand([...this.#writable, ...this.#mounts], this.#sandbox, this.#limits), Buffer.from(fragments.join('\n') + '\n')))
  }

  async #holdingOf (paths: readonly string[], originals: readonly Original[]): Promise<string[]> {
    const fragments = this.#fragments([...fragmentsOf(originals, 'anywhere'), ...fragmentsOf(originals, 'namesake')]).join('\n')
    if (fragments === '' || paths.length === 0) return []
    const head = Buffer.from(fragments + '\n')
    return this.#lines(await this.#exec(chosenCommand(head.length, this.#limits), Buffer.concat([head, namesAsInput(paths)])))
  }

  #fragments (all: readonly string[]): string[] {
    const { fragmentsMax } = this.#limits
    if (all.length > fragmentsMax) this.#findings.push(unscanned(`only ${fragmentsMax} of ${all.length} pieces of text are looked for (fragmentsMax)`))
    return [...new Set(all)].slice(0, fragmentsMax)
  }

  #lines (output: Uint8Array): string[] {
    if (output.length > this.#limits.namesBytesMax) this.#findings.push(unscanned('more files may hold the original than are listed (namesBytesMax)'))
    return Buffer.from(output).toString('latin1').split('\n').slice(0, -1)
  }

  async #readCandidates (paths: readonly string[]): Promise<ReadFile[]> {
    const all = [...new Set(paths)]
    const { candidatesMax, candidateBytesMax } = this.#limits
    const read = await this.#read(all.slice(0, candidatesMax), candidateBytesMax)
    const left = all.length - candidatesMax
    if (left > 0) this.#findings.push(unscanned(`${left} files that may hold the original were not read (candidatesMax), ${shown(all[candidatesMax]!)} among them`))
    const cut = read.filter(({ bytes, size }) => bytes.length < size)
    if (cut.length > 0) this.#findings.push(unscanned(`${cut.length} files that may hold the original were not read to their ends (candidateBytesMax), ${shown(cut[0]!.path)} among them`))
    return read
  }

  /** Those that can be read. Relative paths are of the tree. */
  async #read (paths: readonly string[], bytesMax: number): Promise<ReadFile[]> {
    if (paths.length === 0) return []
    const output = Buffer.from(await this.#exec(readCommand(this.#sandbox, bytesMax), namesAsInput(paths), bytesMax + 64 * paths.length))
    let at = output.indexOf(10) + 1
    const kept = output.toString('latin1', 0, at).trim().split(' ').filter(word => word !== '').map(Number)
    const states = kept.map(index => {
      const end = output.indexOf(10, at)
      const [size, time] = output.toString('latin1', at, end).split(' ').map(Number)
      at = end + 1
      return { path: paths[index]!, size: size!, time: time! }
    })
    return states.map(state => {
      const bytes = new Uint8Array(output.subarray(at, at + state.size))
      at += state.size
      return { ...state, bytes }
    })
  }

  // ---- what is packed -------------------------------------------------------------------------------------------------

  async #stores (all: readonly string[], blobs: ReadonlyMap<string, string>): Promise<void> {
    for (const store of all) {
      const path = blobs.get(store.slice(-41).replace('/', ''))
      if (path !== undefined) this.#findings.push(heldInStore(store, path))
    }
    const packed = all.filter(store => /\.(?:pack|bundle)$/.test(store))
    if (packed.length === 0) return
    const { storesMax } = this.#limits
    if (packed.length > storesMax) this.#findings.push(unscanned(`${packed.length - storesMax} packs and bundles of git were not read (storesMax)`))
    const ids = Buffer.from([...blobs.keys()].join('\n') + '\n')
    const holding = Buffer.from(await this.#exec(storesCommand(this.#sandbox, ids.length), Buffer.concat([ids, namesAsInput(packed.slice(0, storesMax))]))).toString('latin1').split('\0').slice(0, -1)
    this.#findings.push(...holding.map(store => heldInStore(store, [...blobs.values()].join(' or '))))
  }

  /** What archives hold is listed first; of the members, those that have a changed file's name are read. */
  async #archives (listings: readonly Listing[], { originals }: Sought): Promise<void> {
    const { archivesMax, namesakesMax, candidateBytesMax } = this.#limits
    const members = listings.flatMap(({ members }) => originals.flatMap(({ path }) => pathsWith(members, `/${bytesOf(shortPath(path))}\0`, namesakesMax)))
    this.#findings.push(...listings.flatMap(({ unread }) => unread.map(why => unscanned(shown(why)))))
    if (members.length === 0) return
    const chosen = [...new Set(members)]
    if (chosen.length > archivesMax) this.#findings.push(unscanned(`${chosen.length - archivesMax} members of archives were not read (archivesMax)`))
    this.#findings.push(...judgeArchives(await this.#exec(archivesCommand('read', this.#limits), namesAsInput(chosen.slice(0, archivesMax)), 3 * candidateBytesMax), originals))
  }

  /** A toolchain has archives that nobody can read, to test its own readers: of the system's they are left out. */
  async #withMembers (listing: Listing, isSystem = false): Promise<Listing> {
    const { archives } = isSystem ? withoutTestData(listing) : listing
    const { archivesMax } = this.#limits
    if (archives.length === 0) return listing
    const { exitCode, output } = await this.#run(archivesCommand('list', this.#limits), namesAsInput(archives.slice(0, archivesMax)), 2 * this.#limits.listingBytesMax)
    if (exitCode !== 0 && exitCode !== noReader) throw failed(this.#sandbox, exitCode, output)
    const all = exitCode === noReader ? { ...listing, unread: [`${archives.length} archives, ${archives[0]!} among them: nothing here can read them (no python3)`] } : withMembers(listing, output)
    if (isSystem && exitCode === 0) all.unread = []
    const left = archives.length - archivesMax
    return left <= 0 ? all : { ...all, unread: [...all.unread, `${left} archives, ${archives[archivesMax]!} among them (archivesMax)`] }
  }

  // ---- commands -------------------------------------------------------------------------------------------------------

  async #exec (command: string, stdin?: Uint8Array, bytesMax = 2 * Math.max(this.#limits.listingBytesMax, this.#limits.namesBytesMax)): Promise<Uint8Array> {
    const { exitCode, output } = await this.#run(command, stdin, bytesMax)
    if (exitCode !== 0) throw failed(this.#sandbox, exitCode, output)
    return output
  }

  async #run (command: string, stdin: Uint8Array | undefined, outputBytesMax: number): Promise<{ exitCode: number; output: Uint8Array }> {
    const result = await this.#sandbox.exec(command, { timeoutMs: this.#limits.commandMsMax, outputBytesMax, ...this.#signal ? { signal: this.#signal } : {}, ...stdin ? { stdin } : {} })
    throwIfAborted(result, this.#signal)
    if (result.killed !== null) throw new SparError('LEAKS_KILLED', `Cannot search sandbox ${this.#sandbox.id} for leaks: the search was killed (${result.killed})`, { retryable: true })
    return { exitCode: result.exitCode!, output: result.output }
  }
}

const failed = ({ id }: Sandbox, exitCode: number, output: Uint8Array): SparError =>
  new SparError('LEAKS_FAILED', `Cannot search sandbox ${id} for leaks: a command ends with ${exitCode}: ${Buffer.from(output).toString('utf8').trim().slice(-300)}`, { retryable: true })

const bytesOf = (text: string): string => Buffer.from(text).toString('latin1')
const namesAsInput = (paths: readonly string[]): Uint8Array => Buffer.from(paths.map(path => `${path}\0`).join(''), 'latin1')
