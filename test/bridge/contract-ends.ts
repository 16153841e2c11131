// How a call ends, whoever ends it.

import type { Test } from 'tap'
import { BridgeStatus } from '../../src/bridge/status.ts'
import { createBridgeServer } from '../../src/bridge/server.ts'
import { systemClock } from '../../src/clock.ts'
import type { OpenSides } from './contract.ts'
import { aborted, all, echo, Echo, endless, gate, openBridge, statusOf, until } from './fixture.ts'

const never = (): Promise<never> => new Promise(() => {})

export function endContract (t: Test, open: OpenSides): void {
  t.test('what a handler throws is told, without its stack', async t => {
    const { client } = await openBridge(t, await open(t), {
      say: () => { throw new Error('broken at once') },
      sum: async () => { throw new Error('broken') },
      async * chat () { yield 1; throw new BridgeStatus('ABORTED', 'x'.repeat(2_000)) }
    })
    for (const [call, text] of [[client.say(1), 'broken at once'], [client.sum(endless()), 'broken']] as const) {
      const status = await statusOf(call)
      t.same([status.status, status.message], ['INTERNAL', text])
    }
    const answers = client.chat([])
    t.same(await answers.next(), { done: false, value: 1 }, 'what came before is read')
    const status = await statusOf(answers)
    t.equal(status.status, 'ABORTED')
    t.equal(status.message.length, 1_024, 'a text has a limit')
    t.same(await answers.next(), { done: true, value: undefined }, 'an end is told once')
  })

  t.test('the deadline ends a call on both sides', async t => {
    const left: number[] = []
    const reasons: string[] = []
    const { client, server } = await openBridge(t, await open(t), {
      async say (_, call) { left.push(call.timeLeftMs); reasons.push((await aborted(call)).status); return null },
      async * count (_, call) { left.push(call.timeLeftMs); reasons.push((await aborted(call)).status) }
    })
    t.equal((await statusOf(client.say(1, { deadlineMs: 300 }))).status, 'DEADLINE_EXCEEDED')
    t.equal((await statusOf(client.count({ to: 1 }, { deadlineMs: 300 }))).status, 'DEADLINE_EXCEEDED')
    await until(() => server.running === 0)
    t.equal(reasons.length, 2)
    for (const reason of reasons) t.match(reason, /DEADLINE_EXCEEDED|CANCELLED/, 'whichever side looks first')
    for (const ms of left) t.ok(ms > 0 && ms <= 300, `${ms} ms`)
  })

  t.test('without a deadline there is time without end', async t => {
    const { client } = await openBridge(t, await open(t), { say: (_, { timeLeftMs }) => timeLeftMs === Infinity })
    t.equal(await client.say(1), true)
  })

  t.test('the client cancels a call of every kind', async t => {
    const reasons: string[] = []
    const waits = async (call: Parameters<typeof aborted>[0]): Promise<null> => { reasons.push((await aborted(call)).status); return null }
    const { client, server } = await openBridge(t, await open(t), {
      say: async (_, call) => await waits(call),
      async * count (_, call) { await waits(call) },
      sum: async (_, call) => await waits(call),
      async * chat (_, call) { await waits(call) }
    })
    const calls = [client.say, client.count, client.sum, client.chat] as const
    for (const call of calls) {
      for (const afterMs of [0, 250]) {
        const stop = new AbortController()
        const given = call === client.sum || call === client.chat ? endless() : { to: 1 }
        const ended = statusOf((call as (given: unknown, options: { signal: AbortSignal }) => Promise<unknown>)(given, { signal: stop.signal }))
        await systemClock.sleep(afterMs)
        stop.abort()
        t.equal((await ended).status, 'CANCELLED')
      }
    }
    await until(() => server.running === 0 && reasons.length === 8)
    t.same(reasons, Array.from({ length: 8 }, () => 'CANCELLED'), 'also where the server was not heard of yet')
    const stopped = AbortSignal.abort()
    t.equal((await statusOf(client.say(1, { signal: stopped }))).status, 'CANCELLED')
  })

  t.test('a handler reads that its requests were cancelled', async t => {
    const ends: unknown[] = []
    const { client, server } = await openBridge(t, await open(t), { async sum (requests) { ends.push((await statusOf(requests)).status); return null } })
    const stop = new AbortController()
    const ended = statusOf(client.sum(endless(1, 2), { signal: stop.signal }))
    await until(() => server.running === 1)
    await systemClock.sleep(150)
    stop.abort()
    t.equal((await ended).status, 'CANCELLED')
    await until(() => ends.length === 1)
    t.same(ends, ['CANCELLED'])
  })

  t.test('a reader that leaves cancels the call, and sources are let go', async t => {
    const released: string[] = []
    const { client, server } = await openBridge(t, await open(t), {
      async * count () { try { for (let index = 0; ; index++) yield { index, filling: new Uint8Array(100) } } finally { released.push('answers') } }
    }, { client: { windowBytes: 4_096 } })
    for await (const { index } of client.count({ to: 1 })) if (index === 20) break
    await until(() => server.running === 0)
    t.same(released, ['answers'])
    async function * requests (): AsyncGenerator<number> { try { yield 1; yield 2 } finally { released.push('requests') } }
    t.equal(await client.sum(requests()), 3)
    t.same(released, ['answers', 'requests'])
  })

  t.test('a server may answer before it has read everything', async t => {
    const { client } = await openBridge(t, await open(t), { async sum (requests) { for await (const request of requests) return request; return null } })
    t.equal(await client.sum(endless(7)), 7)
    async function * many (): AsyncGenerator<string> { for (;;) yield 'x'.repeat(1_000) }
    t.equal(await client.sum(many()), 'x'.repeat(1_000))
  })

  t.test('requests that fail cancel the call', async t => {
    const { client, server } = await openBridge(t, await open(t))
    async function * requests (): AsyncGenerator<number> { yield 1; throw new Error('the source is gone') }
    const status = await statusOf(client.sum(requests()))
    t.same([status.status, (status.cause as Error).message], ['CANCELLED', 'the source is gone'])
    await until(() => server.running === 0)
    t.equal(server.running, 0)
  })

  t.test('nobody serves: at once, and nothing has begun', async t => {
    const sides = await open(t)
    const { client, server } = await openBridge(t, sides)
    await server.destroy()
    const at = systemClock.now()
    for (const call of [client.say(1), client.count({ to: 1 }), client.sum([]), client.chat([])]) {
      const status = await statusOf(call)
      t.same([status.status, status.retryable, status.data['isUnbegun']], ['UNAVAILABLE', true, true])
    }
    t.ok(systemClock.now() - at < 2_000)
  })

  t.test('more calls than callsMax are refused', async t => {
    const { opened, open: release } = gate()
    const { client, server } = await openBridge(t, await open(t), { async say () { await opened; return 'done' } }, { server: { callsMax: 3 } })
    const calls = [1, 2, 3].map(() => client.say(1))
    await until(() => server.running === 3)
    const status = await statusOf(client.say(1))
    t.same([status.status, status.retryable], ['RESOURCE_EXHAUSTED', true])
    t.match(status.message, /callsMax/)
    release()
    t.same(await Promise.all(calls), ['done', 'done', 'done'])
    t.equal(await client.say(1), 'done')
  })

  t.test('a server that stops ends its calls; one that drains lets them end', async t => {
    const sides = await open(t)
    const { client, server } = await openBridge(t, sides, { say: never })
    const ended = statusOf(client.say(1))
    await until(() => server.running === 1)
    await server.destroy()
    await server.destroy()
    t.equal((await ended).status, 'UNAVAILABLE')

    const { opened, open: release } = gate()
    const draining = createBridgeServer({ bus: sides.serving, clock: systemClock })
    await draining.serve(Echo, { ...echo, async say () { await opened; return 'late' } })
    const late = client.say(1)
    await until(() => draining.running === 1)
    const drained = draining.drain(20_000)
    await until(async () => { const stop = new AbortController(); const ended = statusOf(client.say(2, { signal: stop.signal })); await systemClock.sleep(50); stop.abort(); return (await ended).status === 'UNAVAILABLE' })
    release()
    t.equal(await late, 'late')
    await drained
    const bounded = createBridgeServer({ bus: sides.serving, clock: systemClock })
    await bounded.serve(Echo, { ...echo, say: never })
    const cut = statusOf(client.say(1))
    await until(() => bounded.running === 1)
    await bounded.drain(50)
    t.equal((await cut).status, 'UNAVAILABLE')
  })

  t.test('instances share the calls', async t => {
    const sides = await open(t)
    const served = [0, 0]
    const { client } = await openBridge(t, sides, { say: () => ++served[0]! })
    const other = createBridgeServer({ bus: sides.calling, clock: systemClock })
    t.teardown(() => other.destroy())
    await other.serve(Echo, { ...echo, say: () => ++served[1]! })
    await Promise.all(Array.from({ length: 100 }, () => client.say(1)))
    t.equal(served[0]! + served[1]!, 100)
    t.ok(served[0]! > 0 && served[1]! > 0, `${served}`)
  })

  t.test('a client that closes cancels its calls; a bus that closes ends them', async t => {
    const sides = await open(t)
    const { client, close, server } = await openBridge(t, sides, { say: never })
    const ended = statusOf(client.say(1))
    await until(() => server.running === 1)
    close()
    t.equal((await ended).status, 'CANCELLED')
    t.equal((await statusOf(client.say(1))).status, 'UNAVAILABLE')
    const again = await openBridge(t, sides, { say: never })
    const lost = statusOf(again.client.say(1))
    await systemClock.sleep(50)
    await sides.calling.close()
    t.equal((await lost).status, 'UNAVAILABLE')
    t.same(await all([] as never), [])
  })
}
