// Sandboxes that are only told of: trees in memory and the few commands that Spar sends (commands.ts). What they answer is what
// the real ones do (src/sandbox), faults too.
//
// S1. Nothing happens before the clock has let time pass, and nobody hears of it unless it does: so a process that has crashed
//     does nothing any more, and leaves its sandboxes behind.
// S2. What is left behind stands at the machine, which outlives its processes, until the next one reaps it.
// S3. One command at a time in each sandbox.

import { underAny } from '../bus/abort.ts'
import { SparError } from '../errors.ts'
import type { Clock, ExecOptions, ExecResult, Random, Sandbox, Sandboxes, SandboxSpec } from '../ports.ts'
import { fileMsMax, killMsMax, startMsMax } from '../sandbox/limits.ts'
import { emptyTree, treeOf } from './arena.ts'
import { commandOf, folders, type CommandName, type Contents } from './commands.ts'
import { isFolder, written } from './trees.ts'
import { hanging, sleepOr } from './waiting.ts'

/**
 * `lost`: the sandbox is gone for good. `hang`: nothing comes back until the deadline. `full`: its disk is full from now on.
 * `memory`: the memory limit strikes. `slow`: ten times as long.
 */
export type SandboxFault = 'lost' | 'hang' | 'full' | 'memory' | 'slow'
export type SandboxOperation = 'open' | 'exec' | 'read' | 'write' | 'destroy'
/** Asked before each operation. `command` says which of Spar's own commands is to run. */
export type SandboxStrike = (operation: SandboxOperation, label: SandboxSpec['label'], command: CommandName | null) => SandboxFault | null

/** Milliseconds, both included. */
export interface Span { min: number; max: number }
export type SandboxLatency = Record<'open' | 'exec' | 'test' | 'read' | 'write' | 'destroy', Span>

const sandboxLatency: SandboxLatency = {
  open: { min: 20, max: 120 }, exec: { min: 4, max: 30 }, test: { min: 400, max: 3_000 }, read: { min: 2, max: 10 }, write: { min: 2, max: 10 }, destroy: { min: 5, max: 40 }
}

export const slowFactor = 10
export const drawSpan = ({ min, max }: Span, random: Random): number => min + random.int(max - min + 1)

/** A sandbox that stands at a machine; times are of the clock of the process that opened it. */
interface LiveSandbox { id: string; owner: string; label: SandboxSpec['label']; openedAt: number }

export interface ConnectOptions {
  /** One process: never the same again after it has been started anew. */
  owner: string
  clock: Clock
  random: Random
  strike?: SandboxStrike
  latency?: SandboxLatency
}

export interface SimulatedMachine {
  /** Sandboxes for a process that starts now: it is the machine's owner from here on. */
  connect (options: ConnectOptions): Sandboxes
  /** Removes what earlier owners left behind. */
  reap (): string[]
  alive (): LiveSandbox[]
}

export function createSimulatedMachine ({ name = 'machine' }: { name?: string } = {}): SimulatedMachine {
  const live = new Map<string, LiveSandbox>()
  let present: string | null = null
  let made = 0
  const reap = (): string[] => {
    const left = [...live.values()].filter(({ owner }) => owner !== present).map(({ id }) => id)
    for (const id of left) live.delete(id)
    return left
  }
  return {
    reap,
    alive: () => [...live.values()],
    connect (options) {
      present = options.owner
      const nextId = (): string => `${name}.${++made}`
      return new SimulatedSandboxes({ ...options, strike: options.strike ?? (() => null), latency: options.latency ?? sandboxLatency, live, nextId, reap })
    }
  }
}

interface Place extends Required<ConnectOptions> { live: Map<string, LiveSandbox>; nextId: () => string; reap: () => string[] }

const isolation = 'simulated'

const lost = (id: string, reason: string): SparError => new SparError('SANDBOX_LOST', `Sandbox "${id}" is lost: ${reason}`, { retryable: true, data: { sandbox: id, reason } })
const abortedOpen = (): SparError => new SparError('SANDBOX_ABORTED', 'Opening a sandbox was aborted', { retryable: true })

class SimulatedSandboxes implements Sandboxes {
  readonly kind = 'process'
  readonly #place: Place
  readonly #open = new Set<SimulatedSandbox>()
  #isClosed = false

  constructor (place: Place) {
    this.#place = place
  }

  async open (spec: SandboxSpec, signal?: AbortSignal): Promise<Sandbox> {
    const { clock, random, latency, strike, live, nextId, owner } = this.#place
    this.#assertOpen()
    if (signal?.aborted) throw abortedOpen()
    const struck = strike('open', spec.label, null)
    const ms = drawSpan(latency.open, random) * (struck === 'slow' ? slowFactor : 1)
    const first = Math.floor(ms / 2)
    await this.#sleep(first, signal)
    this.#assertOpen()
    const id = nextId()
    if (struck === 'hang') await hanging(signal, abortedOpen)
    if (struck === 'lost') throw lost(id, `its shell did not answer within ${startMsMax} ms`)
    if (struck === 'memory') throw lost(id, 'its shell ended')
    if (struck === 'full') throw new SparError('SANDBOX_LOST', `Cannot open sandbox "${id}": Cannot write: the disk is full (ENOSPC: no space left on device, mkdir)`, { retryable: true, data: { sandbox: id } })
    // It stands here before anybody hears of it.
    live.set(id, { id, owner, label: spec.label, openedAt: clock.now() })
    try {
      await this.#sleep(ms - first, signal)
      this.#assertOpen()
    } catch (error) {
      live.delete(id)
      throw error
    }
    const sandbox = new SimulatedSandbox(id, spec, this.#place, () => this.#open.delete(sandbox))
    this.#open.add(sandbox)
    return sandbox
  }

  async reap (): Promise<{ removed: string[] }> {
    await this.#sleep(drawSpan(this.#place.latency.destroy, this.#place.random))
    return { removed: this.#place.reap() }
  }

  async close (): Promise<void> {
    this.#isClosed = true
    await Promise.all([...this.#open].map(async sandbox => { await sandbox.destroy() }))
  }

  async #sleep (ms: number, signal?: AbortSignal): Promise<void> {
    await sleepOr(this.#place.clock, ms, signal, abortedOpen)
  }

  #assertOpen (): void {
    if (this.#isClosed) throw new SparError('SANDBOX_CLOSED', 'Cannot open a sandbox: the sandboxes were closed')
  }
}

const nothing = new Uint8Array()

class SimulatedSandbox implements Sandbox {
  readonly id: string
  readonly kind = 'process'
  readonly isolation = isolation
  readonly tree = folders.tree
  readonly scratch = folders.scratch
  readonly #label: SandboxSpec['label']
  readonly #place: Place
  readonly #contents: Contents
  readonly #onDestroyed: () => void
  /** Ends with what was asked last; null where nothing is at work. */
  #last: Promise<void> | null = null
  #fault: SparError | null = null
  #isFull = false
  #destroyed: Promise<void> | null = null
  /** Wakes what hangs: only there, since everything else ends by itself. */
  #ended: AbortController | null = null

  constructor (id: string, spec: SandboxSpec, place: Place, onDestroyed: () => void) {
    this.id = id
    this.#label = spec.label
    this.#place = place
    this.#contents = { tree: spec.view === 'empty' ? emptyTree : treeOf(spec.arena), scratch: new Map(), originals: null, base: null }
    this.#onDestroyed = onDestroyed
  }

  exec (command: string, options: ExecOptions): Promise<ExecResult> {
    return this.#inTurn(() => this.#exec(command, options))
  }

  readFile (path: string, bytesMax: number): Promise<Uint8Array> {
    return this.#inTurn(async () => {
      const killed = await this.#pass('read')
      if (killed !== null) throw new SparError('SANDBOX_LOST', `Cannot read ${JSON.stringify(path)}: the read was killed (${killed})`, { retryable: true, data: { path } })
      const bytes = this.#find(path)
      if (bytes === undefined) throw new SparError('SANDBOX_NO_FILE', `Cannot read ${JSON.stringify(path)}: there is no such file, or it cannot be read`, { data: { path } })
      if (bytes.length > bytesMax) throw new SparError('SANDBOX_FILE_TOO_LARGE', `Cannot read ${JSON.stringify(path)}: it is larger than ${bytesMax} bytes`, { data: { path, bytesMax } })
      return bytes
    })
  }

  writeFile (path: string, bytes: Uint8Array, mode?: number): Promise<void> {
    return this.#inTurn(async () => {
      const killed = await this.#pass('write')
      const why = killed !== null ? `killed: ${killed}` : this.#isFull ? 'its standard input cannot be kept in the sandbox: No space left on device, or the file is in the way' : this.#write(path, bytes, mode)
      if (why !== null) throw new SparError('SANDBOX_WRITE_FAILED', `Cannot write ${JSON.stringify(path)}: ${why}`, { data: { path } })
    })
  }

  async destroy (): Promise<void> {
    this.#destroyed ??= this.#destroy()
    await this.#destroyed
  }

  #inTurn<Result> (work: () => Promise<Result>): Promise<Result> {
    const turn = this.#last === null ? work() : this.#last.then(work)
    const over = (): void => { if (this.#last === last) this.#last = null }
    const last = this.#last = turn.then(over, over)
    return turn
  }

  async #exec (text: string, options: ExecOptions): Promise<ExecResult> {
    this.#assertUsable()
    const { clock, random, latency, strike } = this.#place
    const { signal, timeoutMs } = options
    if (signal?.aborted) return result(null, nothing, 'abort', 0)
    const command = commandOf(text, this.#contents, options.stdin)
    const struck = strike('exec', this.#label, command.name)
    const startedAt = clock.now()
    const ms = drawSpan(latency[command.name === 'test' ? 'test' : 'exec'], random) * (struck === 'slow' ? slowFactor : 1)
    const ended = await this.#sleep(struck === 'hang' ? timeoutMs : Math.min(ms, timeoutMs), struck === 'hang', signal)
    const durationMs = clock.now() - startedAt
    this.#suffer(struck)
    if (ended === 'abort') return result(null, nothing, 'abort', durationMs)
    if (struck === 'memory') return result(137, nothing, 'memory', durationMs)
    if (struck === 'hang' || ms > timeoutMs) return result(null, nothing, 'timeout', durationMs)
    const { exitCode, output } = this.#isFull && command.full !== null ? command.full : command.run()
    if (output.length > options.outputBytesMax) throw new Error(`The simulated sandbox cuts no output: ${command.name} has ${output.length} bytes, of ${options.outputBytesMax}`)
    return result(exitCode, output, null, durationMs)
  }

  /** A file's way in or out. Returns what killed it. */
  async #pass (operation: 'read' | 'write'): Promise<'timeout' | 'memory' | null> {
    this.#assertUsable()
    const { random, latency, strike } = this.#place
    const struck = strike(operation, this.#label, null)
    const ms = drawSpan(latency[operation], random) * (struck === 'slow' ? slowFactor : 1)
    await this.#sleep(struck === 'hang' ? fileMsMax : ms, struck === 'hang')
    this.#suffer(struck)
    return struck === 'hang' ? 'timeout' : struck === 'memory' ? 'memory' : null
  }

  /** What hangs ends with the sandbox; everything else by itself. */
  async #sleep (ms: number, hangs: boolean, signal?: AbortSignal): Promise<'done' | 'abort'> {
    if (hangs) this.#ended ??= new AbortController()
    const signals = [...signal === undefined ? [] : [signal], ...hangs ? [this.#ended!.signal] : []]
    try {
      if (signals.length < 2) await this.#place.clock.sleep(ms, signals[0])
      else await underAny(signals, either => this.#place.clock.sleep(ms, either))
      return 'done'
    } catch (error) {
      if (signals.some(({ aborted }) => aborted)) return 'abort'
      throw error
    }
  }

  #suffer (struck: SandboxFault | null): void {
    if (struck === 'lost') this.#fault ??= lost(this.id, 'its keeper is gone')
    if (struck === 'full') this.#isFull = true
    this.#assertUsable()
  }

  #assertUsable (): void {
    if (this.#fault !== null) throw this.#fault
    if (this.#destroyed !== null) throw lost(this.id, 'it was destroyed')
  }

  #find (path: string): Uint8Array | undefined {
    const { inTree, name } = place(path)
    return inTree ? this.#contents.tree.get(name)?.bytes : this.#contents.scratch.get(name)
  }

  /** Returns why it cannot be. */
  #write (path: string, bytes: Uint8Array, mode: number | undefined): string | null {
    const { inTree, name } = place(path)
    const contents = this.#contents
    if (!inTree) {
      contents.scratch.set(name, bytes)
      return null
    }
    if (name === '' || isFolder(contents.tree, name)) return 'it is a folder'
    const kept = mode === undefined ? contents.tree.get(name)?.mode ?? '100644' : (mode & 0o100) === 0 ? '100644' : '100755'
    contents.tree = written(contents.tree, name, { mode: kept, bytes })
    return null
  }

  async #destroy (): Promise<void> {
    const { clock, random, latency, strike, live } = this.#place
    this.#ended?.abort()
    const struck = strike('destroy', this.#label, null)
    await clock.sleep(struck === 'hang' ? killMsMax : drawSpan(latency.destroy, random) * (struck === 'slow' ? slowFactor : 1))
    live.delete(this.id)
    this.#onDestroyed()
  }
}

const result = (exitCode: number | null, output: Uint8Array, killed: ExecResult['killed'], durationMs: number): ExecResult => ({ exitCode, output, truncatedBytes: 0, killed, durationMs })

/** A path as the two folders see it: within the tree by its name there, elsewhere as it is. */
function place (path: string): { inTree: boolean; name: string } {
  if (!path.startsWith('/')) return { inTree: true, name: path.replace(/^(?:\.\/)+/, '') }
  if (path.startsWith(`${folders.tree}/`)) return { inTree: true, name: path.slice(folders.tree.length + 1) }
  if (path.startsWith(`${folders.scratch}/`)) return { inTree: false, name: path }
  throw new Error(`The simulated sandbox has no place for ${path}`)
}
