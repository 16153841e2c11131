// What a call carries: messages of every kind, metadata, trailers.

import type { Test } from 'tap'
import type { Metadata } from '../../src/bridge/frame.ts'
import { BridgeStatus } from '../../src/bridge/status.ts'
import { toWire } from '../../src/workers/codec/arrays.ts'
import type { OpenSides } from './contract.ts'
import { all, endless, openBridge, statusOf } from './fixture.ts'

export function callContract (t: Test, open: OpenSides): void {
  t.test('calls of every kind are answered', async t => {
    const { client } = await openBridge(t, await open(t))
    t.equal(await client.say('hello'), 'hello')
    t.same(await all(client.count({ to: 3, bytes: 1 })), [0, 1, 2].map(index => ({ index, filling: Uint8Array.of(index) })))
    t.equal(await client.sum([1, 2, 3]), 6)
    t.same(await all(client.chat(['a', 'b'])), [['a', 'a'], ['b', 'b']])
  })

  t.test('a stream may hold nothing', async t => {
    const { client } = await openBridge(t, await open(t))
    t.same(await all(client.count({ to: 0 })), [])
    t.equal(await client.sum([]), 0)
    t.same(await all(client.chat([])), [])
  })

  t.test('a bidirectional call answers while it is asked', async t => {
    const { client } = await openBridge(t, await open(t))
    const answers = client.chat(endless('first'))
    t.same(await answers.next(), { done: false, value: ['first', 'first'] })
    await answers.return!()
  })

  t.test('many calls go on at a time, and many messages come in order', async t => {
    const { client } = await openBridge(t, await open(t))
    const numbers = Array.from({ length: 300 }, (_, index) => index)
    t.same(await Promise.all(numbers.map(number => client.say(number))), numbers)
    const counted = await Promise.all(Array.from({ length: 20 }, () => all(client.count({ to: 300 }))))
    for (const messages of counted) t.same(messages.map(({ index }) => index), numbers)
  })

  t.test('messages hold bytes, arrays of numbers and everything that MessagePack has', async t => {
    const { client } = await openBridge(t, await open(t))
    const sample = { ids: Int32Array.of(1, -2), logprobs: Float32Array.of(-0.5), mask: Uint8Array.of(0, 1), text: 'é漢', none: null, list: [true, 1.5, 2 ** 40] }
    t.same(await client.say(sample), sample)
    t.same(await client.say({ missing: undefined, half: 'a\ud800' }), { half: 'a\ufffd' })
    t.same(await client.say(toWire(Uint8Array.of(1, 2))), Uint8Array.of(1, 2), 'an array of bytes comes back as bytes')
    const square = toWire(Int32Array.of(1, 2, 3, 4), [2, 2])
    t.same(await client.say(square), square, 'an array of two dimensions stays as it is on the wire')
  })

  t.test('what no message holds is refused before it is sent', async t => {
    const { client } = await openBridge(t, await open(t))
    for (const value of [() => {}, new Date(0), new Map(), Symbol('a'), 2n ** 70n]) t.equal((await statusOf(client.say(value))).status, 'INTERNAL')
    let deep: unknown = 0
    for (let level = 0; level < 70; level++) deep = [deep]
    t.match((await statusOf(client.say(deep))).message, /depthMax/)
  })

  t.test('metadata and trailers go both ways', async t => {
    const seen: Record<string, Metadata> = {}
    const { client } = await openBridge(t, await open(t), {
      async say (request, call) {
        call.responseMetadata = { served: 'here' }
        call.trailers = { took: '5', raw: Uint8Array.of(1) }
        return { request, given: call.metadata }
      },
      async * count (_, call) {
        call.responseMetadata = { given: call.metadata['a']! }
        yield { index: 0, filling: new Uint8Array() }
        throw new BridgeStatus('NOT_FOUND', 'no more', { metadata: { last: '0' } })
      }
    })
    const options = (name: string) => ({ metadata: { a: 'text', b: Uint8Array.of(1, 2) }, onMetadata (metadata: Metadata) { seen[`${name} metadata`] = metadata }, onTrailers (metadata: Metadata) { seen[`${name} trailers`] = metadata } })
    t.same(await client.say(1, options('say')), { request: 1, given: { a: 'text', b: Uint8Array.of(1, 2) } })
    const status = await statusOf(client.count({ to: 1 }, options('count')))
    t.same([status.status, status.message, status.code, status.number, status.retryable, status.metadata], ['NOT_FOUND', 'no more', 'BRIDGE_NOT_FOUND', 5, false, { last: '0' }])
    t.same(seen, { 'say metadata': { served: 'here' }, 'say trailers': { took: '5', raw: Uint8Array.of(1) }, 'count metadata': { given: 'text' }, 'count trailers': { last: '0' } })
  })

  t.test('metadata have a limit and a form', async t => {
    const { client } = await openBridge(t, await open(t), { async say (request, call) { call.trailers = { a: 'x'.repeat(request as number) }; return null } })
    t.equal((await statusOf(client.say(0, { metadata: { a: 'x'.repeat(8 * 1024) } }))).status, 'RESOURCE_EXHAUSTED')
    t.equal((await statusOf(client.say(0, { metadata: { Upper: 'x' } }))).status, 'INTERNAL')
    t.equal((await statusOf(client.say(8 * 1024))).status, 'RESOURCE_EXHAUSTED', 'trailers too')
    t.equal(await client.say(8_000), null)
  })
}
