// The runs that a node knows of, kept up by watching the bucket: their documents, when they change, and when they are given up.

import type { Bus } from '../bus/types.ts'
import { SparError, toPlain } from '../errors.ts'
import type { RunOptions } from '../run/options.ts'
import { isFinal, isGivenUp, readDocument, type RunDocument } from './document.ts'

export interface Runs {
  get (run: string): RunDocument | null
  active (): RunDocument[]
  /** Options of the episodes of one arena; the same object every time. */
  optionsOf (run: string, arena: number): RunOptions
  /** Aborts when the run is cancelled, failed or removed. */
  cancelled (run: string): AbortSignal
  /** Resolves to the document once `holds` says so. */
  when (run: string, holds: (document: RunDocument) => boolean, signal: AbortSignal): Promise<RunDocument>
  /** Told about every change, and about what was there. Returns how to leave. */
  listen (listener: (document: RunDocument) => void): () => void
  /** Resolves when all that was there is known; then follows until the signal aborts. A document that cannot be read is passed over, and `onFault` is told. */
  follow (signal: AbortSignal): { ready: Promise<void>; ended: Promise<void> }
}

interface Known { document: RunDocument; cancelled: AbortController; options: Map<number, RunOptions> }

export interface RunsHooks { onFault (code: string, message: string): void; onRemoved? (run: string): void }

export function createRuns (bus: Bus, { onFault, onRemoved = () => {} }: RunsHooks): Runs {
  const known = new Map<string, Known>()
  const listeners = new Set<(document: RunDocument) => void>()

  const keep = (name: string, bytes: Uint8Array | null): void => {
    const before = known.get(name)
    if (bytes === null) {
      before?.cancelled.abort(new SparError('RUN_REMOVED', `the run ${name} was removed`))
      known.delete(name)
      onRemoved(name)
      return
    }
    const document = readDocument(bytes, name)
    const entry: Known = before ?? { document, cancelled: new AbortController(), options: new Map<number, RunOptions>() }
    entry.document = document
    known.set(name, entry)
    if (isGivenUp(document.state)) entry.cancelled.abort(new SparError('RUN_CANCELLED', document.reason || `the run ${name} was ${document.state}`))
    for (const listener of [...listeners]) listener(document)
  }

  const of = (run: string): Known => {
    const entry = known.get(run)
    if (entry === undefined) throw new SparError('RUN_NOT_FOUND', `There is no run ${run} on this bus`, { retryable: true })
    return entry
  }

  return {
    get: run => known.get(run)?.document ?? null,
    active: () => [...known.values()].map(({ document }) => document).filter(({ state }) => !isFinal(state)),
    optionsOf (run, arena) {
      const { document, options } = of(run)
      const made = options.get(arena) ?? { ...document.options, target: document.arenas[arena]!.target }
      options.set(arena, made)
      return made
    },
    cancelled: run => of(run).cancelled.signal,
    when: (run, holds, signal) => new Promise((resolve, reject) => {
      const leave = (): void => {
        listeners.delete(look)
        signal.removeEventListener('abort', stop)
      }
      const look = (document: RunDocument): void => {
        if (document.name !== run || !holds(document)) return
        leave()
        resolve(document)
      }
      const stop = (): void => {
        leave()
        reject(signal.reason)
      }
      listeners.add(look)
      signal.addEventListener('abort', stop, { once: true })
      if (signal.aborted) return stop()
      const now = known.get(run)
      if (now !== undefined) look(now.document)
    }),
    listen (listener) {
      listeners.add(listener)
      for (const { document } of known.values()) listener(document)
      return () => { listeners.delete(listener) }
    },
    follow (signal) {
      let arrive!: () => void
      const ready = new Promise<void>(resolve => { arrive = resolve })
      const ended = (async () => {
        for await (const entry of bus.kv.runs.watch('', signal)) {
          if (entry === null) { arrive(); continue }
          try {
            keep(entry.key, entry.bytes)
          } catch (error) {
            const { code, message } = toPlain(error)
            onFault(code, message)
          }
        }
      })()
      return { ready: Promise.race([ready, ended]), ended }
    }
  }
}
