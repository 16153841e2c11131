// Runs of the original tree, shared by every bug with the same arena and suite: finished ones are kept, one in flight is
// joined. A run in flight ends only when everybody who waits for it has left. Faults of ours are not kept.

import { createHash } from 'node:crypto'
import type { Arena } from '../domain.ts'
import { SparError } from '../errors.ts'
import { verifyLimits } from './limits.ts'
import type { Suite, TreeRun } from './types.ts'

export interface SharedRuns<Run> {
  readonly size: number
  get (key: string, start: (signal: AbortSignal) => Promise<Run>, signal?: AbortSignal): Promise<Run>
}
export type CleanRunCache = SharedRuns<TreeRun>

/** `repeat` tells the runs of one suite apart: each is made once. */
export function cleanRunKey (arena: Arena, suite: Suite, testFiles: readonly string[], repeat: number): string {
  const hash = createHash('sha256')
  for (const part of [arena.id, suite.script, suite.parserName, suite.parser, ...[...testFiles].sort()]) hash.update(`${Buffer.byteLength(part)}\0`).update(part)
  return `${hash.digest('hex')}:${repeat}`
}

interface Entry<Run> { promise: Promise<Run>; waiting: number; abort: AbortController }

export const createCleanRunCache = (entriesMax: number = verifyLimits.cleanRunsMax): CleanRunCache => createSharedRuns(entriesMax)

export function createSharedRuns<Run> (entriesMax: number): SharedRuns<Run> {
  // Insertion order is the order of last use.
  const entries = new Map<string, Entry<Run>>()

  const begin = (key: string, start: (signal: AbortSignal) => Promise<Run>): Entry<Run> => {
    const abort = new AbortController()
    const entry: Entry<Run> = { promise: start(abort.signal), waiting: 0, abort }
    entry.promise.catch(() => { if (entries.get(key) === entry) entries.delete(key) })
    return entry
  }

  const touch = (key: string, entry: Entry<Run>): void => {
    entries.delete(key)
    entries.set(key, entry)
    for (const [oldest, { waiting }] of entries) {
      if (entries.size <= entriesMax) break
      if (waiting === 0 && oldest !== key) entries.delete(oldest)
    }
  }

  return {
    get size () { return entries.size },
    async get (key, start, signal) {
      if (signal?.aborted) throw cancelled()
      const entry = entries.get(key) ?? begin(key, start)
      touch(key, entry)
      entry.waiting++
      let leave: (() => void) | undefined
      const left = new Promise<never>((resolve, reject) => {
        leave = () => reject(cancelled())
        signal?.addEventListener('abort', leave, { once: true })
      })
      try {
        return await Promise.race([entry.promise, left])
      } catch (error) {
        if (entry.waiting === 1 && signal?.aborted) {
          if (entries.get(key) === entry) entries.delete(key)
          entry.abort.abort()
          // Its sandboxes are on their way out when it settles.
          await entry.promise.catch(() => {})
        }
        throw error
      } finally {
        entry.waiting--
        signal?.removeEventListener('abort', leave!)
      }
    }
  }
}

const cancelled = (): SparError => new SparError('ABORTED', 'Cannot wait for a clean run: the work was cancelled', { retryable: true })
