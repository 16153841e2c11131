// A sandbox as the port describes it, over anything that can start a shell and be removed. What Docker and the process
// sandbox share lives here: one command at a time, deadlines, fresh shells, loss, destruction.
//
// Numbered rules:
//  1. Whoever kills (deadline, flood, abort) says so first: a channel that closes then is no loss.
//  2. A fresh shell starts only when everything of the last one is gone: two never share the files.
//  3. Once lost, always lost; once destroyed, nothing runs again.
//  4. A sandbox that outgrew a disk limit is ended: its processes, then its files. One command is told (`killed: 'disk'`), the
//     one that runs or the next one; what comes after it is refused.

import { SparError, toPlain } from '../errors.ts'
import type { Clock, ExecOptions, ExecResult, Sandbox, SandboxLimits, SandboxSpec } from '../ports.ts'
import { DiskWatch, type Disk } from './disk.ts'
import { readSandboxFile, writeSandboxFile } from './files.ts'
import { killMsMax, openFilesMax, outputKillFactor, startMsMax } from './limits.ts'
import { OutputCollector } from './output.ts'
import { Shell, type Channel, type CommandEnd, type ShellLimits } from './shell.ts'

/** What a kind of sandbox provides. */
export interface SandboxHost extends Disk {
  readonly id: string
  readonly kind: Sandbox['kind']
  readonly isolation: string
  readonly tree: string
  readonly scratch: string
  readonly shellLimits: { fileBytes: number; pids: number | null }
  readonly limits: SandboxLimits
  /** Starts a keeper with a shell over the same files. Throws a SparError when that is not possible. */
  start (): Promise<Channel>
  /** How often the memory limit struck since the sandbox was opened. */
  memoryKills (): Promise<number>
  /** Writes down who has it: one that was made ahead is opened before anybody wants it. */
  relabel (label: SandboxSpec['label']): void
  /** Removes every trace; everything that ran is gone already. Idempotent. */
  remove (): Promise<void>
}

type Killed = Exclude<ExecResult['killed'], null>

export function lost (id: string, reason: string, cause?: unknown): SparError {
  return new SparError('SANDBOX_LOST', `Sandbox "${id}" is lost: ${reason}`, { retryable: true, data: { sandbox: id, reason }, cause })
}

/** Opens the first shell, so that what is returned answers. Cleans up after itself when that fails. */
export async function openSession (host: SandboxHost, clock: Clock, signal?: AbortSignal): Promise<SandboxSession> {
  const session = new SandboxSession(host, clock)
  try {
    await session.warm(signal)
    return session
  } catch (error) {
    await session.destroy()
    throw error
  }
}

export class SandboxSession implements Sandbox {
  readonly id: string
  readonly kind: Sandbox['kind']
  readonly isolation: string
  readonly tree: string
  readonly scratch: string
  readonly #host: SandboxHost
  readonly #clock: Clock
  readonly #shellLimits: ShellLimits
  readonly #disk: DiskWatch
  #watching = false
  #shell: Shell | null = null
  #fault: SparError | null = null
  #queue: Promise<unknown> = Promise.resolve()
  #destroyed: Promise<void> | null = null
  #memoryKills = 0
  /** Ends the command that runs. */
  #stop: ((reason: Killed) => void) | null = null
  #outgrown: { error: SparError; told: boolean } | null = null
  /** Called once, when the sandbox has been destroyed. */
  onDestroyed: () => void = () => {}

  constructor (host: SandboxHost, clock: Clock) {
    this.#host = host
    this.#clock = clock
    this.id = host.id
    this.kind = host.kind
    this.isolation = host.isolation
    this.tree = host.tree
    this.scratch = host.scratch
    this.#shellLimits = { ...host.shellLimits, openFiles: openFilesMax }
    this.#disk = new DiskWatch(host, clock, host.limits)
  }

  /** Whether the next command would find its shell. */
  get usable (): boolean {
    return this.#fault === null && this.#destroyed === null && this.#outgrown === null && this.#shell !== null && this.#shell.over === null
  }

  async warm (signal?: AbortSignal): Promise<void> {
    const result = await this.#inTurn(() => this.#exec(':', { timeoutMs: startMsMax, outputBytesMax: 64, ...(signal === undefined ? {} : { signal }) }))
    if (result.killed === 'abort') throw new SparError('SANDBOX_ABORTED', `Opening sandbox "${this.id}" was aborted`, { retryable: true })
    if (result.exitCode !== 0) throw lost(this.id, `its shell did not answer within ${startMsMax} ms`)
  }

  /** Its lease names who holds it from now on. */
  relabel (label: SandboxSpec['label']): void {
    this.#host.relabel(label)
  }

  async exec (command: string, options: ExecOptions): Promise<ExecResult> {
    this.#watchDisk()
    return await this.#inTurn(() => this.#exec(command, options))
  }

  async readFile (path: string, bytesMax: number): Promise<Uint8Array> {
    return await readSandboxFile((command, options) => this.exec(command, options), this.tree, path, bytesMax)
  }

  async writeFile (path: string, bytes: Uint8Array, mode: number | null = null): Promise<void> {
    await writeSandboxFile((command, options) => this.exec(command, options), this.tree, path, bytes, mode)
  }

  async room (): Promise<number | null> {
    return (await this.#host.room())?.bytes ?? null
  }

  async destroy (): Promise<void> {
    this.#destroyed ??= this.#destroy()
    await this.#destroyed
  }

  async #inTurn<T> (work: () => Promise<T>): Promise<T> {
    const turn = this.#queue.then(work)
    this.#queue = turn.catch(() => {})
    return await turn
  }

  async #exec (command: string, options: ExecOptions): Promise<ExecResult> {
    this.#assertUsable()
    if (command.includes('\0')) return refused('the command holds a NUL character\n')
    if (options.signal?.aborted === true) return unrun('abort')
    if (this.#outgrown !== null) return this.#tellOutgrown(this.#outgrown)
    const shell = await this.#freshShell()
    // A new shell takes a while, in which it may have been found too large.
    if (this.#outgrown !== null) return this.#tellOutgrown(this.#outgrown)
    const startedAt = this.#clock.now()
    const collector = new OutputCollector(options.outputBytesMax)
    const { end, killed } = await this.#watch(shell, command, options, collector)
    const durationMs = this.#clock.now() - startedAt
    return { ...await this.#judge(end, killed), ...collector.take(), durationMs }
  }

  /** Runs the command and kills everything when it has to end before its time. */
  async #watch (shell: Shell, command: string, options: ExecOptions, collector: OutputCollector): Promise<{ end: CommandEnd; killed: Killed | null }> {
    let killed: Killed | null = null
    const stop = (reason: Killed): void => {
      if (killed !== null || this.#destroyed !== null) return
      killed = reason
      if (this.#outgrown !== null && reason === 'disk') this.#outgrown.told = true
      void shell.channel.kill().catch(() => {})
    }
    const floodBytes = options.outputBytesMax * outputKillFactor
    const onOutput = (): void => {
      const seen = collector.total + collector.skipped
      if (seen >= floodBytes && seen > 0) stop('output')
    }
    this.#stop = stop
    const over = new AbortController()
    void this.#clock.sleep(options.timeoutMs, over.signal).then(() => stop('timeout'), () => {})
    const onAbort = (): void => stop('abort')
    options.signal?.addEventListener('abort', onAbort)
    try {
      const end = await shell.run(command, options.stdin, collector, onOutput)
      return { end, killed }
    } finally {
      this.#stop = null
      over.abort()
      options.signal?.removeEventListener('abort', onAbort)
    }
  }

  async #judge (end: CommandEnd, killed: Killed | null): Promise<{ exitCode: number | null; killed: Killed | null }> {
    if (end.kind !== 'done') await this.#retire()
    if (killed !== null) {
      // The end may have crossed the kill: then the shell is still ours to bury.
      if (end.kind === 'done') await this.#retire()
      return { exitCode: null, killed }
    }
    const code = end.kind === 'lost' ? null : end.exitCode
    if ((code === null || code === 137 || code === 9) && await this.#memoryStruck()) return { exitCode: 137, killed: 'memory' }
    if (end.kind === 'lost') throw this.#loseNow(end.reason)
    return { exitCode: code, killed: null }
  }

  async #memoryStruck (): Promise<boolean> {
    const before = this.#memoryKills
    this.#memoryKills = await this.#host.memoryKills().catch(() => before)
    return this.#memoryKills > before
  }

  async #freshShell (): Promise<Shell> {
    if (this.#shell !== null && this.#shell.over?.kind === 'lost') throw this.#loseNow(this.#shell.over.reason)
    if (this.#shell !== null && this.#shell.over !== null) await this.#retire()
    if (this.#shell !== null) return this.#shell
    const channel = await this.#host.start().catch(error => { throw this.#loseNow(error instanceof Error ? error.message : String(error), error) })
    if (this.#destroyed !== null) await channel.kill()
    this.#assertUsable()
    this.#shell = new Shell(channel, { tree: this.tree, stdinPath: `${this.scratch}/.stdin`, limits: this.#shellLimits })
    return this.#shell
  }

  /** Waits until everything of the last shell is gone. */
  async #retire (): Promise<void> {
    const shell = this.#shell
    this.#shell = null
    if (shell === null) return
    const late = new AbortController()
    const stuck = this.#clock.sleep(killMsMax, late.signal).then(() => true, () => false)
    const gone = shell.channel.kill().then(() => false, (error: unknown) => { throw this.#loseNow(`its processes cannot be ended: ${toPlain(error).message}`, error) })
    const isStuck = await Promise.race([gone, stuck])
    late.abort()
    if (isStuck) throw this.#loseNow(`its processes did not end within ${killMsMax} ms`)
  }

  /** From the first command on: what nobody has used yet holds nothing. */
  #watchDisk (): void {
    if (this.#watching || this.#destroyed !== null) return
    this.#watching = true
    void this.#disk.watch(what => this.#outgrow(what))
  }

  #outgrow (what: string): void {
    const error = new SparError('SANDBOX_DISK_LIMIT', `Sandbox "${this.id}" was ended: it held more than ${what}. Write less, or raise the limit`, { data: { sandbox: this.id } })
    this.#outgrown = { error, told: false }
    this.#stop?.('disk')
    void this.#inTurn(async () => {
      await this.#retire()
      await this.#host.remove()
    }).catch(() => { /* `destroy` tries again, and says so */ })
  }

  #tellOutgrown (outgrown: { error: SparError; told: boolean }): ExecResult {
    if (outgrown.told) throw outgrown.error
    outgrown.told = true
    return unrun('disk')
  }

  #assertUsable (): void {
    if (this.#fault !== null) throw this.#fault
    if (this.#destroyed !== null) throw lost(this.id, 'it was destroyed')
  }

  #loseNow (reason: string, cause?: unknown): SparError {
    this.#disk.stop()
    this.#fault ??= this.#destroyed === null ? lost(this.id, reason, cause) : lost(this.id, 'it was destroyed')
    return this.#fault
  }

  async #destroy (): Promise<void> {
    this.#fault ??= lost(this.id, 'it was destroyed')
    this.#disk.stop()
    // What runs now ends by losing its channel; what waits in the queue is refused.
    await this.#shell?.channel.kill().catch(() => {})
    await this.#queue
    await this.#shell?.channel.kill().catch(() => {})
    await this.#host.remove()
    this.onDestroyed()
  }
}

const unrun = (killed: Killed): ExecResult => ({ exitCode: null, output: new Uint8Array(), truncatedBytes: 0, killed, durationMs: 0 })

function refused (text: string): ExecResult {
  return { exitCode: 2, output: Buffer.from(text), truncatedBytes: 0, killed: null, durationMs: 0 }
}
