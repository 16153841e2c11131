// Flow control, large messages, and calls that are silent.

import type { Test } from 'tap'
import { kinds } from '../../src/bridge/frame.ts'
import { bridgeLimits } from '../../src/bridge/limits.ts'
import { defineService, unary } from '../../src/bridge/services.ts'
import type { Bus, Objects } from '../../src/bus/types.ts'
import { systemClock } from '../../src/clock.ts'
import type { OpenSides } from './contract.ts'
import { aborted, all, openBridge, statusOf, until } from './fixture.ts'

/** Counts what a bus writes of messages, less the credit that comes back. */
function measured (bus: Bus): { bus: Bus; bytesMax (): number } {
  let sent = 0
  return {
    bytesMax: () => sent,
    bus: { ...bus, wire: { ...bus.wire, get isUp () { return bus.wire.isUp }, get payloadBytesMax () { return bus.wire.payloadBytesMax }, publish (subject, bytes, reply) {
      if (bytes.length > 500) sent += bytes.length
      bus.wire.publish(subject, bytes, reply)
    } } }
  }
}

/** Remembers the names of objects. Who asks for one while it is being removed may wait for long, so tests ask afterwards. */
function named (bus: Bus): { bus: Bus; names: string[]; removed: string[] } {
  const names: string[] = []
  const removed: string[] = []
  const objects: Objects = {
    ...bus.objects,
    async put (name, bytes) { await bus.objects.put(name, bytes); names.push(name) },
    async remove (name) { await bus.objects.remove(name); removed.push(name) }
  }
  return { names, removed, bus: { ...bus, objects } }
}

export function flowContract (t: Test, open: OpenSides): void {
  const windowBytes = 64 * 1_024

  t.test('who reads nothing is sent a window, and no more', async t => {
    const { serving, calling } = await open(t)
    const { bus, bytesMax } = measured(serving)
    const { client } = await openBridge(t, { serving: bus, calling }, {}, { client: { windowBytes } })
    const answers = client.count({ to: 500, bytes: 1_000 })
    await until(() => bytesMax() > windowBytes - 1_100)
    await systemClock.sleep(200)
    t.ok(bytesMax() <= windowBytes, `${bytesMax()} bytes were sent`)
    t.ok(bytesMax() > windowBytes - 1_100)
    t.equal((await all(answers)).length, 500, 'and everything when it reads')
  })

  t.test('a handler that reads nothing is sent a window, and no more', async t => {
    const { serving, calling } = await open(t)
    const { bus, bytesMax } = measured(calling)
    let read = (): void => {}
    const reading = new Promise<void>(resolve => { read = resolve })
    const { client } = await openBridge(t, { serving, calling: bus }, { async sum (requests) { await reading; return (await all(requests)).length } }, { server: { windowBytes } })
    const sum = client.sum(Array.from({ length: 500 }, () => new Uint8Array(1_000)))
    await until(() => bytesMax() > windowBytes - 1_100)
    await systemClock.sleep(200)
    t.ok(bytesMax() <= windowBytes, `${bytesMax()} bytes were sent`)
    read()
    t.equal(await sum, 500)
  })

  t.test('credit that is lost is made up for', async t => {
    const { serving, calling } = await open(t)
    let lost = 0
    const bus: Bus = { ...calling, wire: { ...calling.wire, get isUp () { return calling.wire.isUp }, get payloadBytesMax () { return calling.wire.payloadBytesMax }, publish (subject, bytes, reply) {
      if (bytes[1] === kinds.CREDIT) lost++
      else calling.wire.publish(subject, bytes, reply)
    } } }
    const limits = { keepAliveMs: 100 }
    const { client } = await openBridge(t, { serving, calling: bus }, {}, { client: { ...limits, windowBytes }, server: limits })
    t.equal((await all(client.count({ to: 200, bytes: 1_000 }))).length, 200, 'by what PING and PONG say of it')
    t.ok(lost > 2, `${lost} frames of credit were lost`)
  })

  t.test('a stream with much credit lets others run', async t => {
    const { serving, calling } = await open(t)
    let [burst, most] = [0, 0]
    const bus: Bus = { ...serving, wire: { ...serving.wire, get isUp () { return serving.wire.isUp }, get payloadBytesMax () { return serving.wire.payloadBytesMax }, publish (subject, bytes, reply) {
      if (burst === 0) setImmediate(() => { burst = 0 })
      burst += bytes.length
      most = Math.max(most, burst)
      serving.wire.publish(subject, bytes, reply)
    } } }
    const { client } = await openBridge(t, { serving: bus, calling })
    t.equal((await all(client.count({ to: 100, bytes: 50_000 }))).length, 100)
    t.ok(most > 200_000 && most < bridgeLimits.burstBytes + 100_000, `${most} bytes at a time`)
  })

  t.test('a message may be larger than the window, also after smaller ones', async t => {
    const { client } = await openBridge(t, await open(t), {}, { client: { windowBytes: 1_000 }, server: { windowBytes: 1_000 } })
    const sizes = [10, 400, 5_000, 20, 999, 1_000, 50_000, 1, 1]
    const answers = await all(client.chat(sizes.map(size => new Uint8Array(size))))
    t.same(answers.map(answer => (answer as Uint8Array[])[0]!.length), sizes)
  })

  t.test('a message that is larger than the wire takes lies among the objects until it is read', async t => {
    const { serving, calling } = await open(t)
    const one = named(serving)
    const other = named(calling)
    const { client } = await openBridge(t, { serving: one.bus, calling: other.bus })
    const large = new Uint8Array(2_500_000).fill(7)
    // Not by `same`, which takes seconds for so many bytes: the bus would take its own silence for the server's.
    const { large: said } = await client.say({ large }) as { large: Uint8Array }
    t.ok(Buffer.from(said).equals(large))
    const answers = await all(client.chat([large, 'small', large]))
    t.same(answers.map(answer => (answer as [Uint8Array])[0].length), [large.length, 5, large.length])
    t.equal(await client.sum([1, 2]), 3)
    t.equal(one.names.length, 3)
    t.equal(other.names.length, 3)
    await until(() => one.removed.length + other.removed.length === 6)
    for (const name of [...one.names, ...other.names]) {
      t.ok(await calling.objects.get(name) === null, `${name} was removed`)
    }
  })

  t.test('an object that nobody reads is removed, and one that is gone is DATA_LOSS', async t => {
    const { serving, calling } = await open(t)
    const one = named(serving)
    const other = named(calling)
    const { client } = await openBridge(t, { serving: one.bus, calling: other.bus }, { async * count () { yield { index: 0, filling: new Uint8Array(2_500_000) } } }, { server: { objectMs: 300 } })
    const answers = client.count({ to: 1 })
    await until(() => one.removed.length === 1)
    t.equal((await statusOf(answers)).status, 'DATA_LOSS')
    const again = client.count({ to: 1 })
    await until(() => one.names.length === 2)
    await again.return!()
    await until(() => one.removed.length + other.removed.length > 1)
    t.ok(await calling.objects.get(one.names[1]!) === null)
  })

  t.test('a message has a limit wherever it lies', async t => {
    const { client } = await openBridge(t, await open(t), { say: request => new Uint8Array(request as number) }, { client: { messageBytesMax: 3_000_000 } })
    t.equal((await client.say(2_900_000) as Uint8Array).length, 2_900_000)
    t.match(await statusOf(client.say(new Uint8Array(3_000_001))), { status: 'RESOURCE_EXHAUSTED', message: /messageBytesMax/ })
    t.match(await statusOf(client.say(3_000_001)), { status: 'RESOURCE_EXHAUSTED', message: /messageBytesMax/ }, 'that of its reader too')
  })

  t.test('a call that is silent goes on while both sides are there', async t => {
    const limits = { keepAliveMs: 150 }
    const { client } = await openBridge(t, await open(t), {
      async say () { await systemClock.sleep(900); return 'late' },
      async * count () { await systemClock.sleep(900); yield { index: 1, filling: new Uint8Array() } }
    }, { client: limits, server: limits })
    t.same(await Promise.all([client.say(1), all(client.count({ to: 1 }))]), ['late', [{ index: 1, filling: new Uint8Array() }]])
  })

  t.test('a side that is gone is noticed by the other', async t => {
    const { serving, calling } = await open(t)
    const reasons: string[] = []
    const { client, server } = await openBridge(t, { serving, calling }, { async say (_, call) { reasons.push((await aborted(call)).status); return null } }, { client: { keepAliveMs: 60_000 }, server: { keepAliveMs: 200 } })
    const ended = statusOf(client.say(1))
    await until(() => server.running === 1)
    await calling.close()
    t.equal((await ended).status, 'UNAVAILABLE')
    await until(() => server.running === 0)
    t.same(reasons, ['UNAVAILABLE'])
  })

  t.test('a service is told by its own name and its methods', async t => {
    t.throws(() => defineService({ name: 'a.b', methods: {} }), { code: 'BRIDGE_BAD_SERVICE' })
    t.throws(() => defineService({ name: 'a', methods: { 'b c': unary<null, null>() } }), { code: 'BRIDGE_BAD_SERVICE' })
    t.throws(() => defineService({ name: 'a', version: '1', methods: {} }), { code: 'BRIDGE_BAD_SERVICE' })
  })
}
