// The contract of objects and signals: what is too large for a message, and what is kept nowhere.

import { randomFillSync } from 'node:crypto'
import type { Test } from 'tap'
import { systemClock } from '../../src/clock.ts'
import { iterate, never, read, take, text, type OpenBroker } from './contract.ts'

export function objectContract (t: Test, open: OpenBroker): void {
  t.test('an object is kept whole, once, until it is removed', async t => {
    const broker = await open(t)
    const [{ objects }, other] = [await broker.connect(), await broker.connect()]
    const large = randomFillSync(new Uint8Array(20 * 2 ** 20 + 7))
    t.equal(await objects.get('large'), null)
    await objects.put('large', large)
    t.equal(Buffer.compare((await other.objects.get('large'))!, large), 0)
    await objects.put('large', text('another'))
    t.equal((await objects.get('large'))!.length, large.length, 'what is there is never replaced')
    await objects.remove('large')
    await objects.remove('never')
    t.equal(await objects.get('large'), null)
    await objects.put('large', text('anew'))
    t.equal(read(await objects.get('large')), 'anew')
    await objects.put('empty', text(''))
    t.equal(read(await objects.get('empty')), '')
    for (const bad of ['', 'a b', 'a/b', '>']) {
      await t.rejects(objects.put(bad, text('')), { code: 'BUS_BAD_KEY' })
      await t.rejects(objects.get(bad), { code: 'BUS_BAD_KEY' })
      await t.rejects(objects.remove(bad), { code: 'BUS_BAD_KEY' })
    }
  })

  t.test('an object that several put at once is there once, and whole', async t => {
    const { objects } = await (await open(t)).connect()
    const bytes = randomFillSync(new Uint8Array(2 ** 20))
    await Promise.all(Array.from({ length: 4 }, () => objects.put('same', bytes)))
    t.equal(Buffer.compare((await objects.get('same'))!, bytes), 0)
  })

  t.test('signals reach whoever listens now', async t => {
    const broker = await open(t)
    const [one, two] = [await broker.connect(), await broker.connect()]
    one.signal('steps.r1.a', text('before'))
    // Who is answered has been heard.
    await one.kv.runs.get('nothing')
    const over = new AbortController()
    const here = iterate(one.signals('steps.r1', over.signal))
    const all = iterate(two.signals('', over.signal))
    await systemClock.sleep(200)
    for (const topic of ['steps.r1.a', 'steps.r1', 'steps.r12.a', 'steps.r1.b']) two.signal(topic, text(topic))
    t.same((await take(here, 2)).map(({ topic, bytes }) => [topic, read(bytes)]), [['steps.r1.a', 'steps.r1.a'], ['steps.r1.b', 'steps.r1.b']])
    t.same((await take(all, 4)).map(({ topic }) => topic), ['steps.r1.a', 'steps.r1', 'steps.r12.a', 'steps.r1.b'])
    const ending = here.next()
    over.abort()
    t.same([await ending, await all.next()], [{ value: undefined, done: true }, { value: undefined, done: true }])
    t.same(await iterate(one.signals('', AbortSignal.abort())).next(), { value: undefined, done: true })
  })

  t.test('a listener who is slow misses the oldest', async t => {
    const bus = await (await open(t, { signalsMax: 10 })).connect()
    const heard = iterate(bus.signals('n', never()))
    const last = iterate(bus.signals('end', never()))
    await systemClock.sleep(200)
    for (let index = 0; index < 25; index++) bus.signal(`n.${index}`, text(''))
    bus.signal('end.now', text(''))
    await take(last, 1)
    t.same((await take(heard, 10)).map(({ topic }) => topic), Array.from({ length: 10 }, (_, index) => `n.${index + 15}`))
    t.throws(() => bus.signal('a b', text('')), { code: 'BUS_BAD_KEY' })
    t.throws(() => bus.signals('a b', never()), { code: 'BUS_BAD_KEY' })
  })
}
