// The contract of closing: whoever waits is let go quietly, what was taken is delivered again, and nothing more is done.

import type { Test } from 'tap'
import { iterate, never, pull, take, text, type OpenBroker } from './contract.ts'

export function closeContract (t: Test, open: OpenBroker): void {
  t.test('closing ends iterations and pulls quietly, and twice is as good as once', async t => {
    const broker = await open(t, { ackWaitMs: 500 })
    const [bus, other] = [await broker.connect(), await broker.connect()]
    t.equal(bus.isConnected, true)
    await bus.log.records.create('r.a', text(''))
    await bus.kv.runs.put('r', text(''))
    const follower = iterate(bus.log.records.follow('', never()))
    const watcher = iterate(bus.kv.runs.watch('', never()))
    const fresh = iterate(bus.log.records.follow('', never()))
    const listener = iterate(bus.signals('', never()))
    await take(follower, 2)
    await take(watcher, 2)
    const work = { kind: 'rollout', arena: 'a', run: 'r1', id: '1' } as const
    await bus.queue.add(work, text(''))
    const taken = await pull(bus)
    const waiting = [follower.next(), watcher.next(), listener.next()]
    const pulled = pull(bus, 30_000)
    await Promise.all([bus.close(), bus.close()])
    await bus.close()
    t.equal(bus.isConnected, false)
    t.same(await Promise.all(waiting), Array.from({ length: 3 }, () => ({ value: undefined, done: true })))
    t.same(await fresh.next(), { value: undefined, done: true }, 'also what had not begun')
    t.equal(await pulled, null)
    t.equal(await pull(bus, 30_000), null)
    taken!.working()
    bus.signal('late', text(''))
    t.equal((await pull(other))!.delivery, 2, 'what was taken is delivered again')
    await t.rejects(bus.queue.add(work, text('')), { code: 'BUS_CLOSED', retryable: false })
    await t.rejects(bus.log.records.create('r.b', text('')), { code: 'BUS_CLOSED' })
    await t.rejects(bus.kv.runs.get('r'), { code: 'BUS_CLOSED' })
    await t.rejects(bus.objects.get('r'), { code: 'BUS_CLOSED' })
    t.equal(other.isConnected, true)
    t.equal(await other.log.records.create('r.b', text('')), 'created')
  })
}
