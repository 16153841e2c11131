// Frames that no side of the bridge would write: the call ends, with the status that the wire has for it.

import type { Test } from 'tap'
import { bidirectional, defineService, serverStream, unary } from '../../src/bridge/services.ts'
import { createBridgeClient } from '../../src/bridge/client.ts'
import { statusCodes } from '../../src/bridge/status.ts'
import { systemClock } from '../../src/clock.ts'
import type { OpenSides } from './contract.ts'
import { aborted, Echo, endless, openBridge, statusOf, until } from './fixture.ts'
import { rawClient, rawServer } from './raw.ts'

const OPEN = { unary: [0, 1, 0, 0, {}, 0, true, [0, null]], clientStream: [0, 1, 2, 0, {}, 0, false, null] }

export function frameContract (t: Test, open: OpenSides): void {
  t.test('a method that is not served, or is of another kind', async t => {
    const sides = await open(t)
    await openBridge(t, sides)
    const Other = defineService({ name: 'Echo', methods: { missing: unary<unknown, unknown>(), say: serverStream<unknown, unknown>(), sum: unary<unknown, unknown>(), count: bidirectional<unknown, unknown>() } })
    const bridge = createBridgeClient({ bus: sides.calling, clock: systemClock })
    t.teardown(() => bridge.close())
    const client = bridge.of(Other)
    t.match(await statusOf(client.missing(1)), { status: 'UNAVAILABLE', data: { isUnbegun: true } })
    for (const call of [client.say(1), client.sum(1), client.count([])]) t.equal((await statusOf(call)).status, 'UNIMPLEMENTED')
  })

  t.test('a server refuses what it cannot read', async t => {
    const { serving, calling } = await open(t)
    const { client } = await openBridge(t, { serving, calling })
    const cases = [[[0, 2, 'newer'], 'UNIMPLEMENTED'], [Uint8Array.of(0xc1), 'INTERNAL'], [new Uint8Array(), 'INTERNAL'], [[2, 0, [0, 1]], 'INTERNAL'], [[0, 1, 0, 0, { a: 1 }, 0, true, [0, null]], 'INTERNAL'], [OPEN.clientStream, 'UNIMPLEMENTED']] as const
    for (const [opening, name] of cases) {
      const { code, sequence } = await (await rawClient(t, calling, 'say', opening as unknown[])).first('STATUS')
      t.same([code, sequence], [statusCodes[name], 0])
    }
    calling.wire.publish(calling.wire.subjectOf('Echo', 'say'), Uint8Array.of(1))
    t.equal(await client.say(1), 1, 'and goes on; what wants no answer gets none')
  })

  t.test('a server ends a call with a frame that does not belong to it', async t => {
    const { serving, calling } = await open(t)
    const { server } = await openBridge(t, { serving, calling })
    const cases: [string, unknown[][] | Uint8Array[], keyof typeof statusCodes][] = [
      ['a gap', [[2, 0, [0, 1]], [2, 2, [0, 1]]], 'DATA_LOSS'],
      ['a frame twice', [[2, 0, [0, 1]], [2, 0, [0, 1]]], 'DATA_LOSS'],
      ['an end that shows a gap', [[3, 4]], 'DATA_LOSS'],
      ['a PING that shows a gap', [[7, 1]], 'DATA_LOSS'],
      ['an array that is none', [[2, 0, [0, { dtype: 'x', shape: [], data: '' }]]], 'INTERNAL'],
      ['garbage', [Uint8Array.of(0x93, 1)], 'INTERNAL'],
      ['credit for nothing', [[5, 1]], 'INTERNAL'],
      ['a second opening', [OPEN.clientStream], 'INTERNAL']
    ]
    for (const [name, frames, status] of cases) {
      const side = await rawClient(t, calling, 'sum', OPEN.clientStream)
      await side.first('ACCEPT')
      for (const frame of frames) side.say(frame)
      t.equal((await side.first('STATUS')).code, statusCodes[status], name)
      await until(() => server.running === 0)
    }
    t.equal(server.running, 0)
  })

  t.test('a client that sends more than it may, to a handler that reads nothing', async t => {
    const { serving, calling } = await open(t)
    const reasons: string[] = []
    await openBridge(t, { serving, calling }, { async sum (_, call) { reasons.push((await aborted(call)).status); return null } }, { server: { windowBytes: 2_000 } })
    const side = await rawClient(t, calling, 'sum', OPEN.clientStream)
    t.equal((await side.first('ACCEPT')).credit, 2_000)
    for (const sequence of [0, 1, 2]) side.say([2, sequence, [0, 'x'.repeat(900)]])
    t.equal((await side.first('STATUS')).code, statusCodes.RESOURCE_EXHAUSTED)
    t.same(reasons, ['RESOURCE_EXHAUSTED'])
  })

  t.test('a client ends a call with a frame that does not belong to it, and says so', async t => {
    const cases: [string, unknown[][] | Uint8Array[], keyof typeof statusCodes][] = [
      ['a gap', [[2, 0, [0, 1]], [2, 2, [0, 1]]], 'DATA_LOSS'],
      ['a status that shows a gap', [[4, 1, 0, '', {}, null]], 'DATA_LOSS'],
      ['a PING that shows a gap', [[7, 3]], 'DATA_LOSS'],
      ['more than the credit', [0, 1, 2].map(sequence => [2, sequence, [0, 'x'.repeat(900)]]), 'RESOURCE_EXHAUSTED'],
      ['garbage', [Uint8Array.of(0xc1)], 'INTERNAL'],
      ['an end', [[3, 0]], 'INTERNAL'],
      ['a second ACCEPT', [[1, {}, 0]], 'INTERNAL'],
      ['an object that is not there', [[2, 0, [1, 'bridge.x.1', 5, '0'.repeat(64)]]], 'DATA_LOSS']
    ]
    for (const [name, frames, status] of cases) {
      await t.test(name, async t => {
        const { serving, calling } = await open(t)
        const { opened, reply } = await rawServer(t, serving, 'count')
        const bridge = createBridgeClient({ bus: calling, clock: systemClock, limits: { windowBytes: 1_500 } })
        t.teardown(() => bridge.close())
        await systemClock.sleep(50)
        const answers = bridge.of(Echo).count({ to: 1 })
        const side = await opened
        side.say([1, {}, 0], reply)
        for (const frame of frames) side.say(frame)
        if (name === 'more than the credit') await systemClock.sleep(100)
        t.equal((await statusOf(answers)).status, status)
        await side.first('CANCEL')
      })
    }
  })

  t.test('an answer that is missing from its status', async t => {
    const { serving, calling } = await open(t)
    const { opened, reply } = await rawServer(t, serving, 'say')
    const bridge = createBridgeClient({ bus: calling, clock: systemClock })
    t.teardown(() => bridge.close())
    await systemClock.sleep(50)
    const ended = statusOf(bridge.of(Echo).say(1))
    ;(await opened).say([4, 0, 0, '', {}, null], reply)
    t.equal((await ended).status, 'INTERNAL')
  })

  t.test('a server that says nothing is asked, and given up', async t => {
    const { serving, calling } = await open(t)
    const { opened, reply } = await rawServer(t, serving, 'count')
    const bridge = createBridgeClient({ bus: calling, clock: systemClock, limits: { keepAliveMs: 200 } })
    t.teardown(() => bridge.close())
    await systemClock.sleep(50)
    const ended = statusOf(bridge.of(Echo).count({ to: 1 }))
    const side = await opened
    side.say([1, {}, 0], reply)
    await side.first('PING')
    side.say([8, 0])
    const { kind } = await side.first('CANCEL')
    t.equal(kind, 6)
    t.equal((await ended).status, 'UNAVAILABLE')
    t.ok(side.heard.filter(({ kind }) => kind === 7).length >= 2, 'an answer counts')
  })

  t.test('a client that says nothing is asked, and its handler told', async t => {
    const { serving, calling } = await open(t)
    const reasons: string[] = []
    await openBridge(t, { serving, calling }, { async say (_, call) { reasons.push((await aborted(call)).status); return null } }, { server: { keepAliveMs: 200 } })
    const side = await rawClient(t, calling, 'say', OPEN.unary)
    await side.first('ACCEPT')
    await side.first('PING')
    t.equal((await side.first('STATUS')).code, statusCodes.UNAVAILABLE)
    t.same(reasons, ['UNAVAILABLE'])
  })

  t.test('a client answers PING and keeps its place', async t => {
    const { serving, calling } = await open(t)
    const { opened, reply } = await rawServer(t, serving, 'chat')
    const bridge = createBridgeClient({ bus: calling, clock: systemClock })
    t.teardown(() => bridge.close())
    await systemClock.sleep(50)
    const answers = bridge.of(Echo).chat(endless('a'))
    const side = await opened
    side.say([1, {}, 10_000], reply)
    await side.first('MESSAGE')
    side.say([7, 0])
    t.equal((await side.first('PONG')).sequence, 1)
    await answers.return!()
  })
}
