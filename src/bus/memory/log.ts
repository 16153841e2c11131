// A log of the memory bus.

import { Channel } from '../channel.ts'
import { isInside, prefixesOf } from '../keys.ts'
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

interface Reading { prefix: string; acknowledged: number; delivered: number; held: Set<number> }

export function createLog (accept: (bytes: Uint8Array) => Uint8Array): MemoryLog {
  const entries = new Map<string, LogEntry>()
  /** Entries and readers by every prefix: a long log is read by many who each want little of it. */
  const entriesIn = new Map<string, Map<string, LogEntry>>()
  const readersOf = new Map<string, Set<Channel<LogEntry | null>>>()
  const kept = new Map<string, Reading>()
  /** As they came. What was removed stays here until it is half of it. */
  let order: LogEntry[] = []
  let removed = 0
  let sequence = 0

  /** Place of the first that came after it. */
  const placeAfter = (sequence: number): number => {
    let [low, high] = [0, order.length]
    while (low < high) {
      const middle = (low + high) >> 1
      if (order[middle]!.sequence > sequence) high = middle
      else low = middle + 1
    }
    return low
  }

  async function * follow (prefix: string, signals: readonly AbortSignal[], after: number): AsyncGenerator<LogEntry | null> {
    const readers = readersOf.get(prefix) ?? new Set<Channel<LogEntry | null>>()
    const reader: Channel<LogEntry | null> = new Channel({ signals, onEnd: () => {
      readers.delete(reader)
      if (readers.size === 0 && readersOf.get(prefix) === readers) readersOf.delete(prefix)
    } })
    if (reader.isOver) return
    for (const entry of entriesIn.get(prefix)?.values() ?? []) if (entry.sequence > after) reader.push(entry)
    reader.push(null)
    readersOf.set(prefix, readers.add(reader))
    yield * reader.read()
  }

  const waitingFor = ({ prefix, delivered }: Reading): LogEntry[] => order.slice(placeAfter(delivered)).filter(entry => entries.get(entry.key) === entry && isInside(entry.key, prefix))
  const placeOf = (reader: string, reading: Reading): LogPlace => {
    const { prefix, acknowledged, delivered, held } = reading
    return { reader, prefix, acknowledged, delivered, held: held.size, waiting: waitingFor(reading).length }
  }
  /** As a server counts: up to the one before the first that is held. */
  const settle = (reading: Reading, sequence: number): void => {
    const { held, delivered } = reading
    if (!held.delete(sequence)) return
    const first = Math.min(...held)
    if (sequence < first) reading.acknowledged = Math.min(first - 1, delivered)
  }

  return {
    async create (key, bytes) {
      checkKey(key)
      const kept = accept(bytes)
      if (entries.has(key)) return 'present'
      const entry = { key, bytes: kept, sequence: ++sequence }
      entries.set(key, entry)
      order.push(entry)
      for (const prefix of prefixesOf(key)) {
        const inside = entriesIn.get(prefix) ?? new Map<string, LogEntry>()
        entriesIn.set(prefix, inside.set(key, entry))
        for (const reader of readersOf.get(prefix) ?? []) reader.push(entry)
      }
      return 'created'
    },
    get: async key => entries.get(checkKey(key))?.bytes ?? null,
    async remove (key, sequence) {
      const entry = entries.get(checkKey(key))
      if (entry === undefined || (sequence !== undefined && entry.sequence !== sequence)) return
      entries.delete(key)
      if (2 * ++removed > order.length) {
        order = [...entries.values()]
        removed = 0
      }
      for (const prefix of prefixesOf(key)) entriesIn.get(prefix)!.delete(key)
      for (const reading of kept.values()) settle(reading, entry.sequence)
    },
    follow: (prefix, signals, after = 0) => follow(checkPrefix(prefix), signals, after),
    async place (reader) {
      const reading = kept.get(checkKey(reader))
      return reading === undefined ? null : placeOf(reader, reading)
    },
    places: async () => [...kept].map(([reader, reading]) => placeOf(reader, reading)).sort((one, other) => one.reader < other.reader ? -1 : 1),
    attach (reader, prefix) {
      const reading = kept.get(reader) ?? { prefix, acknowledged: 0, delivered: 0, held: new Set<number>() }
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
        acknowledge: ({ sequence }) => settle(reading, sequence),
        held: () => [...entries.values()].filter(({ sequence }) => reading.held.has(sequence))
      }
    }
  }
}
