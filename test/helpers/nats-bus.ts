// Buses on a real server: each broker has a prefix of its own, so that tests share a server and nothing else.

import { AckPolicy, connect, type JsMsg } from 'nats'
import type { Test } from 'tap'
import { busLimits } from '../../src/bus/limits.ts'
import { connectNats, type NatsOptions } from '../../src/bus/nats.ts'
import { createNames, type Names } from '../../src/bus/subjects.ts'
import type { Bus, LogEntry, LogName } from '../../src/bus/types.ts'
import { systemClock } from '../../src/clock.ts'
import type { Broker, KeptReader } from '../bus/contract.ts'

/** A server reserves what streams may hold: many buses fit on one. */
export const smallStreams = { queueBytesMax: 16 * 2 ** 20, logBytesMax: 64 * 2 ** 20, keyValueBytesMax: 16 * 2 ** 20, nodesBytesMax: 2 ** 20, objectBytesMax: 128 * 2 ** 20 }

let brokers = 0

export interface NatsBroker extends Broker { prefix: string; connect (options?: Partial<NatsOptions>): Promise<Bus> }

/** What is told what to do when all is over. */
type Scope = Pick<Test, 'teardown'>

export function natsBroker (t: Scope, url: string, { limits, ...options }: Partial<NatsOptions> = {}): NatsBroker {
  const prefix = options.prefix ?? `t${process.pid}x${++brokers}`
  return {
    prefix,
    async connect (more = {}) {
      const bus = await connectNats({ servers: [url], name: 'spar-test', clock: systemClock, prefix, ...options, ...more, limits: { ...busLimits, ...smallStreams, ...limits, ...more.limits } })
      t.teardown(() => bus.close())
      return bus
    },
    attach: async (log, reader, below) => await attach(t, url, createNames(prefix), log, reader, below)
  }
}

/** A durable consumer, as another program makes it: with the client alone. */
async function attach (t: Scope, url: string, names: Names, log: LogName, reader: string, prefix: string): Promise<KeptReader> {
  const nc = await connect({ servers: [url] })
  t.teardown(() => nc.close())
  const stream = names.logStream(log)
  await (await nc.jetstreamManager()).consumers.add(stream, { durable_name: reader, filter_subject: names.entriesBelow(log, prefix), ack_policy: AckPolicy.Explicit })
  const consumer = await nc.jetstream().consumers.get(stream, reader)
  const taken = new Map<number, JsMsg>()
  return {
    async take (most) {
      const entries: LogEntry[] = []
      // Not more than there are: a request that goes on is given what comes when nobody listens any more.
      const count = Math.min(most, (await consumer.info()).num_pending)
      if (count === 0) return entries
      for await (const message of await consumer.fetch({ max_messages: count, expires: 5_000 })) {
        taken.set(message.seq, message)
        entries.push({ key: names.readEntry(log, message.subject), bytes: message.data, sequence: message.seq })
      }
      return entries
    },
    async acknowledge ({ sequence }) { await taken.get(sequence)!.ackAck() }
  }
}
