// The worker threads of a process: one piscina pool, named typed tasks, and a limit on everything. Piscina starts and
// ends threads; the line in front of them is ours, since a task that is aborted while it waits must not cost a thread.
//
// Invariants: (1) a thread holds one task at a time, so a thread that dies loses only that task; (2) a lost task is tried
// once more and then rejects as retryable; (3) after close() nothing of the pool keeps the process alive.

import { availableParallelism } from 'node:os'
import { fileURLToPath } from 'node:url'
import { Piscina } from 'piscina'
import { fromPlain, SparError } from '../errors.ts'
import type { TaskName, Tasks } from './tasks.ts'
import type { ThreadReply } from './thread.ts'

export interface PoolOptions {
  /** Threads at most. */
  threads?: number
  /** Tasks that may wait for a thread; beyond it a task is refused. */
  queuedMax?: number
  /** A task that takes longer loses its thread and rejects. */
  taskMsMax?: number
  /** Heap of one thread; a task that needs more loses its thread. */
  heapMbMax?: number
  /** The file that threads run; tests put a broken one here. */
  threadFile?: string
}

export const poolDefaults = {
  threads: Math.max(1, availableParallelism() - 1),
  queuedMax: 4096,
  taskMsMax: 120_000,
  heapMbMax: 1024
}

export interface Workers {
  run<Name extends TaskName> (name: Name, input: Tasks[Name]['input'], options?: { signal?: AbortSignal | undefined }): Promise<Tasks[Name]['output']>
  /** Waits for what runs, refuses what waits, ends the threads. Idempotent. */
  close (): Promise<void>
}

const triesMax = 2
// Compiled the thread is JavaScript beside this file; under a TypeScript loader it is the source.
const defaultThreadFile = fileURLToPath(new URL(import.meta.url.endsWith('.ts') ? './thread.ts' : './thread.js', import.meta.url))

export function createPool (options: PoolOptions = {}): Workers {
  const { threadFile = defaultThreadFile, ...given } = options
  const limits = { ...poolDefaults, ...given }
  for (const [name, value] of Object.entries(limits)) requirePositive(name, value)
  const piscina = new Piscina({
    filename: threadFile,
    minThreads: 0,
    maxThreads: limits.threads,
    concurrentTasksPerWorker: 1,
    idleTimeout: 30_000,
    resourceLimits: { maxOldGenerationSizeMb: limits.heapMbMax }
  })
  // A thread that dies idle is no news: the next task gets a fresh one.
  piscina.on('error', () => {})
  const line = createLine(limits.threads, limits.queuedMax)
  const running = new Set<Promise<unknown>>()

  const perform = async (name: TaskName, input: unknown, signal: AbortSignal | undefined): Promise<unknown> => {
    await line.enter(name, signal)
    try {
      return await withRetry(piscina, name, input, signal, limits.taskMsMax)
    } finally {
      line.leave()
    }
  }
  let closing: Promise<void> | null = null
  const close = async (): Promise<void> => {
    line.close()
    await Promise.allSettled(running)
    await piscina.destroy()
  }
  return {
    run: (name, input, { signal } = {}) => {
      const work = perform(name, input, signal)
      running.add(work)
      const forget = (): void => { running.delete(work) }
      work.then(forget, forget)
      return work as Promise<never>
    },
    close: () => (closing ??= close())
  }
}

async function withRetry (piscina: Piscina, name: TaskName, input: unknown, signal: AbortSignal | undefined, taskMsMax: number): Promise<unknown> {
  for (let tries = 1; ; tries++) {
    const deadline = AbortSignal.timeout(taskMsMax)
    const reply = await once(piscina, name, input, signal ? AbortSignal.any([signal, deadline]) : deadline)
    if (reply !== null) {
      if (reply.ok) return reply.output
      throw fromPlain(reply.error)
    }
    if (signal?.aborted) throw aborted(name)
    if (deadline.aborted) throw new SparError('WORKER_TIMEOUT', `Cannot finish task "${name}": it took longer than taskMsMax (${taskMsMax} ms)`, { data: { name, taskMsMax } })
    if (tries === triesMax) {
      throw new SparError('WORKER_LOST', `Cannot finish task "${name}": its thread died ${triesMax} times; give threads more heap (heapMbMax) or the task less`, { retryable: true, data: { name, tries } })
    }
  }
}

/** null: the thread is gone. Threads answer errors as values, so a rejection can mean nothing else. */
async function once (piscina: Piscina, name: TaskName, input: unknown, signal: AbortSignal): Promise<ThreadReply | null> {
  try {
    return await piscina.run({ name, input }, { signal })
  } catch (error) {
    if (error instanceof Error && error.name === 'DataCloneError') throw error
    return null
  }
}

interface Line { enter (name: TaskName, signal: AbortSignal | undefined): Promise<void>; leave (): void; close (): void }
interface Waiter { admit (): void; refuse (error: SparError): void }

/** First come, first served: at most `slots` inside, at most `queuedMax` waiting. */
function createLine (slots: number, queuedMax: number): Line {
  const waiting = new Set<Waiter>()
  let free = slots
  let closed = false
  const wait = (name: TaskName, signal: AbortSignal | undefined): Promise<void> => new Promise((resolve, reject) => {
    const settle = (): void => {
      waiting.delete(waiter)
      signal?.removeEventListener('abort', onAbort)
    }
    const waiter: Waiter = {
      admit: () => { settle(); resolve() },
      refuse: error => { settle(); reject(error) }
    }
    const onAbort = (): void => waiter.refuse(aborted(name))
    waiting.add(waiter)
    signal?.addEventListener('abort', onAbort)
  })
  return {
    enter: async (name, signal) => {
      if (signal?.aborted) throw aborted(name)
      if (closed) throw poolClosed()
      if (free > 0) { free--; return }
      if (waiting.size >= queuedMax) {
        throw new SparError('WORKERS_BUSY', `Cannot take task "${name}": queuedMax (${queuedMax}) tasks wait already`, { retryable: true, data: { name, queuedMax } })
      }
      await wait(name, signal)
    },
    leave: () => {
      const [next] = waiting
      if (next) next.admit()
      else free++
    },
    close: () => {
      closed = true
      for (const waiter of waiting) waiter.refuse(poolClosed())
    }
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
