// The worker threads of a process: one piscina pool, named typed tasks, and a limit on everything. Piscina starts and
// ends threads; the queue in front of them is ours, since a task that is aborted while it waits must not cost a thread.
//
// Invariants: (1) a thread holds one message at a time, so a thread that dies loses only that message; (2) what was lost
// with others is tried again alone; what was lost alone is tried once more and then rejects as retryable, as does at once
// what was moved to the thread; (3) after close() nothing of the pool keeps the process alive.

import { EventEmitter } from 'node:events'
import { availableParallelism } from 'node:os'
import { fileURLToPath } from 'node:url'
import { Piscina } from 'piscina'
import { fromPlain, SparError } from '../errors.ts'
import { createMeasures, type TaskMeasures } from './measures.ts'
import { createQueue, type Job } from './queue.ts'
import type { TaskName, Tasks } from './tasks.ts'
import type { ThreadReply } from './thread.ts'
import { bytesOf } from './transfer.ts'

export interface PoolOptions {
  /** Threads at most. */
  threads?: number
  /** Tasks that may wait for a thread; beyond it a task is refused. */
  queuedMax?: number
  /** Bytes that waiting tasks may hold; one task may always wait. */
  queuedBytesMax?: number
  /** Bytes that running tasks may hold; a task waits for room, and a larger one until it is alone. */
  runningBytesMax?: number
  /** Small tasks that go to a thread together. */
  batchMax?: number
  batchBytesMax?: number
  /** A message that takes longer loses its thread; its task rejects. */
  taskMsMax?: number
  /** Heap of one thread; a task that needs more loses its thread. */
  heapMbMax?: number
  /** The file that threads run; benchmarks and tests put one of their own here. */
  threadFile?: string
}

export const poolDefaults = {
  threads: Math.max(1, availableParallelism() - 1),
  queuedMax: 4096,
  queuedBytesMax: 256 * 2 ** 20,
  runningBytesMax: 128 * 2 ** 20,
  batchMax: 32,
  batchBytesMax: 128 * 2 ** 10,
  taskMsMax: 120_000,
  heapMbMax: 1024
}

export interface RunOptions {
  signal?: AbortSignal | undefined
  /** Buffers of the input that are moved instead of copied: the caller loses them, and a task that lost its thread rejects at once. */
  transfer?: readonly ArrayBuffer[]
}

export interface PoolStats { threads: number; running: number; queued: number; queuedBytes: number; tasks: Record<string, TaskMeasures> }

export interface Workers {
  run<Name extends TaskName> (name: Name, input: Tasks[Name]['input'], options?: RunOptions): Promise<Tasks[Name]['output']>
  /** What runs and waits now, and how long tasks waited and ran. */
  stats (): PoolStats
  /** Waits for what runs, refuses what waits, ends the threads. Idempotent. */
  close (): Promise<void>
}

const triesMax = 2
/** Emits `abort`. An AbortSignal would do too, but costs as much as half the way to the thread. */
type Stop = EventEmitter
// Compiled the thread is JavaScript beside this file; under a TypeScript loader it is the source.
const defaultThreadFile = fileURLToPath(new URL(import.meta.url.endsWith('.ts') ? './entry.ts' : './entry.js', import.meta.url))

export function createPool (options: PoolOptions = {}): Workers {
  const { threadFile = defaultThreadFile, ...given } = options
  const limits = { ...poolDefaults, ...given }
  for (const [name, value] of Object.entries(limits)) requirePositive(name, value)
  const piscina = startThreads(threadFile, limits)
  const queue = createQueue(limits)
  const measures = createMeasures()
  const running = new Set<Promise<void>>()
  /** The message of a task that runs alone can be cut short. */
  const alone = new Map<Job, Stop>()
  let runningBytes = 0
  let closing: Promise<void> | null = null

  const pump = (): void => {
    for (let free = limits.threads - running.size; free > 0; free = limits.threads - running.size) {
      const batch = queue.take(free, running.size === 0 ? Infinity : limits.runningBytesMax - runningBytes)
      if (batch.length === 0) return
      const bytes = batch.reduce((sum, job) => sum + job.bytes, 0)
      runningBytes += bytes
      const work = perform(batch).finally(() => {
        runningBytes -= bytes
        running.delete(work)
        pump()
      })
      running.add(work)
    }
  }

  const perform = async (batch: Job[]): Promise<void> => {
    const startedAt = performance.now()
    const stop: Stop = new EventEmitter()
    if (batch.length === 1) alone.set(batch[0]!, stop)
    let late = false
    const timer = setTimeout(() => { late = true; stop.emit('abort') }, limits.taskMsMax)
    try {
      const replies = await send(piscina, batch, stop)
      if (replies === null) batch.forEach(job => lose(job, batch.length === 1, late))
      else batch.forEach((job, index) => settle(job, replies[index]!, startedAt, (performance.now() - startedAt) / batch.length))
    } catch (error) {
      // One of them cannot be sent: alone it will be seen which.
      for (const job of batch) if (batch.length === 1) job.reject(error); else if (!job.settled) retry(job)
    } finally {
      clearTimeout(timer)
      alone.delete(batch[0]!)
    }
  }

  const settle = (job: Job, reply: ThreadReply, startedAt: number, runMs: number): void => {
    measures.ran(job.name, startedAt - job.queuedAt, runMs, reply.ok)
    if (reply.ok) job.resolve(reply.output)
    else job.reject(fromPlain(reply.error))
  }

  /** The thread is gone. Threads answer errors as values, so a rejection can mean nothing else. */
  const lose = (job: Job, wasAlone: boolean, late: boolean): void => {
    if (job.settled) return
    measures.lost(job.name)
    if (wasAlone) job.losses++
    if (wasAlone && late) job.reject(new SparError('WORKER_TIMEOUT', `Cannot finish task "${job.name}": it took longer than taskMsMax (${limits.taskMsMax} ms)`, { data: { name: job.name, taskMsMax: limits.taskMsMax } }))
    else if (closing !== null) job.reject(poolClosed())
    else if (job.losses < triesMax && job.transfer.length === 0) retry(job)
    else job.reject(new SparError('WORKER_LOST', `Cannot finish task "${job.name}": its thread died${job.losses > 1 ? ` ${job.losses} times` : ''}; give threads more heap (heapMbMax) or the task less`, { retryable: true, data: { name: job.name, tries: job.losses } }))
  }

  const retry = (job: Job): void => {
    job.alone = true
    queue.putBack(job)
  }

  const close = async (): Promise<void> => {
    for (const job of queue.clear()) job.reject(poolClosed())
    await Promise.allSettled(running)
    await piscina.destroy()
  }

  return {
    run: (name, input, { signal, transfer = [] } = {}) => new Promise((resolve, reject) => {
      if (signal?.aborted) return reject(aborted(name))
      if (closing !== null) return reject(poolClosed())
      const onAbort = (): void => {
        queue.remove(job)
        job.reject(aborted(name))
        alone.get(job)?.emit('abort')
      }
      const end = (): void => {
        job.settled = true
        signal?.removeEventListener('abort', onAbort)
      }
      const job: Job = {
        name, input, bytes: bytesOf(input), transfer, queuedAt: performance.now(), losses: 0, alone: false, settled: false,
        resolve: output => { end(); resolve(output as never) },
        reject: error => { end(); reject(error) }
      }
      try {
        queue.add(job)
      } catch (error) {
        return reject(error)
      }
      signal?.addEventListener('abort', onAbort)
      pump()
    }),
    stats: () => ({ threads: limits.threads, running: running.size, queued: queue.size, queuedBytes: queue.bytes, tasks: measures.read() }),
    close: () => (closing ??= close())
  }
}

function startThreads (filename: string, { threads, heapMbMax }: typeof poolDefaults): Piscina {
  const piscina = new Piscina({
    filename,
    minThreads: 0,
    maxThreads: threads,
    concurrentTasksPerWorker: 1,
    idleTimeout: 30_000,
    recordTiming: false,
    resourceLimits: { maxOldGenerationSizeMb: heapMbMax }
  })
  // A thread that dies idle is no news: the next task gets a fresh one.
  piscina.on('error', () => {})
  return piscina
}

/** null: the thread is gone. */
async function send (piscina: Piscina, batch: readonly Job[], signal: Stop): Promise<ThreadReply[] | null> {
  try {
    const work = { tasks: batch.map(({ name, input }) => ({ name, input })) }
    const [{ transfer }] = batch as [Job]
    return await piscina.run(work, transfer.length === 0 ? { signal } : { signal, transferList: [...transfer] })
  } catch (error) {
    if (error instanceof Error && error.name === 'DataCloneError') throw error
    return null
  }
}

function requirePositive (name: string, value: number): void {
  if (!(Number.isInteger(value) && value > 0)) throw new SparError('OPTION_INVALID', `Cannot create the worker pool: ${name} is ${value}, but must be a positive integer`)
}

function aborted (name: TaskName): SparError {
  return new SparError('WORKER_ABORTED', `Task "${name}" was aborted`, { data: { name } })
}

function poolClosed (): SparError {
  return new SparError('WORKERS_CLOSED', 'Cannot take a task: the worker pool is closed')
}
