// The contract of the queue: nothing is lost, nothing is there twice, and whoever falls silent is not waited for.

import type { Test } from 'tap'
import { systemClock } from '../../src/clock.ts'
import type { Bus, WorkSubject } from '../../src/bus/types.ts'
import { never, pull, read, text, type OpenBroker } from './contract.ts'

const work = (id: string, run = 'r1'): WorkSubject => ({ kind: 'rollout', arena: 'a', run, id })

export function queueContract (t: Test, open: OpenBroker): void {
  t.test('work is added once, taken once, and gone when it is acknowledged', async t => {
    const bus = await (await open(t)).connect()
    t.equal(await bus.queue.add(work('e1.solve.1'), text('one')), 'added')
    t.equal(await bus.queue.add(work('e1.solve.1'), text('another')), 'present')
    const message = await pull(bus)
    t.same(message!.subject, work('e1.solve.1'))
    t.equal(read(message!.bytes), 'one', 'the first write wins')
    t.equal(message!.delivery, 1)
    t.equal(await bus.queue.add(work('e1.solve.1'), text('another')), 'present', 'also while it is taken')
    t.equal(await pull(bus, 0), null)
    await message!.ack()
    t.equal(await pull(bus, 0), null)
    t.equal(await bus.queue.add(work('e1.solve.1'), text('anew')), 'added', 'there is room for it again')
    t.equal(read((await pull(bus))!.bytes), 'anew')
  })

  t.test('of 20 who add the same work at once one is first', async t => {
    const broker = await open(t)
    const buses = await Promise.all([broker.connect(), broker.connect()])
    const answers = await Promise.all(Array.from({ length: 20 }, (_, index) => buses[index % 2]!.queue.add(work('e1'), text(`${index}`))))
    t.equal(answers.filter(answer => answer === 'added').length, 1)
    t.equal(read((await pull(buses[0]!))!.bytes), `${answers.indexOf('added')}`)
    t.equal(await pull(buses[1]!, 0), null)
  })

  t.test('work comes in the order it was added, to whoever asks for its place', async t => {
    const bus = await (await open(t)).connect()
    for (const id of ['1', '2', '3']) await bus.queue.add(work(id), text(id))
    await bus.queue.add({ ...work('4'), arena: 'b' }, text('4'))
    await bus.queue.add({ ...work('5'), kind: 'verify' }, text('5'))
    const taken = [await pull(bus), await pull(bus), await pull(bus)]
    t.same(taken.map(message => message!.subject.id), ['1', '2', '3'])
    t.equal(await pull(bus, 0), null)
    t.equal((await bus.queue.pull('rollout', 'b', { waitMs: 1000, signal: never() }))!.subject.id, '4')
    t.equal((await bus.queue.pull('verify', 'a', { waitMs: 1000, signal: never() }))!.subject.id, '5')
  })

  t.test('who waits is given what comes, and each message goes to one of them', async t => {
    const broker = await open(t)
    const buses = await Promise.all([broker.connect(), broker.connect()])
    const waiting = Array.from({ length: 8 }, (_, index) => pull(buses[index % 2]!, 10_000))
    for (let id = 0; id < 8; id++) await buses[0]!.queue.add(work(`${id}`), text(''))
    const taken = await Promise.all(waiting)
    t.same(taken.map(message => message!.subject.id).sort(), ['0', '1', '2', '3', '4', '5', '6', '7'])
  })

  t.test('whoever waits, however long, and gives up or not: nothing stays with nobody', async t => {
    const broker = await open(t)
    const buses = await Promise.all([broker.connect(), broker.connect()])
    const count = 60
    const seen = new Set<string>()
    const at = performance.now()
    const taker = async (bus: Bus, number: number): Promise<void> => {
      for (let turn = 0; seen.size < count; turn++) {
        const over = new AbortController()
        const given = systemClock.sleep((number * 7 + turn * 3) % 23).then(() => { if (turn % 2 === 0) over.abort() })
        const message = await bus.queue.pull('rollout', 'a', { waitMs: (number * 5 + turn * 11) % 40, signal: over.signal })
        await given
        if (message === null) continue
        await message.ack()
        seen.add(message.subject.id)
      }
    }
    const takers = Array.from({ length: 6 }, (_, number) => taker(buses[number % 2]!, number))
    for (let id = 0; id < count; id++) {
      await buses[id % 2]!.queue.add(work(`${id}`), text(''))
      await systemClock.sleep(3)
    }
    await Promise.all(takers)
    t.ok(performance.now() - at < buses[0]!.queue.ackWaitMs / 2, 'what came to somebody who had given up came back at once')
  })

  t.test('a pull that does not wait answers at once, one that waits answers null when its time is over', async t => {
    const bus = await (await open(t)).connect()
    await pull(bus, 0)
    let at = performance.now()
    t.equal(await pull(bus, 0), null)
    t.ok(performance.now() - at < 1_000, 'at once')
    at = performance.now()
    t.equal(await pull(bus, 300), null)
    t.ok(performance.now() - at >= 250, 'after its time')
    t.ok(performance.now() - at < 2_000, 'and not much later')
  })

  t.test('what is not acknowledged in time is delivered again, and counted', async t => {
    const broker = await open(t, { ackWaitMs: 400 })
    const [one, two] = [await broker.connect(), await broker.connect()]
    t.equal(one.queue.ackWaitMs, 400)
    await one.queue.add(work('1'), text('1'))
    const first = await pull(one)
    t.equal(first!.delivery, 1)
    t.equal((await pull(two))!.delivery, 2)
    const third = await pull(one)
    t.equal(third!.delivery, 3)
    await third!.ack()
    await systemClock.sleep(600)
    t.equal(await pull(two, 0), null, 'acknowledged for good')
  })

  t.test('an acknowledgement that comes late is taken, where nobody has been faster', async t => {
    const bus = await (await open(t, { ackWaitMs: 300 })).connect()
    await bus.queue.add(work('1'), text('1'))
    const slow = await pull(bus)
    await systemClock.sleep(600)
    await slow!.ack()
    t.equal(await pull(bus, 500), null)
    t.equal(await bus.queue.add(work('1'), text('1')), 'added')
  })

  t.test('whoever says that it is at it keeps what it took', async t => {
    const bus = await (await open(t, { ackWaitMs: 2_000 })).connect()
    await bus.queue.add(work('1'), text('1'))
    const message = await pull(bus)
    for (let turn = 0; turn < 8; turn++) {
      await systemClock.sleep(400)
      message!.working()
    }
    t.equal(await pull(bus, 0), null)
    await message!.ack()
    t.equal(await pull(bus, 2_200), null)
  })

  t.test('who was silent for too long takes nothing from who has it now', async t => {
    const broker = await open(t, { ackWaitMs: 2_000 })
    const [one, two] = [await broker.connect(), await broker.connect()]
    await one.queue.add(work('1'), text('1'))
    const first = await pull(one)
    const second = await pull(two)
    t.equal(second!.delivery, 2)
    first!.again(0)
    t.equal(await pull(one, 200), null, 'it is not handed to a third')
    await second!.ack()
  })

  t.test('what is handed back comes again, at once or after a pause', async t => {
    const bus = await (await open(t, { ackWaitMs: 20_000 })).connect()
    await bus.queue.add(work('1'), text('1'))
    const first = await pull(bus)
    first!.again(0)
    const second = await pull(bus)
    t.equal(second!.delivery, 2)
    const at = performance.now()
    second!.again(400)
    t.equal(await pull(bus, 0), null)
    const third = await pull(bus)
    t.equal(third!.delivery, 3)
    t.ok(performance.now() - at >= 380, 'after the pause')
    t.ok(performance.now() - at < 5_000, 'and not after the time of the lease')
    await third!.ack()
  })

  t.test('what was handed back is nothing of the one who had it any more', async t => {
    const broker = await open(t, { ackWaitMs: 20_000 })
    const [one, two] = [await broker.connect(), await broker.connect()]
    for (const id of ['1', '2']) await one.queue.add(work(id), text(id))
    const [first, other] = [await pull(one), await pull(one)]
    other!.again(0)
    await systemClock.sleep(50)
    first!.again(0)
    const second = await pull(two)
    t.same([second!.subject.id, second!.delivery], ['2', 2], 'in the order in which it was handed back')
    const third = await pull(two)
    t.same([third!.subject.id, third!.delivery], ['1', 2])
    other!.again(0)
    first!.working()
    t.equal(await pull(one, 200), null, 'it is not handed to a third')
    third!.again(300)
    third!.working()
    t.equal((await pull(one))!.delivery, 3, 'after the pause, and not after a lease')
  })

  t.test('a pull that is given up loses nothing', async t => {
    const bus = await (await open(t, { ackWaitMs: 20_000 })).connect()
    const over = new AbortController()
    const waiting = Array.from({ length: 5 }, () => bus.queue.pull('rollout', 'a', { waitMs: 3_000, signal: over.signal }))
    await systemClock.sleep(100)
    over.abort()
    t.same(await Promise.all(waiting), [null, null, null, null, null])
    t.equal(await bus.queue.pull('rollout', 'a', { waitMs: 3_000, signal: over.signal }), null, 'nor does one that was given up before')
    for (let id = 0; id < 5; id++) await bus.queue.add(work(`${id}`), text(''))
    const taken = await Promise.all(Array.from({ length: 5 }, () => pull(bus, 5_000)))
    t.same(taken.map(message => message?.subject.id).sort(), ['0', '1', '2', '3', '4'])
  })

  t.test('the depth is what waits and what is taken, the subjects are what is there', async t => {
    const bus = await (await open(t)).connect()
    t.same(await bus.queue.depth('rollout', 'a'), { waiting: 0, taken: 0 })
    t.same(await bus.queue.subjects(), [])
    for (const id of ['1', '2.x', '3']) await bus.queue.add(work(id), text(''))
    await bus.queue.add({ kind: 'verify', arena: 'b', run: 'r2', id: 'v' }, text(''))
    const message = await pull(bus)
    t.same(await bus.queue.depth('rollout', 'a'), { waiting: 2, taken: 1 })
    const ids = async (run?: string): Promise<string[]> => (await bus.queue.subjects(run)).map(({ kind, arena, run, id }) => [kind, arena, run, id].join('/')).sort()
    t.same(await ids('r1'), ['rollout/a/r1/1', 'rollout/a/r1/2.x', 'rollout/a/r1/3'])
    t.same(await ids(), ['rollout/a/r1/1', 'rollout/a/r1/2.x', 'rollout/a/r1/3', 'verify/b/r2/v'])
    message!.again(60_000)
    await systemClock.sleep(50)
    t.same(await bus.queue.depth('rollout', 'a'), { waiting: 2, taken: 1 }, 'what was handed back counts as taken, until it is')
    await message!.ack()
    t.same(await bus.queue.depth('rollout', 'a'), { waiting: 2, taken: 0 })
  })

  t.test('the work of a run is removed, waiting or taken, and no other', async t => {
    const bus = await (await open(t, { ackWaitMs: 400 })).connect()
    for (const id of ['1', '2']) await bus.queue.add(work(id), text(''))
    await bus.queue.add(work('1', 'r2'), text(''))
    const taken = await pull(bus)
    await bus.queue.purge('r1', ['run', 'episode', 'rollout', 'verify', 'grade'])
    t.same((await bus.queue.subjects()).map(({ run }) => run), ['r2'])
    const other = await pull(bus)
    t.equal(other!.subject.run, 'r2')
    await taken!.ack()
    taken!.working()
    taken!.again(0)
    await other!.ack()
    t.equal(await pull(bus, 600), null)
    t.equal(await bus.queue.add(work('1'), text('')), 'added')
    t.equal((await pull(bus))!.delivery, 1)
  })

  t.test('a queue that is full says so, and takes more when it is drained', async t => {
    const bus = await (await open(t, { queueBytesMax: 64 * 1024 })).connect()
    let added = 0
    const fill = async (): Promise<void> => { for (;; added++) await bus.queue.add(work(`${added}`), new Uint8Array(8 * 1024)) }
    await t.rejects(fill(), { code: 'BUS_FULL', retryable: true })
    t.ok(added >= 4 && added <= 8, `${added} fitted in`)
    t.equal(await bus.queue.add(work('0'), text('')), 'present', 'what is there is still known')
    const first = await pull(bus)
    await first!.ack()
    t.equal(await bus.queue.add(work('new'), new Uint8Array(8 * 1024)), 'added')
  })

  t.test('values up to the limit pass, larger ones are refused', async t => {
    const bus = await (await open(t)).connect()
    const largest = new Uint8Array(bus.valueBytesMax).fill(7)
    t.equal(await bus.queue.add(work('1'), largest), 'added')
    t.equal(Buffer.compare((await pull(bus))!.bytes, largest), 0)
    await t.rejects(bus.queue.add(work('2'), new Uint8Array(bus.valueBytesMax + 1)), { code: 'BUS_TOO_LARGE', retryable: false })
  })

  t.test('a bad name is refused wherever it is given', async t => {
    const bus = await (await open(t)).connect()
    for (const bad of ['', 'a b', 'a*', '>', 'a..b', '.a', 'a.', 'ä', 'a/b']) {
      await t.rejects(bus.queue.add(work(bad), text('')), { code: 'BUS_BAD_KEY' }, `id "${bad}"`)
      await t.rejects(bus.queue.add(work('1', bad), text('')), { code: 'BUS_BAD_KEY' }, `run "${bad}"`)
      await t.rejects(bus.queue.pull('rollout', bad, { waitMs: 0, signal: never() }), { code: 'BUS_BAD_KEY' }, `arena "${bad}"`)
      await t.rejects(bus.queue.depth('rollout', bad), { code: 'BUS_BAD_KEY' })
      await t.rejects(bus.queue.subjects(bad), { code: 'BUS_BAD_KEY' })
      await t.rejects(bus.queue.purge(bad, ['rollout']), { code: 'BUS_BAD_KEY' })
    }
    await t.rejects(bus.queue.add({ ...work('1'), arena: 'a.b' }, text('')), { code: 'BUS_BAD_KEY' }, 'an arena is one token')
    await t.rejects(bus.queue.add(work('1', 'r.1'), text('')), { code: 'BUS_BAD_KEY' }, 'and so is a run')
  })
}
