// A shell in a child process: script through standard input, output through a named pipe. Killing means killing the first
// process of the sandbox's pid namespace, with which the kernel takes all others; without a namespace, and when somebody
// else killed the child, everything that carries the sandbox's mark.

import { spawn, type ChildProcess } from 'node:child_process'

import type { Clock } from '../../ports.ts'
import type { Channel } from '../shell.ts'
import { closeQuietly, type Pipes } from './pipes.ts'
import { childrenOf } from './processes.ts'

export interface ChannelOptions {
  file: string
  args: string[]
  env: Record<string, string>
  cwd: string
  pipes: Pipes
  clock: Clock
  /** True when the child's child is the first process of a pid namespace. */
  hasNamespace: boolean
  /** Kills whatever carries the sandbox's mark. */
  sweep (): void
}

/** Output that is still in the pipe when the child is gone gets this long. */
/** Exit code of a wrapper whose first process died of SIGKILL. */
const killedExit = 137
const drainMs = 250
const killPollMs = 50
const complaintBytesMax = 4096

export async function openChannel (options: ChannelOptions): Promise<Channel & { pid: number | null }> {
  const pipe = await options.pipes.take()
  const child = spawn(options.file, options.args, { env: options.env, cwd: options.cwd, detached: true, stdio: ['pipe', pipe.write, 'pipe'] })
  closeQuietly(pipe.write)
  return new ProcessChannel(child, pipe.readable, options)
}

class ProcessChannel implements Channel {
  readonly pid: number | null
  readonly closed: Promise<void>
  readonly #child: ChildProcess
  readonly #output: NodeJS.ReadableStream & { destroy (): void }
  readonly #options: ChannelOptions
  #complaint = ''
  #exited = false
  #killing: Promise<void> | null = null

  constructor (child: ChildProcess, output: NodeJS.ReadableStream & { destroy (): void }, options: ChannelOptions) {
    this.#child = child
    this.#output = output
    this.#options = options
    this.pid = child.pid ?? null
    child.stdin!.on('error', () => { /* said by the exit */ })
    child.stderr!.on('data', (chunk: Buffer) => { this.#complaint = (this.#complaint + chunk.toString()).slice(-complaintBytesMax) })
    child.stderr!.on('error', () => {})
    this.closed = new Promise(resolve => {
      const done = (): void => {
        this.#exited = true
        // Killed from outside, it may leave its namespace behind for a moment, or for good.
        if (child.signalCode !== null) options.sweep()
        resolve()
      }
      child.once('exit', done)
      child.once('error', error => { this.#complaint = error.message; done() })
    })
  }

  write (bytes: Uint8Array | string): void {
    this.#child.stdin!.write(bytes)
  }

  pause (): void { this.#output.pause() }

  resume (): void { this.#output.resume() }

  listen (onData: (chunk: Buffer) => void, onClose: (reason: string, exitCode: number | null) => void): void {
    const ended = new Promise<void>(resolve => {
      this.#output.on('data', onData)
      this.#output.once('end', resolve)
      this.#output.once('error', () => resolve())
    })
    void this.closed.then(async () => {
      // Killed by somebody else, it is lost at once: what still comes is from a shell that has not noticed yet.
      const isForeign = this.#child.signalCode !== null && this.#killing === null
      const waiting = new AbortController()
      if (!isForeign) await Promise.race([ended, this.#options.clock.sleep(drainMs, waiting.signal).catch(() => {})])
      waiting.abort()
      this.#output.destroy()
      this.#child.stdin!.destroy()
      this.#child.stderr!.destroy()
      // Nobody inside can send SIGKILL to the first process: who died of it was killed from outside.
      onClose(this.#reason(), this.#killing === null && this.#child.exitCode !== killedExit ? this.#child.exitCode : null)
    })
  }

  async kill (): Promise<void> {
    this.#killing ??= this.#kill()
    await this.#killing
  }

  async #kill (): Promise<void> {
    for (let round = 0; !this.#exited; round++) {
      this.#strike(round)
      const waiting = new AbortController()
      await Promise.race([this.closed, this.#options.clock.sleep(killPollMs, waiting.signal).catch(() => {})])
      waiting.abort()
    }
    if (!this.#options.hasNamespace) this.#options.sweep()
  }

  /** The namespace first, so that the child's own end says that everything below it is gone; the child itself when that does not help. */
  #strike (round: number): void {
    const pid = this.pid
    if (pid === null) return
    const inner = this.#options.hasNamespace ? childrenOf(pid) : []
    for (const child of inner) signal(child)
    if (!this.#options.hasNamespace) { signal(-pid); this.#options.sweep() }
    if (inner.length === 0 || round > 4) signal(pid)
  }

  #reason (): string {
    const { exitCode, signalCode } = this.#child
    const how = signalCode !== null ? `killed by ${signalCode}` : exitCode === null ? 'could not be started' : `exit code ${exitCode}`
    const said = this.#complaint.trim()
    return `its first process ended (${how})${said === '' ? '' : `: ${said}`}`
  }
}

function signal (pid: number): void {
  try { process.kill(pid, 'SIGKILL') } catch { /* gone */ }
}
