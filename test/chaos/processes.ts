// Processes of a chaos run: each with a log file of its own, killed by its id, and none left when the run is over.

import { spawn, type ChildProcess } from 'node:child_process'
import { closeSync, openSync } from 'node:fs'

export interface Daemon {
  readonly name: string
  readonly pid: number
  readonly log: string
  readonly isAlive: boolean
  signal (signal: NodeJS.Signals): void
  /** Resolves to its exit code, or null where a signal ended it. */
  exited: Promise<number | null>
}

/** None outlives the run, however it ends. */
const living = new Set<ChildProcess>()
process.on('exit', () => { for (const child of living) child.kill('SIGKILL') })

/** Standard output and error go to the end of the file `log`. */
export function startDaemon (name: string, command: string, args: readonly string[], { log, env = {}, cwd }: { log: string; env?: Record<string, string>; cwd: string }): Daemon {
  const file = openSync(log, 'a')
  const child: ChildProcess = spawn(command, args, { cwd, env: { ...process.env, ...env }, stdio: ['ignore', file, file] })
  closeSync(file)
  living.add(child)
  child.once('exit', () => living.delete(child))
  const exited = new Promise<number | null>((resolve, reject) => {
    child.once('error', reject)
    child.once('exit', code => resolve(code))
  })
  exited.catch(() => {})
  return {
    name, log, exited,
    pid: child.pid!,
    get isAlive () { return child.exitCode === null && child.signalCode === null },
    signal: signal => { child.kill(signal) }
  }
}

/** Ends a daemon whatever state it is in. */
export async function killDaemon (daemon: Daemon, signal: NodeJS.Signals = 'SIGKILL'): Promise<void> {
  if (!daemon.isAlive) return
  daemon.signal('SIGCONT')
  daemon.signal(signal)
  await daemon.exited
}

/** Resolves when `holds`, rejects with `what` after `timeoutMs`. */
export async function until (what: string, timeoutMs: number, holds: () => boolean | Promise<boolean>): Promise<void> {
  const end = Date.now() + timeoutMs
  while (!await holds()) {
    if (Date.now() > end) throw new Error(`${what} did not come within ${timeoutMs} ms`)
    await sleep(pollMs)
  }
}

const pollMs = 50

export const sleep = (ms: number): Promise<void> => new Promise(resolve => setTimeout(resolve, ms))
