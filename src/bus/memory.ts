// The bus in one process: a broker that keeps everything, and connections to it. It behaves as JetStream does for whoever looks
// through the port, in the time of its clock.

import { SparError } from '../errors.ts'
import type { Clock } from '../ports.ts'
import { isBelow } from './keys.ts'
import { busLimits } from './limits.ts'
import { checkKey } from './subjects.ts'
import { logs, buckets, type Bus, type Bucket, type KeyEntry, type KeyValue, type Log, type LogEntry, type LogName, type Objects, type Queue, type QueueKind, type QueueMessage, type WorkSubject } from './types.ts'

export interface MemoryBusOptions { clock: Clock; ackWaitMs?: number; valueBytesMax?: number; queueBytesMax?: number; nodeTtlMs?: number }
export interface MemoryBroker { connect (): Bus }

export const memoryBusDefaults = { ...busLimits, valueBytesMax: 2 ** 20 - busLimits.overheadBytes }

/** Values that wait for a reader, who may be told to stop. */
class Stream<Value> {
  readonly #waiting: Value[] = []
  readonly #max: number
  #wake: () => void = () => {}
  constructor (max = Infinity) { this.#max = max }
  push (value: Value): void {
    if (this.#waiting.length >= this.#max) this.#waiting.shift()
    this.#waiting.push(value)
    this.#wake()
  }
  async * read (signal: AbortSignal, leave: () => void): AsyncGenerator<Value> {
    const stop = (): void => this.#wake()
    signal.addEventListener('abort', stop)
    try {
      while (!signal.aborted) {
        if (this.#waiting.length > 0) yield this.#waiting.shift()!
        else await new Promise<void>(resolve => { this.#wake = resolve })
      }
    } finally {
      signal.removeEventListener('abort', stop)
      leave()
    }
  }
}

/** Below a prefix and not the prefix itself. */
const isInside = (key: string, prefix: string): boolean => isBelow(key, prefix) && key !== prefix

interface Entry<Value> { bytes: Value; sequence: number }
interface Waiting { subject: WorkSubject; bytes: Uint8Array; sequence: number; deliveries: number; taken: { delivery: number; over: AbortController } | null; visibleAt: number }

export function createMemoryBroker (options: MemoryBusOptions): MemoryBroker {
  const { clock, ackWaitMs, valueBytesMax, queueBytesMax, nodeTtlMs } = { ...memoryBusDefaults, ...options }
  const checkSize = (bytes: Uint8Array): void => {
    if (bytes.length > valueBytesMax) throw new SparError('BUS_TOO_LARGE', `Cannot send ${bytes.length} bytes over the bus: valueBytesMax is ${valueBytesMax}`)
  }
  const logOf = Object.fromEntries(logs.map(name => [name, createLog()])) as Record<LogName, Log>
  const kvOf = Object.fromEntries(buckets.map(name => [name, createKeyValue(name === 'nodes' ? nodeTtlMs : null)])) as Record<Bucket, KeyValue>
  const objects = createObjects()
  const queue = createQueue()
  const listeners = new Map<Stream<{ topic: string; bytes: Uint8Array }>, string>()

  function createLog (): Log {
    const entries = new Map<string, Entry<Uint8Array>>()
    const readers = new Map<Stream<LogEntry | null>, string>()
    let sequence = 0
    return {
      async create (key, bytes) {
        checkKey(key)
        checkSize(bytes)
        if (entries.has(key)) return 'present'
        entries.set(key, { bytes, sequence: ++sequence })
        for (const [reader, prefix] of readers) if (isInside(key, prefix)) reader.push({ key, bytes, sequence })
        return 'created'
      },
      get: async key => entries.get(key)?.bytes ?? null,
      remove: async key => { entries.delete(key) },
      follow (prefix, signal) {
        const reader = new Stream<LogEntry | null>()
        for (const [key, entry] of entries) if (isInside(key, prefix)) reader.push({ key, ...entry })
        reader.push(null)
        readers.set(reader, prefix)
        return reader.read(signal, () => readers.delete(reader))
      }
    }
  }

  function createKeyValue (ttlMs: number | null): KeyValue {
    const values = new Map<string, Entry<Uint8Array | null>>()
    const readers = new Map<Stream<KeyEntry | null>, string>()
    let revision = 0
    const write = (key: string, bytes: Uint8Array | null): number => {
      const sequence = ++revision
      values.delete(key)
      values.set(key, { bytes, sequence })
      for (const [reader, prefix] of readers) if (isBelow(key, prefix)) reader.push({ key, bytes, revision: sequence })
      if (ttlMs !== null && bytes !== null) void clock.sleep(ttlMs).then(() => { if (values.get(key)?.sequence === sequence) values.delete(key) }, () => {})
      return sequence
    }
    return {
      async get (key) {
        const entry = values.get(key)
        return entry === undefined || entry.bytes === null ? null : { bytes: entry.bytes, revision: entry.sequence }
      },
      async put (key, bytes) { checkKey(key); checkSize(bytes); return write(key, bytes) },
      async update (key, bytes, expected) {
        checkKey(key)
        checkSize(bytes)
        const entry = values.get(key)
        const is = entry === undefined || entry.bytes === null ? 0 : entry.sequence
        if (is !== expected) throw new SparError('BUS_CONFLICT', `Cannot write ${key} over revision ${expected}: it is at ${is}`)
        return write(key, bytes)
      },
      async remove (key) { if (values.get(key)?.bytes) write(key, null) },
      watch (prefix, signal) {
        const reader = new Stream<KeyEntry | null>()
        for (const [key, { bytes, sequence }] of values) if (bytes !== null && isBelow(key, prefix)) reader.push({ key, bytes, revision: sequence })
        reader.push(null)
        readers.set(reader, prefix)
        return reader.read(signal, () => readers.delete(reader))
      }
    }
  }

  function createObjects (): Objects {
    const kept = new Map<string, Uint8Array>()
    return {
      async put (name, bytes) { if (!kept.has(name)) kept.set(name, bytes) },
      get: async name => kept.get(name) ?? null,
      remove: async name => { kept.delete(name) }
    }
  }

  function createQueue (): Queue {
    const entries = new Map<string, Waiting>()
    const waiters = new Set<() => void>()
    let sequence = 0
    let bytesKept = 0
    const nameOf = ({ kind, arena, run, id }: WorkSubject): string => [kind, arena, run, id].join('.')
    const wake = (): void => { for (const waiter of [...waiters]) waiter() }
    const drop = (name: string): void => {
      const entry = entries.get(name)
      if (entry === undefined) return
      entry.taken?.over.abort()
      bytesKept -= entry.bytes.length
      entries.delete(name)
    }
    const release = (entry: Waiting, delivery: number, delayMs: number): void => {
      if (entry.taken?.delivery !== delivery) return
      entry.taken.over.abort()
      entry.taken = null
      entry.visibleAt = clock.now() + delayMs
      if (delayMs > 0) void clock.sleep(delayMs).then(wake, () => {})
      wake()
    }
    const lease = (entry: Waiting): void => {
      const delivery = entry.deliveries
      entry.taken?.over.abort()
      const over = new AbortController()
      entry.taken = { delivery, over }
      void clock.sleep(ackWaitMs, over.signal).then(() => release(entry, delivery, 0), () => {})
    }
    const take = (kind: QueueKind, arena: string): QueueMessage | null => {
      const now = clock.now()
      const entry = [...entries.values()].find(({ subject, taken, visibleAt }) => subject.kind === kind && subject.arena === arena && taken === null && visibleAt <= now)
      if (entry === undefined) return null
      const delivery = ++entry.deliveries
      const name = nameOf(entry.subject)
      lease(entry)
      return {
        subject: entry.subject, bytes: entry.bytes, delivery,
        async ack () { if (entries.get(name) === entry) drop(name) },
        working () { if (entry.taken?.delivery === delivery) lease(entry) },
        again: delayMs => release(entry, delivery, delayMs)
      }
    }
    return {
      ackWaitMs,
      async add (subject, bytes) {
        checkSize(bytes)
        const name = checkKey(nameOf(subject))
        if (entries.has(name)) return 'present'
        if (bytesKept + bytes.length > queueBytesMax) throw new SparError('BUS_FULL', `Cannot queue ${name}: the queue holds its queueBytesMax = ${queueBytesMax} bytes`, { retryable: true })
        bytesKept += bytes.length
        entries.set(name, { subject, bytes, sequence: ++sequence, deliveries: 0, taken: null, visibleAt: 0 })
        wake()
        return 'added'
      },
      async pull (kind, arena, { waitMs, signal }) {
        const until = clock.now() + waitMs
        for (;;) {
          const message = signal.aborted ? null : take(kind, arena)
          if (message !== null || signal.aborted || clock.now() >= until) return message
          const woken = new AbortController()
          const waiter = (): void => woken.abort()
          waiters.add(waiter)
          await clock.sleep(until - clock.now(), AbortSignal.any([woken.signal, signal])).catch(() => {})
          waiters.delete(waiter)
        }
      },
      async depth (kind, arena) {
        const found = [...entries.values()].filter(({ subject }) => subject.kind === kind && subject.arena === arena)
        const taken = found.filter(entry => entry.taken !== null).length
        return { waiting: found.length - taken, taken }
      },
      subjects: async run => [...entries.values()].map(({ subject }) => subject).filter(subject => run === undefined || subject.run === run),
      async purge (run) { for (const [name, { subject }] of [...entries]) if (subject.run === run) drop(name) }
    }
  }

  return {
    connect () {
      const closed = new AbortController()
      const until = (signal: AbortSignal): AbortSignal => AbortSignal.any([signal, closed.signal])
      const mapValues = <Key extends string, Value>(record: Record<Key, Value>, map: (value: Value) => Value): Record<Key, Value> =>
        Object.fromEntries(Object.entries(record).map(([key, value]) => [key, map(value as Value)])) as Record<Key, Value>
      return {
        kind: 'memory',
        valueBytesMax,
        queue: { ...queue, pull: async (kind, arena, { waitMs, signal }) => await queue.pull(kind, arena, { waitMs, signal: until(signal) }) },
        log: mapValues(logOf, log => ({ ...log, follow: (prefix, signal) => log.follow(prefix, until(signal)) })),
        kv: mapValues(kvOf, kv => ({ ...kv, watch: (prefix, signal) => kv.watch(prefix, until(signal)) })),
        objects,
        signal (topic, bytes) { for (const [listener, prefix] of listeners) if (isInside(topic, prefix)) listener.push({ topic, bytes }) },
        signals (prefix, signal) {
          const listener = new Stream<{ topic: string; bytes: Uint8Array }>(memoryBusDefaults.signalsMax)
          listeners.set(listener, prefix)
          return listener.read(until(signal), () => listeners.delete(listener))
        },
        get isConnected () { return !closed.signal.aborted },
        async close () { closed.abort() }
      }
    }
  }
}
