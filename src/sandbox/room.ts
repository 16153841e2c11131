// Whether a disk is full. A program may say so, and may have filled it itself; whose fault that is cannot be seen, so it is nobody's.

import { SparError } from '../errors.ts'
import type { ExecResult, Sandbox, SandboxFolders } from '../ports.ts'
import { shellQuote } from '../quote.ts'

/** Below this much room a disk counts as full. */
const roomKilobytesMin = 1024

export const roomCommand = ({ tree }: SandboxFolders): string => `df -Pk -- ${shellQuote(tree)} | tail -n 1`

/** What programs print that have no room. */
export const saysFull = (text: string): boolean => /No space left on device|Disk quota exceeded|\bENOSPC\b/.test(text)

/** Throws SANDBOX_DISK_FULL, and SANDBOX_ROOM_UNKNOWN where nobody can say. A program may say what it likes; the disk under the sandbox is asked. */
export async function assertRoom (sandbox: Sandbox, signal?: AbortSignal): Promise<void> {
  const left = await sandbox.room?.().catch(() => null) ?? null
  if (left === null) await askInside(sandbox, signal)
  else if (left < roomKilobytesMin * 1024) throw full(sandbox, Math.floor(left / 1024))
}

/** Where nobody outside can see the disk (an engine elsewhere). What runs in there can bend the answer. */
async function askInside (sandbox: Sandbox, signal?: AbortSignal): Promise<void> {
  const { output, killed } = await sandbox.exec(roomCommand(sandbox), { timeoutMs: 10_000, outputBytesMax: 4096, ...(signal ? { signal } : {}) })
  // Its own limit: what failed before this did so by itself.
  if (killed === 'disk') return
  if (killed !== null) throw new SparError(killed === 'abort' ? 'ABORTED' : 'SANDBOX_ROOM_UNKNOWN', `Cannot tell whether the disk under sandbox ${sandbox.id} is full: df was killed (${killed})`, { retryable: true })
  const available = /\s(\d+)\s+\d+%\s/.exec(Buffer.from(output).toString('utf8'))?.[1]
  if (available !== undefined && Number(available) < roomKilobytesMin) throw full(sandbox, Number(available))
}

const full = ({ id }: Sandbox, kilobytes: number): SparError =>
  new SparError('SANDBOX_DISK_FULL', `Cannot go on in sandbox ${id}: the disk under it has ${kilobytes} kB left. Free some space, or move SPAR_HOME to another disk`, { retryable: true })

/** End of the output that is searched for what programs say when they have no room. */
const saidBytes = 64 * 2 ** 10

/** Of a command that failed and says so: throws as `assertRoom`. Its own sandbox's limit is no full disk. */
export async function throwIfFull (sandbox: Sandbox, { exitCode, output, killed }: ExecResult, signal?: AbortSignal): Promise<void> {
  if (exitCode !== 0 && killed !== 'disk' && saysFull(Buffer.from(output.subarray(-saidBytes)).toString('utf8'))) await assertRoom(sandbox, signal)
}
