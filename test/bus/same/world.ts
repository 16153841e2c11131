// The two that are compared, and what differs in how one waits for them: in memory time is moved by hand and everything that can
// happen has happened a moment later; on a server both take real time.

import type { JetStreamManager } from 'nats'
import type { Test } from 'tap'
import { createMemoryBroker } from '../../../src/bus/memory.ts'
import { createNames } from '../../../src/bus/subjects.ts'
import { buckets, logs, type Bus, type LogName } from '../../../src/bus/types.ts'
import { systemClock } from '../../../src/clock.ts'
import type { Clock } from '../../../src/ports.ts'
import { natsBroker } from '../../helpers/nats-bus.ts'
import type { KeptReader } from '../contract.ts'

export interface World {
  connect (): Promise<Bus>
  attach (log: LogName, reader: string, prefix: string): Promise<KeptReader>
  /** Leaves nothing behind. */
  end (): Promise<void>
  /** A little more than half of a lease passes. */
  pass (): Promise<void>
  /** Until what was said without being confirmed is there, or so that one lease begins after another. */
  pause (): Promise<void>
  /** Before each step; `isTimed`: something is held that time ends. Throws TooSlow. */
  step (isTimed: boolean): Promise<void>
  /** How long work is handed back for: not at all, up to the next passing of time, up to the one after it. */
  readonly againMs: { now: number; soon: number; later: number }
  /** Throws where it does not come though it had every chance to; work is not waited for as long as a lease. */
  within<Value> (what: 'work' | 'news', value: Promise<Value>): Promise<Value>
}

/** A sequence that took too long between two passings of time says nothing: leases may have run out on the way. */
export class TooSlow extends Error {}

/** Parts of a lease: how much passes at a time, for how long work is handed back, and what steps may take between two passings. */
const parts = { pass: 0.55, soon: 0.45, later: 0.95, steps: 0.1, work: 0.5 }
const of = (ackWaitMs: number) => ({ againMs: { now: 0, soon: parts.soon * ackWaitMs, later: parts.later * ackWaitMs }, options: { ackWaitMs, nodeTtlMs: ackWaitMs, queueBytesMax: 64 * 1024 } })
const pauseMs = 20
const newsMsMax = 10_000

export function memoryWorld (ackWaitMs = 10_000): World {
  const { againMs, options } = of(ackWaitMs)
  const clock = new ManualClock()
  const broker = createMemoryBroker({ clock, ...options })
  return {
    connect: async () => broker.connect(),
    async attach (log, reader, prefix) {
      const kept = broker.attach(log, reader, prefix)
      return { take: async most => kept.take(most), acknowledge: async entry => { kept.acknowledge(entry) } }
    },
    againMs,
    end: async () => {},
    pass: () => clock.advance(parts.pass * ackWaitMs),
    pause: () => clock.advance(pauseMs),
    step: () => clock.advance(1),
    within: async (what, value) => await Promise.race([value, idle().then(() => { throw new Error(`${what} did not come`) })])
  }
}

export function natsWorld ({ url, jsm }: { url: string; jsm: JetStreamManager }, ackWaitMs: number): World {
  const { againMs, options: { queueBytesMax, ...times } } = of(ackWaitMs)
  const ends: (() => unknown)[] = []
  const broker = natsBroker({ teardown: (end: () => unknown) => { ends.push(end) } } as Pick<Test, 'teardown'>, url, { ...times, limits: { queueBytesMax } })
  let since = performance.now()
  return {
    connect: () => broker.connect(),
    attach: broker.attach,
    againMs,
    async end () {
      await Promise.all(ends.map(end => end()))
      const { workStream, logStream, bucketStream, objectStream } = createNames(broker.prefix)
      for (const stream of [workStream, ...logs.map(logStream), ...buckets.map(bucketStream), objectStream]) await jsm.streams.delete(stream)
    },
    async step (isTimed) {
      if (!isTimed) since = performance.now()
      else if (performance.now() - since > parts.steps * ackWaitMs) throw new TooSlow()
    },
    async pass () {
      await systemClock.sleep(parts.pass * ackWaitMs)
      since = performance.now()
    },
    pause: () => systemClock.sleep(pauseMs),
    async within (what, value) {
      const over = new AbortController()
      const late = systemClock.sleep(what === 'work' ? parts.work * ackWaitMs : newsMsMax, over.signal).then(() => { throw new Error(`${what} did not come`) })
      late.catch(() => {})
      return await Promise.race([value, late]).finally(() => { over.abort() })
    }
  }
}

/** Everything that needs no time has happened. */
async function idle (): Promise<void> { for (let turn = 0; turn < 20; turn++) await new Promise(resolve => setImmediate(resolve)) }

class ManualClock implements Clock {
  #now = 1_000_000
  readonly #sleepers = new Set<{ at: number; wake (): void }>()

  now (): number { return this.#now }

  sleep (ms: number, signal?: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      const leave = (): void => {
        this.#sleepers.delete(sleeper)
        signal?.removeEventListener('abort', abort)
      }
      const abort = (): void => { leave(); reject(signal!.reason as Error) }
      const sleeper = { at: this.#now + ms, wake: () => { leave(); resolve() } }
      if (signal?.aborted === true) return abort()
      signal?.addEventListener('abort', abort)
      this.#sleepers.add(sleeper)
    })
  }

  after (ms: number, call: () => void): () => void {
    const sleeper = { at: this.#now + ms, wake: () => { this.#sleepers.delete(sleeper); call() } }
    this.#sleepers.add(sleeper)
    return () => { this.#sleepers.delete(sleeper) }
  }

  async advance (ms: number): Promise<void> {
    for (const until = this.#now + ms; ;) {
      await idle()
      const next = [...this.#sleepers].sort((one, other) => one.at - other.at)[0]
      this.#now = next === undefined ? until : Math.min(until, Math.max(this.#now, next.at))
      if (next === undefined || next.at > until) return
      next.wake()
    }
  }
}
