// Goal: what the network does to a call ends it with a status, and the next call is as if nothing had been. Method: a wire that
// is cut under the client or the server; a server of NATS that is killed; a frame that somebody else writes; a role that may not.

import { connect } from 'nats'
import t, { type Test } from 'tap'
import { encodeFrame, kinds } from '../../src/bridge/frame.ts'
import { natsBroker } from '../helpers/nats-bus.ts'
import { natsServers, skipWithoutNats, startNats } from '../helpers/nats-server.ts'
import { startProxy } from '../helpers/tcp-proxy.ts'
import { aborted, endless, openBridge, statusOf, until } from './fixture.ts'

const skip = skipWithoutNats()
if (skip !== false) t.pass('skipped', { skip })
else for (const kind of natsServers()) t.test(`nats-server ${kind.name}`, async t => {
  const start = (t: Test, config = '') => startNats(t, { kind, syncInterval: '1s', config })

  t.test('a wire that is cut under the client', async t => {
    const { url, port } = await start(t)
    const proxy = await startProxy(t, port)
    const broker = natsBroker(t, url)
    const [serving, calling] = [await broker.connect(), await broker.connect({ servers: [proxy.url] })]
    const reasons: string[] = []
    const { client, server } = await openBridge(t, { serving, calling }, { async * chat (requests, call) {
      void aborted(call).then(({ status }) => { reasons.push(status) })
      for await (const request of requests) yield request
    } }, { server: { keepAliveMs: 300 } })
    const answers = client.chat(endless('a'))
    await answers.next()
    const unary = statusOf(client.sum(endless()))
    await until(() => server.running === 2)
    proxy.cut()
    t.match(await statusOf(answers), { status: 'UNAVAILABLE', retryable: true, data: { isUnbegun: false } })
    t.equal((await unary).status, 'UNAVAILABLE')
    t.match(await statusOf(client.say(1)), { status: 'UNAVAILABLE', data: { isUnbegun: true } }, 'nothing is kept for later')
    await until(() => server.running === 0)
    t.same(reasons, ['UNAVAILABLE'], 'and the handler is told')
    proxy.restore()
    await until(() => calling.isConnected)
    t.equal(await client.say(1), 1)
  })

  t.test('a wire that is cut under the server', async t => {
    const { url, port } = await start(t)
    const proxy = await startProxy(t, port)
    const broker = natsBroker(t, url)
    const [calling, serving] = [await broker.connect(), await broker.connect({ servers: [proxy.url] })]
    const { client, server } = await openBridge(t, { serving, calling }, { async say (_, call) { return (await aborted(call)).status } }, { client: { keepAliveMs: 500 } })
    const answers = client.chat(endless('a'))
    await answers.next()
    const unary = statusOf(client.say(1))
    await until(() => server.running === 2)
    proxy.cut()
    t.equal((await statusOf(answers)).status, 'UNAVAILABLE')
    t.equal((await unary).status, 'UNAVAILABLE')
    await until(() => server.running === 0)
    t.match(await statusOf(client.sum([])), { status: 'UNAVAILABLE', data: { isUnbegun: true } })
    proxy.restore()
    await until(() => serving.isConnected)
    let sum: unknown = null
    await until(async () => { sum = await client.sum([1, 2]).catch(() => null); return sum !== null })
    t.equal(sum, 3, 'it serves again')
  })

  t.test('a wire that lets nothing through', async t => {
    const { url, port } = await start(t)
    const proxy = await startProxy(t, port)
    const broker = natsBroker(t, url)
    const [serving, calling] = [await broker.connect(), await broker.connect({ servers: [proxy.url] })]
    const { client, server } = await openBridge(t, { serving, calling }, {}, { client: { keepAliveMs: 300 }, server: { keepAliveMs: 300 } })
    const answers = client.chat(endless('a'))
    await answers.next()
    proxy.stall()
    t.equal((await statusOf(answers)).status, 'UNAVAILABLE')
    await until(() => server.running === 0)
    t.equal(server.running, 0)
  })

  t.test('a server of NATS that is killed and comes back', async t => {
    const nats = await start(t)
    const broker = natsBroker(t, nats.url)
    const [serving, calling] = [await broker.connect(), await broker.connect()]
    const { client, server } = await openBridge(t, { serving, calling })
    const answers = client.chat(endless('a'))
    await answers.next()
    await nats.kill()
    t.equal((await statusOf(answers)).status, 'UNAVAILABLE')
    await until(() => server.running === 0)
    await nats.start()
    await until(() => serving.isConnected && calling.isConnected)
    let answer: unknown = null
    await until(async () => { answer = await client.say('again').catch(() => null); return answer !== null })
    t.equal(answer, 'again')
  })

  t.test('a frame that was lost', async t => {
    const { url } = await start(t)
    const broker = natsBroker(t, url)
    const [serving, calling] = [await broker.connect(), await broker.connect()]
    const reasons: string[] = []
    const { client, server } = await openBridge(t, { serving, calling }, { async * chat (requests, call) {
      void aborted(call).then(({ status }) => { reasons.push(status) })
      for await (const request of requests) yield request
    } })
    const bare = await connect({ servers: url })
    t.teardown(() => bare.close())
    const inboxes: string[] = []
    bare.subscribe('*.answers.>', { callback: (_, { subject, reply }) => { if (reply !== undefined && reply !== '') inboxes.push(subject) } })
    await bare.flush()
    const answers = client.chat(endless('a'))
    t.same(await answers.next(), { done: false, value: 'a' })
    await until(() => inboxes.length > 0)
    // As if the frames before it had not come.
    bare.publish(inboxes[0]!, encodeFrame({ kind: kinds.MESSAGE, sequence: 5, message: { value: 'b' } }))
    const status = await statusOf(answers)
    t.match(status, { status: 'DATA_LOSS', message: 'Frame 5 of a call came instead of frame 1' })
    await until(() => server.running === 0)
    t.same(reasons, ['CANCELLED'])
  })

  t.test('a role that may not call', async t => {
    const { url } = await start(t, 'authorization { users: [ { user: all, password: all }, { user: few, password: few, permissions: { publish: { deny: ["*.bridge.>"] } } } ] }')
    const broker = natsBroker(t, url)
    const serving = await broker.connect({ user: 'all', password: 'all' })
    const calling = await broker.connect({ user: 'few', password: 'few' })
    const { client } = await openBridge(t, { serving, calling })
    t.match(await statusOf(client.say(1)), { status: 'PERMISSION_DENIED', data: { isUnbegun: true } })
  })
})
