// Endings that a node has read or written, so that eight attempts on a bug read it once. One that is settled never changes.

import type { Ending } from './records.ts'

type Settled = Extract<Ending, { kind: 'settled' }>

/** What an ending and each of its files take beside their bytes, about. */
const endingBytes = 1_024
const attachmentBytes = 1_024

export interface Endings {
  get (key: string): Settled | null
  keep (key: string, ending: Ending): void
  /** Another run may have the name one day. */
  forget (run: string): void
}

/** The oldest go first, once all that hangs on them (their files, also those among the objects) is more than `bytesMax`. */
export function createEndings (bytesMax: number): Endings {
  const kept = new Map<string, { ending: Settled; bytes: number }>()
  let total = 0
  const remove = (key: string): void => {
    total -= kept.get(key)?.bytes ?? 0
    kept.delete(key)
  }
  return {
    get: key => kept.get(key)?.ending ?? null,
    keep (key, ending) {
      if (ending.kind !== 'settled') return
      const bytes = [ending.result, ...ending.files, ...ending.artifact?.files ?? []].reduce((sum, { size }) => sum + size + attachmentBytes, endingBytes)
      remove(key)
      if (bytes > bytesMax) return
      kept.set(key, { ending, bytes })
      total += bytes
      for (const oldest of kept.keys()) {
        if (total <= bytesMax) return
        remove(oldest)
      }
    },
    forget (run) { for (const key of [...kept.keys()]) if (key.startsWith(`${run}.`)) remove(key) }
  }
}
