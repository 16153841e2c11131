// A log of the memory bus.

import { Channel } from '../channel.ts'
import { isInside } from '../keys.ts'
import { checkKey, checkPrefix } from '../subjects.ts'
import type { Log, LogEntry, LogPlace } from '../types.ts'

export interface MemoryReader {
  /** The oldest entries that it was not given yet, up to `most`. */
  take (most: number): LogEntry[]
  acknowledge (entry: LogEntry): void
  /** What it was given and has not acknowledged: a server gives it again to a reader that comes back. */
  held (): LogEntry[]
}

export type MemoryLog = Omit<Log, 'follow'> & {
  follow (prefix: string, signals: readonly AbortSignal[], after?: number): AsyncIterable<LogEntry | null>
  attach (reader: string, prefix: string): MemoryReader
}

interface Reading { prefix: string; delivered: number; held: Set<number> }

export function createLog (accept: (bytes: Uint8Array) => Uint8Array): MemoryLog {
  const entries = new Map<string, LogEntry>()
  const readers = new Map<Channel<LogEntry | null>, string>()
  const kept = new Map<string, Reading>()
  let sequence = 0

  async function * follow (prefix: string, signals: readonly AbortSignal[], after: number): AsyncGenerator<LogEntry | null> {
    const reader: Channel<LogEntry | null> = new Channel({ signals, onEnd: () => { readers.delete(reader) } })
    if (reader.isOver) return
    for (const entry of entries.values()) if (entry.sequence > after && isInside(entry.key, prefix)) reader.push(entry)
    reader.push(null)
    readers.set(reader, prefix)
    yield * reader.read()
  }

  const waitingFor = ({ prefix, delivered }: Reading): LogEntry[] => [...entries.values()].filter(({ key, sequence }) => sequence > delivered && isInside(key, prefix))
  const placeOf = (reader: string, reading: Reading): LogPlace => {
    const { prefix, delivered, held } = reading
    // As a server counts: up to the last one before the first that is held.
    const first = Math.min(...held)
    const acknowledged = held.size === 0 ? delivered : Math.max(0, ...[...entries.values()].filter(({ key, sequence }) => sequence < first && isInside(key, prefix)).map(({ sequence }) => sequence))
    return { reader, prefix, acknowledged, delivered, held: held.size, waiting: waitingFor(reading).length }
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
    follow: (prefix, signals, after = 0) => follow(checkPrefix(prefix), signals, after),
    async place (reader) {
      const reading = kept.get(checkKey(reader))
      return reading === undefined ? null : placeOf(reader, reading)
    },
    places: async () => [...kept].map(([reader, reading]) => placeOf(reader, reading)).sort((one, other) => one.reader < other.reader ? -1 : 1),
    attach (reader, prefix) {
      const reading = kept.get(reader) ?? { prefix, delivered: 0, held: new Set<number>() }
      kept.set(reader, reading)
      return {
        take (most) {
          const taken = waitingFor(reading).slice(0, most)
          for (const { sequence } of taken) {
            reading.held.add(sequence)
            reading.delivered = sequence
          }
          return taken
        },
        acknowledge: ({ sequence }) => { reading.held.delete(sequence) },
        held: () => [...entries.values()].filter(({ sequence }) => reading.held.has(sequence))
      }
    }
  }
}
