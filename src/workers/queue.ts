// Tasks that wait for a thread, first come, first served, bounded in number and in bytes. A thread that becomes free takes
// the next one; small ones that wait behind it go along in the same message, as long as no other thread is free for them.

import { SparError } from '../errors.ts'
import type { TaskName } from './tasks.ts'

export interface Job {
  name: TaskName
  input: unknown
  /** What the input weighs. */
  bytes: number
  /** Buffers that are moved to the thread; a job that has some cannot be tried again. */
  transfer: readonly ArrayBuffer[]
  queuedAt: number
  /** Threads that died under it while it was alone. */
  losses: number
  /** It was in a message that got lost, so it goes alone. */
  alone: boolean
  settled: boolean
  resolve: (output: unknown) => void
  reject: (error: unknown) => void
}

export interface QueueLimits {
  queuedMax: number
  queuedBytesMax: number
  /** Tasks of one message. */
  batchMax: number
  /** Bytes of one message of more than one task; a task above it is no small one. */
  batchBytesMax: number
}

export interface Queue {
  /** Throws WORKERS_BUSY where there is no room. */
  add (job: Job): void
  /** Puts back what was taken, in front. It is not refused: it was let in before. */
  putBack (job: Job): void
  remove (job: Job): void
  /** The next message for one of `free` threads; empty when nothing waits or the next one weighs more than `roomBytes`. */
  take (free: number, roomBytes: number): Job[]
  /** Takes everything that waits. */
  clear (): Job[]
  readonly size: number
  readonly bytes: number
}

export function createQueue (limits: QueueLimits): Queue {
  const again = new Set<Job>()
  const waiting = new Set<Job>()
  let bytes = 0
  const remove = (job: Job): boolean => {
    const removed = again.delete(job) || waiting.delete(job)
    if (removed) bytes -= job.bytes
    return removed
  }
  const size = (): number => again.size + waiting.size
  const small = (job: Job): boolean => !job.alone && job.transfer.length === 0 && job.bytes <= limits.batchBytesMax / limits.batchMax
  const companions = (first: Job, free: number): Job[] => {
    if (!small(first)) return []
    const found: Job[] = []
    const share = Math.min(limits.batchMax, Math.ceil(size() / free)) - 1
    let room = limits.batchBytesMax - first.bytes
    for (const job of waiting) {
      if (found.length >= share || job.bytes > room) break
      if (job === first) continue
      if (!small(job)) break
      found.push(job)
      room -= job.bytes
    }
    return found
  }
  return {
    add (job) {
      if (size() >= limits.queuedMax) throw busy(job, `queuedMax (${limits.queuedMax}) tasks wait already`)
      if (size() > 0 && bytes + job.bytes > limits.queuedBytesMax) throw busy(job, `with its ${job.bytes} bytes more than queuedBytesMax (${limits.queuedBytesMax}) would wait`)
      waiting.add(job)
      bytes += job.bytes
    },
    putBack (job) {
      again.add(job)
      bytes += job.bytes
    },
    remove,
    take (free, roomBytes) {
      const [first] = again.size > 0 ? again : waiting
      if (first === undefined || first.bytes > roomBytes) return []
      const batch = [first, ...companions(first, free)]
      batch.forEach(remove)
      return batch
    },
    clear () {
      const all = [...again, ...waiting]
      all.forEach(remove)
      return all
    },
    get size () { return size() },
    get bytes () { return bytes }
  }
}

const busy = (job: Job, why: string): SparError =>
  new SparError('WORKERS_BUSY', `Cannot take task "${job.name}": ${why}`, { retryable: true, data: { name: job.name } })
