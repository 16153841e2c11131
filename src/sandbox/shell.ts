// The persistent shell: one long-lived bash, many commands. It knows nothing of what isolates it: a channel carries bytes
// both ways, whether to a child process or to a container.
//
// Numbered rules:
//  1. A command ends when its end mark arrives, whatever its background processes still hold open.
//  2. A shell has `ended` when the keeper's own mark says so, or when a shell that had answered took its keeper with it: what
//     runs inside may do that, and it is no fault of ours. A channel that closes in another way is `lost`.
//  3. Output outside of a command (late words of background processes) is dropped, up to a limit; then they wait.

import { frameCommand, framePrelude, newKeeperNonce, type Frame } from './frame.ts'
import { idleOutputBytesMax } from './limits.ts'
import { OutputCollector } from './output.ts'

/** Bytes to and from one keeper and its shell. */
export interface Channel {
  write (bytes: Uint8Array | string): void
  /** Calls `onData` for each chunk and `onClose` once, when no more will come, with what is known of the reason. `exitCode`: it ended by itself, or by what runs inside. */
  listen (onData: (chunk: Buffer) => void, onClose: (reason: string, exitCode: number | null) => void): void
  /** Nothing is read any more until `resume`: who writes has to wait. */
  pause (): void
  resume (): void
  /** Resolves when every process behind the channel is gone. Idempotent. */
  kill (): Promise<void>
  /** Resolves when everything behind the channel is gone, killed or not. */
  readonly closed: Promise<void>
}

export type CommandEnd =
  | { kind: 'done'; exitCode: number }
  /** The command ended its shell. */
  | { kind: 'ended'; exitCode: number }
  | { kind: 'lost'; reason: string }

export interface ShellLimits { fileBytes: number; openFiles: number; pids: number | null }

interface Running { frame: Frame; collector: OutputCollector; started: boolean; onOutput: () => void; settle (end: CommandEnd): void }

const nothing = Buffer.alloc(0)
/** Longest tail after a mark: an exit code and a newline. */
const codeBytesMax = 4

export class Shell {
  readonly channel: Channel
  readonly #stdinPath: string
  readonly #keeper = newKeeperNonce()
  #running: Running | null = null
  #rest: Buffer = nothing
  #over: CommandEnd | null = null
  #answered = false
  /** Printed since the last command ended. */
  #idleBytes = 0

  constructor (channel: Channel, options: { tree: string; stdinPath: string; limits: ShellLimits }) {
    this.channel = channel
    this.#stdinPath = options.stdinPath
    channel.listen(chunk => this.#receive(chunk), (reason, exitCode) => this.#finish(this.#answered && exitCode !== null ? { kind: 'ended', exitCode } : { kind: 'lost', reason }))
    channel.write(this.#keeper.line)
    channel.write(framePrelude(options.limits, options.tree))
  }

  /** How the shell ended, or null while it lives. */
  get over (): CommandEnd | null { return this.#over }

  /** One at a time. `onOutput` is called after each chunk that the collector took. */
  async run (command: string, stdin: Uint8Array | undefined, collector: OutputCollector, onOutput: () => void): Promise<CommandEnd> {
    if (this.#over !== null) return this.#over
    const frame = frameCommand(command, stdin, this.#stdinPath)
    return await new Promise(settle => {
      this.#running = { frame, collector, started: false, onOutput, settle }
      this.#idleBytes = 0
      this.channel.resume()
      this.channel.write(frame.script)
    })
  }

  #finish (end: CommandEnd): void {
    this.#over ??= end
    this.#settle(this.#over)
  }

  #settle (end: CommandEnd): void {
    const running = this.#running
    this.#running = null
    running?.settle(end)
  }

  #receive (chunk: Buffer): void {
    let data: Buffer = this.#rest.length > 0 ? Buffer.concat([this.#rest, chunk]) : chunk
    this.#rest = nothing
    const running = this.#running
    if (running !== null && !running.started) {
      const at = data.indexOf(running.frame.start)
      if (at >= 0) {
        running.started = true
        this.#answered = true
        data = data.subarray(at + running.frame.start.length)
      }
    }
    if (running?.started === true) return this.#collect(running, data)
    this.#idle(data)
    if (running === null) {
      this.#idleBytes += chunk.length
      if (this.#idleBytes > idleOutputBytesMax) this.channel.pause()
    } else {
      running.collector.skipped += chunk.length
      running.onOutput()
    }
  }

  #collect (running: Running, data: Buffer): void {
    const own = findMark(data, running.frame.end)
    const found = own ?? findMark(data, this.#keeper.end)
    const whole = found === null ? keepBack(data, running.frame.end.length) : found.at
    if (whole > 0) running.collector.push(data.subarray(0, whole))
    if (found?.exitCode === undefined) this.#rest = Buffer.from(data.subarray(whole))
    else if (own !== null) this.#settle({ kind: 'done', exitCode: found.exitCode })
    else this.#finish({ kind: 'ended', exitCode: found.exitCode })
    if (own !== null && found?.exitCode !== undefined) this.#idle(data.subarray(whole + running.frame.end.length))
    else running.onOutput()
  }

  /** Nothing runs, or it has not begun: only the keeper has something to say. */
  #idle (data: Buffer): void {
    const found = findMark(data, this.#keeper.end)
    if (found?.exitCode !== undefined) this.#finish({ kind: 'ended', exitCode: found.exitCode })
    else this.#rest = Buffer.from(data.subarray(found === null ? keepBack(data, this.#keeper.end.length) : found.at))
  }
}

/** Where a mark begins and, once its line is complete, the code that it carries. What follows no line of a mark was forged. */
function findMark (data: Buffer, mark: Buffer): { at: number; exitCode?: number } | null {
  for (let at = data.indexOf(mark); at >= 0; at = data.indexOf(mark, at + 1)) {
    const line = data.toString('latin1', at + mark.length, at + mark.length + codeBytesMax)
    const code = /^(\d{1,3})\n/.exec(line)?.[1]
    if (code !== undefined) return { at, exitCode: Number(code) }
    if (/^\d{0,3}$/.test(line)) return { at }
  }
  return null
}

/** How much of the data can be no beginning of a mark: everything up to a NUL among the last bytes. */
function keepBack (data: Buffer, markLength: number): number {
  const at = data.indexOf(0, Math.max(0, data.length - markLength))
  return at < 0 ? data.length : at
}
