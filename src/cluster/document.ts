// A run of the cluster: one document in the bucket `runs`, changed only over the revision that was read, watched by every node.

import type { Bus, KeyValue } from '../bus/types.ts'
import type { Arena } from '../domain.ts'
import { SparError } from '../errors.ts'
import type { RunOptions } from '../run/options.ts'
import { pack, unpack } from './codec.ts'
import { clusterLimits } from './limits.ts'

/** `paused`: no new episode starts. `cancelled`: what is in flight is given up. The last three are final. */
export type RunState = 'running' | 'paused' | 'cancelled' | 'done' | 'failed'
/** Ended before it was done. */
export const isGivenUp = (state: RunState): boolean => state === 'cancelled' || state === 'failed'
export const isFinal = (state: RunState): boolean => state === 'done' || isGivenUp(state)

export interface RunArena {
  target: string
  setup: string | null
  test: string | null
  /** As the first node that opened it found it; every other node has to find the same. */
  opened: Arena | null
}

/** Whom a run waits for, and with how many bytes of samples before it. */
export interface RunTrainer { name: string; aheadBytesMax: number }

export interface RunDocument {
  name: string
  state: RunState
  /** Why it failed, or was cancelled. */
  reason: string
  /** `arenas` of them is the number of the list below; `target` the first one's. */
  options: RunOptions
  arenas: RunArena[]
  /** Episodes at a time. */
  inFlight: number
  /** null: it waits for none. */
  trainer: RunTrainer | null
  /** Milliseconds since 1970. */
  submittedAt: number
}

export function readDocument (bytes: Uint8Array, name: string): RunDocument {
  // A document of before runs named their trainers has no such field.
  const { trainer = null, ...document } = unpack<Omit<RunDocument, 'trainer'> & { trainer?: RunTrainer | null }>(bytes, `the run ${name}`)
  return { ...document, trainer }
}

/** Throws RUN_NOT_FOUND. */
export async function getDocument (bus: Bus, name: string): Promise<RunDocument> {
  return (await read(bus.kv.runs, name)).document
}

/** Throws RUN_EXISTS, DOCUMENT_TOO_LARGE. */
export async function createDocument (bus: Bus, document: RunDocument): Promise<void> {
  try {
    await bus.kv.runs.update(document.name, packed(document), 0)
  } catch (error) {
    if ((error as SparError).code !== 'BUS_CONFLICT') throw error
    throw new SparError('RUN_EXISTS', `Cannot submit the run ${document.name}: there is one of that name already. Give another name`)
  }
}

/** Changes the document as it is now; `change` returns null to leave it. Resolves to what stands. Throws RUN_NOT_FOUND. */
export async function changeDocument (bus: Bus, name: string, change: (document: RunDocument) => RunDocument | null): Promise<RunDocument> {
  for (;;) {
    const { document, revision } = await read(bus.kv.runs, name)
    const changed = change(document)
    if (changed === null) return document
    try {
      await bus.kv.runs.update(name, packed(changed), revision)
      return changed
    } catch (error) {
      if ((error as SparError).code !== 'BUS_CONFLICT') throw error
    }
  }
}

async function read (runs: KeyValue, name: string): Promise<{ document: RunDocument; revision: number }> {
  const entry = await runs.get(name)
  if (entry === null) throw new SparError('RUN_NOT_FOUND', `There is no run ${name} on this bus. List them with: spar run list`)
  return { document: readDocument(entry.bytes, name), revision: entry.revision }
}

function packed (document: RunDocument): Uint8Array {
  const bytes = pack(document)
  if (bytes.length > clusterLimits.documentBytesMax) throw new SparError('DOCUMENT_TOO_LARGE', `Cannot keep the run ${document.name}: its document has ${bytes.length} bytes, documentBytesMax is ${clusterLimits.documentBytesMax}. Play on fewer arenas`)
  return bytes
}
