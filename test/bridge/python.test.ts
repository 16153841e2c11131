// TypeScript and Python call each other over real servers: the same service Echo is served by one and called by the other, in
// both directions. The trainer's own tests run here too.

import { createHash } from 'node:crypto'
import t, { type Test } from 'tap'
import { createBridgeClient } from '../../src/bridge/client.ts'
import { createBridgeServer } from '../../src/bridge/server.ts'
import { bidirectional, clientStream, defineService, serverStream, unary, type ClientOf, type HandlersOf } from '../../src/bridge/services.ts'
import { BridgeStatus, type StatusName } from '../../src/bridge/status.ts'
import type { Metadata } from '../../src/bridge/frame.ts'
import type { Bus } from '../../src/bus/types.ts'
import { systemClock } from '../../src/clock.ts'
import { natsBroker } from '../helpers/nats-bus.ts'
import { natsServers, skipWithoutNats, startNats, type ServerKind } from '../helpers/nats-server.ts'
import { skipWithoutTrainer, spawnTrainer, startPeer, type Peer } from '../helpers/trainer-python.ts'
import { aborted, all, statusOf } from './fixture.ts'

const Echo = defineService({
  name: 'Echo',
  methods: {
    Say: unary<unknown, unknown>(),
    Count: serverStream<{ n: number }, number>(),
    Sum: clientStream<{ value: number }, { sum: number }>(),
    Chat: bidirectional<unknown, unknown>(),
    Fail: unary<{ code: number; text: string }, never>(),
    Hang: unary<unknown, never>(),
    Flood: serverStream<{ n: number; bytes: number }, Uint8Array>()
  }
})
type EchoMethods = typeof Echo.methods

const skip = skipWithoutNats() || skipWithoutTrainer()

/** Larger than a message of the server may be. */
const large = Float32Array.from({ length: 600_000 }, (_, index) => index / 7)
const sha256 = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex')

async function openBus (t: Test, kind: ServerKind): Promise<{ bus: Bus; url: string; prefix: string }> {
  const { url } = await startNats(t, { kind })
  const broker = natsBroker(t, url)
  return { bus: await broker.connect(), url, prefix: broker.prefix }
}

for (const kind of skip === false ? natsServers() : []) {
  t.test(`TypeScript calls Python over nats-server ${kind.name}`, async t => {
    const { bus, url, prefix } = await openBus(t, kind)
    const peer = startPeer(t, 'serve', url, prefix)
    const client = createBridgeClient({ bus, clock: systemClock })
    t.teardown(() => client.close())
    t.same(await peer.read(), { ready: true })
    await callPython(t, client.of(Echo), peer)
  })

  t.test(`Python calls TypeScript over nats-server ${kind.name}`, async t => {
    const { bus, url, prefix } = await openBus(t, kind)
    const events: string[] = []
    const server = createBridgeServer({ bus, clock: systemClock })
    t.teardown(() => server.destroy())
    await server.serve(Echo, echo(events))
    await callTypeScript(t, startPeer(t, 'call', url, prefix), events)
  })
}

async function callPython (t: Test, client: ClientOf<EchoMethods>, peer: Peer): Promise<void> {
  await t.test('a unary call, with arrays, metadata and trailers', async t => {
    let trailers: Metadata = {}
    const request = { text: 'é漢', array: Int32Array.of(1, -2, 151_643), large: 2 ** 40, nothing: null, bytes: Uint8Array.of(0, 255) }
    t.same(await client.Say(request, { metadata: { key: 'x', 'key-bin': Uint8Array.of(0, 255) }, onTrailers: said => { trailers = said } }), request)
    t.same(trailers, { key: 'x', 'key-bin': Uint8Array.of(0, 255) })
  })
  await t.test('a message by reference, there and back', async t => {
    t.same(await client.Say({ large }), { large })
  })
  await t.test('streams of every kind', async t => {
    let metadata: Metadata = {}
    t.same(await all(client.Count({ n: 1_000 }, { onMetadata: said => { metadata = said } })), Array.from({ length: 1_000 }, (_, index) => index))
    t.same(metadata, { method: 'count' })
    t.same(await all(client.Count({ n: 0 })), [])
    t.same(await client.Sum(Array.from({ length: 500 }, (_, value) => ({ value }))), { sum: 124_750 })
    t.same(await client.Sum([]), { sum: 0 })
    t.same(await all(client.Chat(['a', large, 'b', new Uint8Array(900_000), null])), ['a', large, 'b', new Uint8Array(900_000), null])
  })
  await t.test('a slow reader of a stream much longer than the window', async t => {
    let bytes = 0
    for await (const part of client.Flood({ n: 100, bytes: 100_000 })) {
      bytes += part.length
      if (bytes % 1_000_000 === 0) await systemClock.sleep(5)
    }
    t.equal(bytes, 10_000_000)
    t.same([await peer.read(), await peer.read()], [{ event: 'flood ended' }, { event: 'flood left' }])
  })
  await t.test('a status of the handler', async t => {
    const status = await statusOf(client.Fail({ code: 5, text: 'There is no run' }))
    t.match(status, { status: 'NOT_FOUND', message: 'There is no run', metadata: { why: 'asked' } })
  })
  await t.test('a deadline and a signal abort the handler', async t => {
    t.equal((await statusOf(client.Hang(null, { deadlineMs: 300 }))).status, 'DEADLINE_EXCEEDED')
    t.same([await peer.read(), await peer.read()], [{ event: 'hang' }, { event: 'hang aborted' }])
    const leaving = new AbortController()
    const hanging = statusOf(client.Hang(null, { signal: leaving.signal }))
    t.same(await peer.read(), { event: 'hang' })
    leaving.abort()
    t.equal((await hanging).status, 'CANCELLED')
    t.same(await peer.read(), { event: 'hang aborted' })
  })
  await t.test('a stream that is left', async t => {
    for await (const part of client.Flood({ n: 1_000, bytes: 100_000 })) {
      t.equal(part.length, 100_000)
      break
    }
    t.same(await peer.read(), { event: 'flood left' })
  })
}

const echo = (events: string[]): HandlersOf<EchoMethods> => ({
  Say (request, call) {
    call.trailers = call.metadata
    return request
  },
  async * Count ({ n }, call) {
    call.responseMetadata = { method: 'count' }
    call.trailers = { counted: String(n) }
    for (let index = 0; index < n; index++) yield index
  },
  async Sum (requests) {
    let sum = 0
    for await (const { value } of requests) sum += value
    return { sum }
  },
  async * Chat (requests) { yield * requests },
  Fail ({ code, text }) {
    throw new BridgeStatus(statusNames[code]!, text, { metadata: { why: 'asked' } })
  },
  async Hang (_, call) {
    const { status } = await aborted(call)
    events.push(status)
    throw new BridgeStatus('CANCELLED', status)
  },
  async * Flood ({ n, bytes }) {
    try {
      for (let index = 0; index < n; index++) yield new Uint8Array(bytes)
    } finally {
      events.push('flood left')
    }
  }
})

const statusNames: Record<number, Exclude<StatusName, 'OK'>> = { 5: 'NOT_FOUND' }

async function callTypeScript (t: Test, peer: Peer, events: string[]): Promise<void> {
  const call = async (command: { kind: string; method: string; messages: unknown[]; [more: string]: unknown }): Promise<Record<string, unknown>> => {
    peer.write(command)
    return await peer.read()
  }
  const ok = { code: 0, text: '' }
  await t.test('a unary call, with arrays, metadata and trailers', async t => {
    const message = { text: 'é漢', array: { $array: { dtype: '<i4', shape: [3], values: [1, -2, 151_643] } }, table: { $array: { dtype: '<f4', shape: [2, 1], values: [0.5, -1] } }, large: 2 ** 40, nothing: null }
    t.match(await call({ kind: 'unary', method: 'Say', messages: [message], metadata: { key: 'x' } }), { ...ok, messages: [message], trailers: { key: 'x' } })
  })
  await t.test('a message by reference, there and back', async t => {
    t.match(await call({ kind: 'unary', method: 'Say', messages: [{ $zeros: 3_000_000 }] }), { ...ok, messages: [{ $sha256: sha256(new Uint8Array(3_000_000)), length: 3_000_000 }] })
  })
  await t.test('streams of every kind', async t => {
    t.match(await call({ kind: 'server_stream', method: 'Count', messages: [{ n: 1_000 }] }), { ...ok, messages: Array.from({ length: 1_000 }, (_, index) => index), metadata: { method: 'count' }, trailers: { counted: '1000' } })
    t.match(await call({ kind: 'server_stream', method: 'Count', messages: [{ n: 0 }] }), { ...ok, messages: [] })
    t.match(await call({ kind: 'client_stream', method: 'Sum', messages: Array.from({ length: 500 }, (_, value) => ({ value })) }), { ...ok, messages: [{ sum: 124_750 }] })
    t.match(await call({ kind: 'client_stream', method: 'Sum', messages: [] }), { ...ok, messages: [{ sum: 0 }] })
    const lengths = [1, 3_000_000, 2, 900_000, 0]
    const chat = await call({ kind: 'bidirectional', method: 'Chat', messages: lengths.map($zeros => ({ $zeros })) })
    t.match(chat, ok)
    t.same((chat['messages'] as { $bytes?: string; length?: number }[]).map(({ $bytes, length }) => length ?? $bytes!.length / 2), lengths)
  })
  await t.test('a slow reader of a stream much longer than the window', async t => {
    const { messages, ...ended } = await call({ kind: 'server_stream', method: 'Flood', messages: [{ n: 100, bytes: 100_000 }], slow: 0.002 })
    t.match(ended, ok)
    t.equal((messages as unknown[]).length, 100)
    t.same(events.splice(0), ['flood left'])
  })
  await t.test('a status of the handler, another kind of call, and nobody', async t => {
    t.match(await call({ kind: 'unary', method: 'Fail', messages: [{ code: 5, text: 'There is no run' }] }), { code: 5, text: 'There is no run', trailers: { why: 'asked' } })
    t.match(await call({ kind: 'unary', method: 'Count', messages: [{ n: 1 }] }), { code: 12 })
    t.match(await call({ kind: 'unary', method: 'Nothing', messages: [null] }), { code: 14 })
  })
  await t.test('a deadline and a cancelled task abort the handler', async t => {
    t.match(await call({ kind: 'unary', method: 'Hang', messages: [null], timeout: 0.3 }), { code: 4 })
    t.match(await call({ kind: 'unary', method: 'Hang', messages: [null], cancel_after: 0.3 }), { code: 1 })
    t.match(await call({ kind: 'server_stream', method: 'Flood', messages: [{ n: 10_000, bytes: 100_000 }], slow: 0.01, cancel_after: 0.3 }), { code: 1 })
    t.match(await call({ kind: 'unary', method: 'Say', messages: [null] }), ok)
    t.match(events, [/^(CANCELLED|DEADLINE_EXCEEDED)$/, 'CANCELLED', 'flood left'], 'the client is as quick as the deadline of the server')
  })
}

t.test('the tests of the trainer pass', { skip }, async t => {
  const child = spawnTrainer(['-m', 'pytest', '-q', '-p', 'no:cacheprovider'])
  let said = ''
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (bytes: Buffer) => { said += bytes.toString() })
  const code = await new Promise(resolve => { child.once('close', resolve) })
  t.equal(code, 0, said.trim().split('\n').at(-1)!)
  if (code !== 0) t.comment(said)
})
