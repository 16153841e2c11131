// The bus in one process: a broker that keeps everything, and connections to it. It behaves as JetStream does for whoever looks
// through the port, in the time of its clock, and holds no timer of its own.

import { createMemoryWires } from '../bridge/wire-memory.ts'
import { SparError } from '../errors.ts'
import type { Clock } from '../ports.ts'
import { Channel } from './channel.ts'
import { each } from './each.ts'
import { isInside } from './keys.ts'
import { busLimits } from './limits.ts'
import { createKeyValue } from './memory/key-value.ts'
import { createLog, type MemoryReader } from './memory/log.ts'
import { createObjects } from './memory/objects.ts'
import { createQueue } from './memory/queue.ts'
import { checkKey, checkPrefix } from './subjects.ts'
import { logs, buckets, type Bucket, type Bus, type KeyValue, type Log, type LogName } from './types.ts'

export interface MemoryBusOptions { clock: Clock; ackWaitMs?: number; valueBytesMax?: number; queueBytesMax?: number; nodeTtlMs?: number; signalsMax?: number }
export interface MemoryBroker {
  connect (): Bus
  /** A reader that keeps its place in a log, as another program is to a server; made where there is none of that name. */
  attach (log: LogName, reader: string, prefix: string): MemoryReader
}

export const memoryBusDefaults = { ...busLimits, valueBytesMax: 2 ** 20 - busLimits.overheadBytes }

interface Signal { topic: string; bytes: Uint8Array }

export function createMemoryBroker (options: MemoryBusOptions): MemoryBroker {
  const { clock, ackWaitMs, valueBytesMax, queueBytesMax, nodeTtlMs, signalsMax } = { ...memoryBusDefaults, ...options }
  /** A copy: whoever gave the bytes may go on to write into them. */
  const accept = (bytes: Uint8Array): Uint8Array => {
    if (bytes.length > valueBytesMax) throw new SparError('BUS_TOO_LARGE', `Cannot send ${bytes.length} bytes over the bus: valueBytesMax is ${valueBytesMax}`)
    return new Uint8Array(bytes)
  }
  const logOf = each(logs, () => createLog(accept))
  const valuesOf = each(buckets, name => createKeyValue({ accept, clock, ttlMs: name === 'nodes' ? nodeTtlMs : Infinity }))
  const objects = createObjects()
  const queue = createQueue({ accept, clock, ackWaitMs, queueBytesMax })
  const wires = createMemoryWires(valueBytesMax + busLimits.overheadBytes)
  const listeners = new Map<Channel<Signal>, string>()

  return {
    attach: (log, reader, prefix) => logOf[log].attach(checkKey(reader), checkPrefix(prefix)),
    connect () {
      const closed = new AbortController()
      const open = <Given extends unknown[], Value>(call: (...given: Given) => Promise<Value>) => async (...given: Given): Promise<Value> => {
        if (closed.signal.aborted) throw new SparError('BUS_CLOSED', 'Cannot use the bus: the connection was closed')
        return await call(...given)
      }
      const until = (signal: AbortSignal): AbortSignal[] => [signal, closed.signal]
      const connectLog = ({ create, get, remove, follow, place, places }: typeof logOf['records']): Log =>
        ({ create: open(create), get: open(get), remove: open(remove), follow: (prefix, signal, after) => follow(prefix, until(signal), after), place: open(place), places: open(places) })
      const connectValues = ({ get, put, update, remove, watch }: typeof valuesOf['runs']): KeyValue =>
        ({ get: open(get), put: open(put), update: open(update), remove: open(remove), watch: (prefix, signal) => watch(prefix, until(signal)) })
      const { add, pull, depth, subjects, purge } = queue
      return {
        kind: 'memory',
        valueBytesMax,
        queue: { ackWaitMs, add: open(add), pull: async (kind, arena, { waitMs, signal }) => await pull(kind, arena, waitMs, signal, closed.signal), depth: open(depth), subjects: open(subjects), purge: open(purge) },
        log: each<LogName, Log>(logs, name => connectLog(logOf[name])),
        kv: each<Bucket, KeyValue>(buckets, name => connectValues(valuesOf[name])),
        objects: { put: open(objects.put), get: open(objects.get), remove: open(objects.remove) },
        signal (topic, bytes) {
          checkKey(topic)
          const told = accept(bytes)
          if (!closed.signal.aborted) for (const [listener, prefix] of listeners) if (isInside(topic, prefix)) listener.push({ topic, bytes: told })
        },
        signals (prefix, signal) {
          checkPrefix(prefix)
          const listener: Channel<Signal> = new Channel({ signals: until(signal), max: signalsMax, onEnd: () => { listeners.delete(listener) } })
          if (!listener.isOver) listeners.set(listener, prefix)
          return listener.read()
        },
        wire: wires.connect(closed.signal),
        get isConnected () { return !closed.signal.aborted },
        async close () { closed.abort() }
      }
    }
  }
}
