// Goal: whatever is done to the bus in memory and to a real server, both answer the same. Method: random sequences of calls to
// queue, logs and buckets; revisions and sequences are compared by their order, not by their numbers.

import fc from 'fast-check'
import t from 'tap'
import { createMemoryBroker } from '../../src/bus/memory.ts'
import type { Bus, QueueMessage } from '../../src/bus/types.ts'
import { systemClock } from '../../src/clock.ts'
import { SparError } from '../../src/errors.ts'
import { natsBroker } from '../helpers/nats-bus.ts'
import { natsServers, skipWithoutNats, startNats } from '../helpers/nats-server.ts'
import { never, read, text } from './contract.ts'

const key = fc.constantFrom('a', 'a.b', 'a.bc', 'b')
const value = fc.constantFrom('', '1', '2')
const call = fc.oneof(
  fc.record({ do: fc.constant('create' as const), key, value }),
  fc.record({ do: fc.constant('getEntry' as const), key }),
  fc.record({ do: fc.constant('removeEntry' as const), key }),
  fc.record({ do: fc.constant('put' as const), key, value }),
  fc.record({ do: fc.constant('update' as const), key, value, over: fc.constantFrom('nothing', 'latest', 'older') }),
  fc.record({ do: fc.constant('get' as const), key }),
  fc.record({ do: fc.constant('remove' as const), key }),
  fc.record({ do: fc.constant('add' as const), key, value }),
  fc.record({ do: fc.constantFrom('pull', 'ack', 'again', 'purge', 'depth', 'subjects') })
)
type Call = typeof call extends fc.Arbitrary<infer Value> ? Value : never

/** Does a sequence, and says what was seen. */
async function play (bus: Bus, calls: readonly Call[]): Promise<unknown[]> {
  const seen: unknown[] = []
  const revisions: number[] = []
  let taken: QueueMessage | null = null
  /** What was taken and purged may still count as taken, or not: servers differ, and from one moment to the next. */
  let isPurged = false
  const rank = (revision: number): string => {
    const isNew = revisions.every(known => known < revision)
    if (isNew) revisions.push(revision)
    return isNew ? 'new' : `known ${revisions.indexOf(revision)}`
  }
  const work = (id: string) => ({ kind: 'rollout', arena: 'a', run: 'r', id }) as const
  /** A server counts what was just written a moment later. */
  const depth = async (): Promise<{ waiting: number; taken: number }> => {
    for (let before = await bus.queue.depth('rollout', 'a'); ;) {
      await systemClock.sleep(2)
      const now = await bus.queue.depth('rollout', 'a')
      if (now.waiting === before.waiting && now.taken === before.taken) return now
      before = now
    }
  }
  const pull = async (): Promise<unknown> => {
    if (taken !== null) return 'holds one'
    const { waiting, taken: back } = await depth()
    taken = await bus.queue.pull('rollout', 'a', { waitMs: waiting + back > 0 ? 10_000 : 0, signal: never() })
    return taken === null ? null : [taken.subject, read(taken.bytes), taken.delivery]
  }
  const answer = async (one: Call): Promise<unknown> => {
    switch (one.do) {
      case 'create': return await bus.log.records.create(one.key, text(one.value))
      case 'getEntry': return read(await bus.log.records.get(one.key))
      case 'removeEntry': return await bus.log.records.remove(one.key)
      case 'put': return rank(await bus.kv.runs.put(one.key, text(one.value)))
      case 'update': {
        const latest = (await bus.kv.runs.get(one.key))?.revision ?? 0
        return rank(await bus.kv.runs.update(one.key, text(one.value), one.over === 'nothing' ? 0 : one.over === 'latest' ? latest : revisions[0] ?? 0))
      }
      case 'get': {
        const kept = await bus.kv.runs.get(one.key)
        return kept === null ? null : [read(kept.bytes), rank(kept.revision)]
      }
      case 'remove': return await bus.kv.runs.remove(one.key)
      case 'add': return await bus.queue.add(work(one.key), text(one.value))
      case 'pull': return await pull()
      case 'ack': {
        await taken?.ack()
        taken = null
        return
      }
      case 'again': {
        taken?.again(0)
        taken = null
        return
      }
      case 'purge': {
        isPurged ||= taken !== null
        taken = null
        return await bus.queue.purge('r', ['rollout'])
      }
      case 'depth': {
        const { waiting, taken } = await depth()
        return isPurged ? waiting : [waiting, taken]
      }
      case 'subjects': return (await bus.queue.subjects()).map(({ id }) => id).sort()
    }
  }
  for (const one of calls) seen.push(await answer(one).catch((error: unknown) => (error as SparError).code))
  for await (const entry of bus.log.records.follow('', never())) {
    if (entry === null) break
    seen.push([entry.key, read(entry.bytes)])
  }
  for await (const entry of bus.kv.runs.watch('a', never())) {
    if (entry === null) break
    seen.push([entry.key, read(entry.bytes), rank(entry.revision)])
  }
  return seen
}

const skip = skipWithoutNats()
if (skip !== false) t.pass('skipped', { skip })
else for (const kind of natsServers()) {
  t.test(`nats-server ${kind.name}`, async t => {
    const { url } = await startNats(t, { kind })
    await fc.assert(fc.asyncProperty(fc.array(call, { minLength: 5, maxLength: 40 }), async calls => {
      const memory = createMemoryBroker({ clock: systemClock }).connect()
      const nats = await natsBroker(t, url).connect()
      try {
        const [expected, found] = [await play(memory, calls), await play(nats, calls)]
        if (JSON.stringify(found) !== JSON.stringify(expected)) throw new Error(`${JSON.stringify(found)} instead of ${JSON.stringify(expected)}`)
      } finally {
        await nats.close()
      }
    }), { numRuns: 60, interruptAfterTimeLimit: 4_000, markInterruptAsFailure: false })
    t.pass('the same answers')
  })
}
