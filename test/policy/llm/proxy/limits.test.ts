// Every limit of the proxy is reached, an attempt ends once, and the proxy ends in two phases: what is under way may finish,
// then it is aborted, and every attempt has its record.

import { once } from 'node:events'
import { createConnection, type Socket } from 'node:net'
import t, { type Test } from 'tap'
import { systemClock } from '../../../../src/clock.ts'
import { SparError } from '../../../../src/errors.ts'
import type { ProxyLimits } from '../../../../src/policy/llm/proxy/limits.ts'
import { openProxy, post, type Fields, type OpenProxy } from '../../../helpers/proxy-fixture.ts'
import { openFake } from '../../../helpers/servers-fixture.ts'

const chat = (change: Fields = {}): Fields => ({ messages: [{ role: 'user', content: 'hello' }], ...change })
const ask = async ({ base }: OpenProxy, rollout = 'r1', attempt = 1, body = chat()): ReturnType<typeof post> => await post(`${base(rollout, attempt)}/v1/chat/completions`, body)

const opened = async (test: Test, limits: Partial<ProxyLimits>): Promise<OpenProxy & { fake: Awaited<ReturnType<typeof openFake>> }> => {
  const fake = await openFake(test, {})
  return { ...await openProxy(test, fake, { limits }), fake }
}

/** A call that the server has and will not answer. */
async function askHanging (proxy: Awaited<ReturnType<typeof opened>>): Promise<{ answer: ReturnType<typeof ask> }> {
  proxy.fake.fail({ kind: 'hang' })
  const asked = once(proxy.fake.events, 'turn')
  const answer = ask(proxy)
  await asked
  return { answer }
}

const connect = async (origin: string, text: string): Promise<Socket> => {
  const socket = createConnection(Number(new URL(origin).port), '127.0.0.1')
  socket.on('error', () => {})
  await once(socket, 'connect')
  socket.write(text)
  return socket
}

t.test('a request that is too large', async t => {
  const proxy = await opened(t, { requestBytesMax: 1000 })
  const large = 'x'.repeat(2000)
  t.match(await post(`${proxy.base()}/v1/messages`, { large }), { status: 413, body: { type: 'error', error: { type: 'request_too_large', message: /1000 bytes \(requestBytesMax\)/ } } })
  const chunked = await connect(proxy.origin, `POST ${new URL(proxy.base()).pathname}/v1/responses HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ntransfer-encoding: chunked\r\n\r\n${(2000).toString(16)}\r\n${large}\r\n`)
  const [answer] = await once(chunked, 'data') as [Buffer]
  t.match(String(answer), /^HTTP\/1\.1 413 [^]*connection: close/i)
  chunked.destroy()
  t.equal(proxy.fake.seen.filter(({ path }) => path !== '/v1/models').length, 0)
})

t.test('too many messages, and too many tools', async t => {
  const proxy = await opened(t, { messagesMax: 2, toolsMax: 1 })
  const user = { role: 'user', content: 'a' }
  const tool = { type: 'function', function: { name: 'f' } }
  t.match(await ask(proxy, 'r1', 1, chat({ messages: [user, user, user] })), { status: 400, body: { error: { message: /"messages" has more than 2 items/ } } })
  t.match(await ask(proxy, 'r1', 1, chat({ tools: [tool, tool] })), { status: 400, body: { error: { message: /"tools" has more than 1 items/ } } })
  t.equal((await ask(proxy, 'r1', 1, chat({ tools: [tool] }))).status, 200)
})

t.test('calls of an attempt, in all and at a time', async t => {
  const proxy = await opened(t, { callsMax: 3, inFlightMax: 1 })
  proxy.fake.fail({ kind: 'hang' })
  const asked = once(proxy.fake.events, 'turn')
  const leave = new AbortController()
  const hanging = post(`${proxy.base()}/v1/chat/completions`, chat(), {}, leave.signal).catch(() => {})
  await asked
  t.match(await ask(proxy), { status: 429, body: { error: { type: 'rate_limit_error', message: /inFlightMax/ } } })
  t.equal((await ask(proxy, 'r1', 2)).status, 200, 'another attempt has its own')
  const gone = once(proxy.fake.events, 'gone')
  leave.abort()
  await Promise.all([gone, hanging])
  t.equal((await ask(proxy)).status, 200)
  t.equal((await ask(proxy)).status, 200)
  const spent = await ask(proxy)
  t.match(spent, { status: 400, body: { error: { message: /callsMax/ } } })
  t.equal(spent.headers.get('x-should-retry'), 'false')
})

t.test('conversations that can be gone on from', async t => {
  const proxy = await opened(t, { conversationsMax: 1 })
  const next = (content: string): Fields => chat({ messages: [{ role: 'user', content }, { role: 'assistant', content: 'yes' }, { role: 'user', content: 'more' }] })
  for (const content of ['a', 'b']) await ask(proxy, 'r1', 1, chat({ messages: [{ role: 'user', content }] }))
  await ask(proxy, 'r1', 1, next('b'))
  await ask(proxy, 'r1', 1, next('a'))
  t.strictSame((await proxy.finish()).segments.map(segment => segment.call_ids), [['r1.0'], ['r1.1', 'r1.2'], ['r1.3']])
})

t.test('attempts that are open; one that was left gives way', async t => {
  let now = 1_000_000
  const fake = await openFake(t, {})
  const proxy = await openProxy(t, fake, { limits: { attemptsMax: 2, idleMsMax: 1000 }, clock: { ...systemClock, now: () => now } })
  t.equal((await ask(proxy, 'a')).status, 200)
  now += 500
  t.equal((await ask(proxy, 'b')).status, 200)
  t.match(await ask(proxy, 'c'), { status: 429, body: { error: { message: /attemptsMax/ } } })
  now += 500
  t.equal((await ask(proxy, 'c')).status, 200)
  t.match(proxy.records.get('a.1'), { outcome: 'cancelled', reward: null, calls: [{}], untrainable: null })
  t.match(await ask(proxy, 'a'), { status: 409 }, 'and is not opened again')
})

t.test('an attempt ends once, and as it is said', async t => {
  const proxy = await opened(t, {})
  const end = async (attempt: number, body: Fields): ReturnType<typeof post> => await post(`${proxy.base('e0002.break', attempt)}/finish`, body)
  await ask(proxy, 'e0002.break')
  for (const body of [{ outcome: 'won' }, { reward: 'much' }, { outcome: 'infra_fault', reward: 1 }, { score: 1 }]) t.match(await end(1, body), { status: 400 }, JSON.stringify(body))
  t.match(await end(1, { outcome: 'policy_fault', reward: -1 }), { status: 200, body: { outcome: 'policy_fault', reward: -1, calls: 1, failed: 0, conversations: 1, segments: 1, breaks: {}, untrainable: null, record: 'memory' } })
  t.match(proxy.records.get('e0002.break.1'), { run_id: 'test', episode_id: 'e0002', role: 'breaker', outcome: 'policy_fault', reward: -1, lineage: { arena: null }, sandboxes: [], tool_calls: [] })
  t.match(await end(1, {}), { status: 409, body: { error: { message: /attempt 2/ } } })
  t.match(await ask(proxy, 'e0002.break'), { status: 409 })
  t.match(await end(2, {}), { body: { outcome: 'infra_fault', calls: 0, untrainable: 'no call was answered' } }, 'an agent that asked nothing has a record too')
  await ask(proxy, 'e0002.solve.2.5')
  t.match(await proxy.finish('e0002.solve.2.5'), { role: 'solver', group_id: 'e0002.2', member_index: 5, lineage: { order: 2 }, outcome: 'scored', reward: null })
})

t.test('an ending takes the calls under way with it', async t => {
  const proxy = await opened(t, {})
  const { answer: hanging } = await askHanging(proxy)
  t.match(await proxy.finish(), { calls: [{ error: { code: 'ABORTED' } }] })
  t.match(await hanging, { status: 503 })
})

t.test('a record that cannot be written is tried again; the attempt takes no more calls', async t => {
  const fake = await openFake(t, {})
  let isFull = true
  const proxy = await openProxy(t, fake, { records: { has: () => false, write: async () => { if (isFull) throw new SparError('STORE_WRITE_FAILED', 'Cannot write /x: ENOSPC', { retryable: true }); return 'there' } } })
  await ask(proxy)
  t.match(await post(`${proxy.base()}/finish`, {}), { status: 507, body: { error: { message: /log/ } } })
  t.match(await ask(proxy), { status: 409 })
  isFull = false
  t.match(await post(`${proxy.base()}/finish`, {}), { status: 200, body: { calls: 1, record: 'there' } })
})

t.test('how many endings are remembered beside the records', async t => {
  const fake = await openFake(t, {})
  const proxy = await openProxy(t, fake, { limits: { finishedMax: 1 }, records: { has: () => false, write: async () => 'gone' } })
  for (const rollout of ['a', 'b']) await post(`${proxy.base(rollout)}/finish`, {})
  t.equal((await ask(proxy, 'b')).status, 409)
  t.equal((await ask(proxy, 'a')).status, 200)
})

t.test('connections: how many, how long one may say nothing, and how long a request may take', async t => {
  const many = await opened(t, { connectionsMax: 1 })
  const [one, two] = [await connect(many.origin, ''), await connect(many.origin, 'GET /health HTTP/1.1\r\nhost: x\r\n\r\n')]
  await once(two, 'close')
  t.notOk(one.destroyed)
  one.destroy()
  const short = await opened(t, { keepAliveMsMax: 20, requestMsMax: 100 })
  const quiet = await connect(short.origin, 'GET /health HTTP/1.1\r\nhost: x\r\n\r\n')
  quiet.resume()
  await once(quiet, 'close')
  const slow = await connect(short.origin, `POST ${new URL(short.base()).pathname}/finish HTTP/1.1\r\nhost: x\r\ncontent-length: 5\r\n\r\n{`)
  const [answer] = await once(slow, 'data') as [Buffer]
  t.match(String(answer), /^HTTP\/1\.1 408/)
  slow.destroy()
})

t.test('the proxy ends: what is under way may finish, nothing new begins, every attempt has its record', async t => {
  const fake = await openFake(t, { tokensPerSecond: 20 })
  const proxy = await openProxy(t, fake)
  const asked = once(fake.events, 'turn')
  const slow = ask(proxy, 'slow')
  await asked
  const drained = proxy.proxy.drain(10_000)
  t.match(await ask(proxy, 'late'), { status: 503, body: { error: { message: /about to end/ } } })
  t.match(await slow, { status: 200 })
  await drained
  t.match(proxy.records.get('slow.1'), { outcome: 'cancelled', calls: [{ error: null }], segments: [{}] })
  t.notOk(proxy.records.has('late.1'))
  await proxy.proxy.close()
})

t.test('and what takes too long is aborted, as is a client that never ends its request', async t => {
  const proxy = await opened(t, { lingerMsMax: 20 })
  const { answer: hanging } = await askHanging(proxy)
  const stuck = await connect(proxy.origin, `POST ${new URL(proxy.base('other')).pathname}/finish HTTP/1.1\r\nhost: x\r\ncontent-length: 5\r\n\r\n{`)
  const closed = once(stuck, 'close')
  await proxy.proxy.drain(20)
  t.match(await hanging, { status: 503 })
  await closed
  t.match(proxy.records.get('r1.1'), { outcome: 'cancelled', calls: [{ error: { code: 'ABORTED' } }] })
})

t.test('a second word ends it at once', async t => {
  const proxy = await opened(t, {})
  const { answer: hanging } = await askHanging(proxy)
  const drained = proxy.proxy.drain(600_000)
  await proxy.proxy.close()
  await drained
  t.match(await hanging, { status: 503 })
})
