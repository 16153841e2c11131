// Goal: whatever happens to the server or to the wire, what was acknowledged is there, and whoever reads or waits goes on.
// Method: real servers, killed, paused and cut off in the middle of it.

import t, { type Test } from 'tap'
import type { Bus } from '../../src/bus/types.ts'
import { createRetry } from '../../src/cluster/retry.ts'
import { systemClock } from '../../src/clock.ts'
import { natsBroker } from '../helpers/nats-bus.ts'
import { natsServers, skipWithoutNats, startNats, type ServerKind } from '../helpers/nats-server.ts'
import { startProxy } from '../helpers/tcp-proxy.ts'
import { iterate, never, take, text } from './contract.ts'

const limits = { answerMsMax: 1_000, reconnectMs: 100, heartbeatMs: 500 }
const retry = createRetry(systemClock, { retryMsMin: 50, retryMsMax: 500, retryForMs: 90_000 })
const work = (id: string) => ({ kind: 'rollout', arena: 'a', run: 'r1', id }) as const

const skip = skipWithoutNats()
if (skip !== false) t.pass('skipped', { skip })
else for (const kind of natsServers()) t.test(`nats-server ${kind.name}`, async t => { faults(t, kind) })

async function until (holds: () => boolean): Promise<void> {
  while (!holds()) await systemClock.sleep(10)
}

/** Takes work until there were `count` different pieces, and acknowledges each. */
async function drain (bus: Bus, count: number): Promise<Set<string>> {
  const done = new Set<string>()
  while (done.size < count) {
    const message = await retry(() => bus.queue.pull('rollout', 'a', { waitMs: 500, signal: never() }))
    if (message === null) continue
    try {
      await message.ack()
      done.add(message.subject.id)
    } catch {
      // It may have been acknowledged all the same; else it comes again.
      done.add(message.subject.id)
    }
  }
  return done
}

function faults (t: Test, kind: ServerKind): void {
  t.test('a server that is killed again and again loses nothing it has acknowledged, and everybody goes on', async t => {
    const server = await startNats(t, { kind })
    const broker = natsBroker(t, server.url, { limits, ackWaitMs: 1_000 })
    const [writer, reader, taker] = [await broker.connect(), await broker.connect(), await broker.connect()]
    const count = 150
    const follower = iterate(reader.log.records.follow('r', never()))
    const watcher = iterate(reader.kv.runs.watch('', never()))
    const presence = iterate(reader.kv.nodes.watch('', never()))
    t.same(await take(follower, 1), [null])
    t.same(await take(watcher, 1), [null])
    t.same(await take(presence, 1), [null])
    const followed = take(follower, count)
    const drained = drain(taker, count)
    const killing = (async () => {
      for (let turn = 0; turn < 2; turn++) {
        await systemClock.sleep(150)
        await server.kill()
        await systemClock.sleep(300)
        await server.start()
        await systemClock.sleep(500)
      }
    })()
    for (let index = 0; index < count; index++) {
      await retry(() => writer.log.records.create(`r.${index}`, text(`${index}`)))
      await retry(() => writer.queue.add(work(`${index}`), text('')))
      await retry(() => writer.kv.runs.put('at', text(`${index}`)))
      await systemClock.sleep(10)
    }
    await killing
    t.same((await followed).map(entry => entry!.key), Array.from({ length: count }, (_, index) => `r.${index}`), 'followed in order, each once')
    t.equal((await drained).size, count, 'all work was taken')
    for (let index = 0; index < count; index++) t.ok(await retry(() => writer.log.records.get(`r.${index}`)) !== null)
    let latest = ''
    while (latest !== `${count - 1}`) latest = Buffer.from((await take(watcher, 1))[0]!.bytes!).toString()
    await retry(() => writer.kv.nodes.put('n1', text('here')))
    t.equal((await take(presence, 1))[0]!.key, 'n1', 'also in a bucket that the server keeps in memory')
  })

  t.test('who was cut off is told at once, and goes on where it was', async t => {
    const server = await startNats(t, { kind })
    const proxy = await startProxy(t, server.port)
    const broker = natsBroker(t, server.url, { limits })
    const direct = await broker.connect()
    const states: string[] = []
    const bus = await broker.connect({ servers: [proxy.url], onStatus: state => states.push(state) })
    const follower = iterate(bus.log.records.follow('', never()))
    const watcher = iterate(bus.kv.runs.watch('', never()))
    await direct.log.records.create('r.0', text(''))
    t.equal((await take(follower, 2)).length, 2)
    await take(watcher, 1)
    t.equal(await bus.queue.pull('rollout', 'a', { waitMs: 0, signal: never() }), null)
    const pulled = bus.queue.pull('rollout', 'a', { waitMs: 20_000, signal: never() })
    proxy.cut()
    await until(() => !bus.isConnected)
    for (const call of [async (): Promise<unknown> => await bus.log.records.create('r.x', text('')), async () => await bus.queue.add(work('x'), text('')), async () => await bus.kv.runs.get('r'), async () => await bus.objects.get('o')]) {
      const at = performance.now()
      await t.rejects(call(), { code: 'BUS_UNAVAILABLE', retryable: true })
      t.ok(performance.now() - at < 900, 'before its time is over')
    }
    bus.signal('dropped', text(''))
    for (let index = 1; index < 5; index++) await direct.log.records.create(`r.${index}`, text(''))
    await direct.kv.runs.put('r', text(''))
    const late = iterate(bus.log.records.follow('', never()))
    const begun = take(late, 6)
    proxy.restore()
    await until(() => bus.isConnected)
    t.same((await take(follower, 4)).map(entry => entry!.key), ['r.1', 'r.2', 'r.3', 'r.4'])
    t.equal((await take(watcher, 1))[0]!.key, 'r')
    t.equal((await begun).at(-1), null, 'who began meanwhile too')
    t.equal(await pulled, null, 'a pull that the server knows nothing of does not wait')
    await direct.queue.add(work('1'), text(''))
    t.equal((await bus.queue.pull('rollout', 'a', { waitMs: 5_000, signal: never() }))!.subject.id, '1')
    t.equal(await bus.log.records.get('r.x'), null, 'what was refused has not happened')
    t.same(states, ['disconnected', 'connected'])
  })

  t.test('a wire that lets nothing through is told in time, and what was underway goes on', async t => {
    const server = await startNats(t, { kind })
    const proxy = await startProxy(t, server.port)
    const broker = natsBroker(t, server.url, { limits })
    const direct = await broker.connect()
    const bus = await broker.connect({ servers: [proxy.url] })
    const follower = iterate(bus.log.records.follow('', never()))
    await take(follower, 1)
    proxy.stall()
    await t.rejects(bus.log.records.create('r.0', text('')), { code: 'BUS_UNAVAILABLE', retryable: true })
    await direct.log.records.create('r.1', text(''))
    await systemClock.sleep(3 * limits.heartbeatMs)
    proxy.restore()
    await retry(() => bus.log.records.create('r.0', text('')))
    t.same((await take(follower, 2)).map(entry => entry!.key).sort(), ['r.0', 'r.1'])
  })

  t.test('a server that is paused is told in time, and goes on when it does', async t => {
    const server = await startNats(t, { kind })
    const broker = natsBroker(t, server.url, { limits })
    const bus = await broker.connect()
    const follower = iterate(bus.log.records.follow('', never()))
    await take(follower, 1)
    await server.pause()
    await t.rejects(bus.log.records.create('r.0', text('')), { code: 'BUS_UNAVAILABLE', retryable: true })
    await t.rejects(bus.kv.runs.update('r', text(''), 0), { code: 'BUS_UNAVAILABLE', retryable: true })
    server.resume()
    t.match(await retry(() => bus.log.records.create('r.0', text(''))), /created|present/)
    t.equal((await take(follower, 1))[0]!.key, 'r.0')
  })

  t.test('an object that is put or read while the server goes is told, and whole when it is there', async t => {
    const server = await startNats(t, { kind })
    const broker = natsBroker(t, server.url, { limits })
    const bus = await broker.connect()
    const bytes = new Uint8Array(8 * 2 ** 20).fill(3)
    const put = retry(() => bus.objects.put('o', bytes))
    await systemClock.sleep(20)
    await server.kill()
    await server.start()
    await put
    const got = retry(() => bus.objects.get('o'))
    await server.kill()
    await server.start()
    t.equal(Buffer.compare((await got)!, bytes), 0)
  })
}
