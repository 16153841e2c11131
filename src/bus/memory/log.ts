// A log of the memory bus.

import { Channel } from '../channel.ts'
import { isInside } from '../keys.ts'
import { checkKey, checkPrefix } from '../subjects.ts'
import type { Log, LogEntry } from '../types.ts'

export type MemoryLog = Omit<Log, 'follow'> & { follow (prefix: string, signals: readonly AbortSignal[]): AsyncIterable<LogEntry | null> }

export function createLog (accept: (bytes: Uint8Array) => Uint8Array): MemoryLog {
  const entries = new Map<string, LogEntry>()
  const readers = new Map<Channel<LogEntry | null>, string>()
  let sequence = 0

  async function * follow (prefix: string, signals: readonly AbortSignal[]): AsyncGenerator<LogEntry | null> {
    const reader: Channel<LogEntry | null> = new Channel({ signals, onEnd: () => { readers.delete(reader) } })
    if (reader.isOver) return
    for (const entry of entries.values()) if (isInside(entry.key, prefix)) reader.push(entry)
    reader.push(null)
    readers.set(reader, prefix)
    yield * reader.read()
  }

  return {
    async create (key, bytes) {
      checkKey(key)
      const kept = accept(bytes)
      if (entries.has(key)) return 'present'
      const entry = { key, bytes: kept, sequence: ++sequence }
      entries.set(key, entry)
      for (const [reader, prefix] of readers) if (isInside(key, prefix)) reader.push(entry)
      return 'created'
    },
    get: async key => entries.get(checkKey(key))?.bytes ?? null,
    remove: async key => { entries.delete(checkKey(key)) },
    follow: (prefix, signals) => follow(checkPrefix(prefix), signals)
  }
}
