// A bucket of the memory bus: what was removed is marked, as JetStream does, and what was not renewed in time is gone.

import { SparError } from '../../errors.ts'
import type { Clock } from '../../ports.ts'
import { Channel } from '../channel.ts'
import { isBelow } from '../keys.ts'
import { checkKey, checkPrefix } from '../subjects.ts'
import type { KeyEntry, KeyValue } from '../types.ts'

export type MemoryKeyValue = Omit<KeyValue, 'watch'> & { watch (prefix: string, signals: readonly AbortSignal[]): AsyncIterable<KeyEntry | null> }

export function createKeyValue ({ accept, clock, ttlMs }: { accept (bytes: Uint8Array): Uint8Array; clock: Clock; ttlMs: number }): MemoryKeyValue {
  /** In the order they were written. */
  const values = new Map<string, KeyEntry & { at: number }>()
  const readers = new Map<Channel<KeyEntry | null>, string>()
  let revision = 0

  const find = (key: string): KeyEntry | null => {
    for (const [name, { at }] of values) {
      if (at + ttlMs > clock.now()) break
      values.delete(name)
    }
    return values.get(key) ?? null
  }
  const write = (key: string, bytes: Uint8Array | null): number => {
    const entry = { key, bytes, revision: ++revision }
    values.delete(key)
    values.set(key, { ...entry, at: clock.now() })
    for (const [reader, prefix] of readers) if (isBelow(key, prefix)) reader.push(entry)
    return entry.revision
  }

  async function * watch (prefix: string, signals: readonly AbortSignal[]): AsyncGenerator<KeyEntry | null> {
    const reader: Channel<KeyEntry | null> = new Channel({ signals, onEnd: () => { readers.delete(reader) } })
    if (reader.isOver) return
    find(prefix)
    for (const { at: _, ...entry } of values.values()) if (entry.bytes !== null && isBelow(entry.key, prefix)) reader.push(entry)
    reader.push(null)
    readers.set(reader, prefix)
    yield * reader.read()
  }

  return {
    async get (key) {
      const entry = find(checkKey(key))
      return entry === null || entry.bytes === null ? null : { bytes: entry.bytes, revision: entry.revision }
    },
    async put (key, bytes) { return write(checkKey(key), accept(bytes)) },
    async update (key, bytes, expected) {
      const entry = find(checkKey(key))
      const kept = accept(bytes)
      const isOver = (entry?.revision ?? 0) === expected || (expected === 0 && entry?.bytes === null)
      if (!isOver) throw new SparError('BUS_CONFLICT', `Cannot write ${key} over revision ${expected}: it is at ${entry?.revision ?? 0}`)
      return write(key, kept)
    },
    async remove (key) { if ((find(checkKey(key))?.bytes ?? null) !== null) write(key, null) },
    watch: (prefix, signals) => watch(checkPrefix(prefix), signals)
  }
}
