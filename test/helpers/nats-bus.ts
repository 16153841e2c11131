// Buses on a real server: each broker has a prefix of its own, so that tests share a server and nothing else.

import type { Test } from 'tap'
import { busLimits } from '../../src/bus/limits.ts'
import { connectNats, type NatsOptions } from '../../src/bus/nats.ts'
import { systemClock } from '../../src/clock.ts'
import type { Bus } from '../../src/bus/types.ts'

/** A server reserves what streams may hold: many buses fit on one. */
export const smallStreams = { queueBytesMax: 16 * 2 ** 20, logBytesMax: 64 * 2 ** 20, keyValueBytesMax: 16 * 2 ** 20, nodesBytesMax: 2 ** 20, objectBytesMax: 128 * 2 ** 20 }

let brokers = 0

export interface NatsBroker { prefix: string; connect (options?: Partial<NatsOptions>): Promise<Bus> }

export function natsBroker (t: Test, url: string, { limits, ...options }: Partial<NatsOptions> = {}): NatsBroker {
  const prefix = options.prefix ?? `t${process.pid}x${++brokers}`
  return { prefix, async connect (more = {}) {
    const bus = await connectNats({ servers: [url], name: 'spar-test', clock: systemClock, prefix, ...options, ...more, limits: { ...busLimits, ...smallStreams, ...limits, ...more.limits } })
    t.teardown(() => bus.close())
    return bus
  } }
}
