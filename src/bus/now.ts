// Ways to read what can be followed: what is there now, up to the mark that everything was told; or on and on, in the
// background.

import { SparError } from '../errors.ts'
import type { KeyValue } from './types.ts'

export async function * upToNow<Entry> (follow: (signal: AbortSignal) => AsyncIterable<Entry | null>): AsyncGenerator<Entry> {
  const over = new AbortController()
  try {
    for await (const entry of follow(over.signal)) {
      if (entry === null) return
      yield entry
    }
  } finally { over.abort() }
}

/** What a bucket holds now below a prefix ('' for all), by key. */
export async function keptNow<Value> (bucket: Pick<KeyValue, 'watch'>, prefix: string, read: (bytes: Uint8Array, key: string) => Value): Promise<Map<string, Value>> {
  const kept = new Map<string, Value>()
  for await (const { key, bytes } of upToNow(signal => bucket.watch(prefix, signal))) {
    if (bytes === null) kept.delete(key)
    else kept.set(key, read(bytes, key))
  }
  return kept
}

/** Something that is followed in the background. */
export interface Followed {
  /** Everything that was there has been taken; rejects where that does not come. */
  ready: Promise<void>
  /** Why nothing comes any more; settles only when following ended by a fault. */
  broken: Promise<never>
}

export function followed<Entry> (entries: AsyncIterable<Entry | null>, take: (entry: Entry) => void): Followed {
  let arrive!: () => void
  let miss!: (error: unknown) => void
  const ready = new Promise<void>((resolve, reject) => { arrive = resolve; miss = reject })
  const broken = (async () => {
    try {
      for await (const entry of entries) {
        if (entry === null) arrive()
        else take(entry)
      }
    } catch (error) {
      miss(error)
      throw error
    }
    // Ended by its signal: nobody listens any more.
    miss(new SparError('BUS_CLOSED', 'Following was given up before everything that was there was told'))
    return await new Promise<never>(() => {})
  })()
  ready.catch(() => {})
  broken.catch(() => {})
  return { ready, broken }
}
