// Several endpoints behind one server: who is asked, who waits, and what happens when one of them fails.

import { once } from 'node:events'
import { createServer as createTcpServer, type AddressInfo } from 'node:net'
import t, { type Test } from 'tap'
import { systemClock } from '../../../../src/clock.ts'
import type { Answer } from '../../../../src/policy/llm/types.ts'
import type { FakeServer, FakeServerOptions } from '../../../helpers/fake-server.ts'
import { status } from '../../../helpers/fake-server/faults.ts'
import { askOf, codeOf, never, openClient, openFake, ways, type ListAsk } from '../../../helpers/servers-fixture.ts'

const openFakes = async (t: Test, count: number, options: FakeServerOptions = {}): Promise<FakeServer[]> => await Promise.all(Array.from({ length: count }, () => openFake(t, options)))
const urlsOf = (fakes: readonly FakeServer[]): string[] => fakes.map(fake => fake.url)
const of = (conversation: string, change: Partial<ListAsk> = {}): ListAsk => askOf({ conversation, ...change })

async function until (fake: FakeServer, turns: number): Promise<void> {
  while (fake.turns.length < turns) await once(fake.events, 'turn')
}

/** Lets turns go one by one, or all of them. */
function createGate () {
  const held: (() => void)[] = []
  let isOpen = false
  return {
    hold: async () => { if (!isOpen) await new Promise<void>(resolve => held.push(resolve)) },
    release: () => held.shift()?.(),
    open () { isOpen = true; for (const release of held.splice(0)) release() }
  }
}

const said = (fake: FakeServer): string[] => fake.turns.map(({ body }) => (body['messages'] as { content: string }[]).at(-1)!.content)
const saying = (content: string): ListAsk => askOf({ conversation: content, messages: [{ role: 'user', content }] })

t.test('conversations are spread by their tokens, and stay where they are', async t => {
  const gate = createGate()
  const fakes = await openFakes(t, 3, { hold: gate.hold })
  const server = openClient(t, urlsOf(fakes))
  const big = server.ask(of('big', { sampling: { ...askOf().sampling, maxTokens: 5000 } }), never)
  const small = Array.from({ length: 8 }, (_, index) => server.ask(of(`small ${index}`), never))
  await Promise.all([until(fakes[0]!, 1), until(fakes[1]!, 4), until(fakes[2]!, 4)])
  t.same(fakes.map(fake => fake.turns.length), [1, 4, 4], 'one long one weighs as much as many short ones')
  gate.open()
  const first = await Promise.all([big, ...small])
  const second: Answer[] = []
  for (const name of ['big', ...small.map((_, index) => `small ${index}`)]) second.push(await server.ask(of(name), never))
  t.same(second.map(answer => answer.endpoint), first.map(answer => answer.endpoint))
})

t.test('a conversation leaves an endpoint that is down, and the others go on without it', async t => {
  const fakes = await openFakes(t, 2)
  const server = openClient(t, urlsOf(fakes), { limits: { fuseFailures: 2, fuseMsMin: 60_000, fuseMsMax: 60_000 } })
  const { endpoint } = await server.ask(of('a'), never)
  const home = fakes.find(fake => fake.url === endpoint)!
  const other = fakes.find(fake => fake.url !== endpoint)!
  await home.down()
  t.match(await server.ask(of('a'), never), { endpoint: other.url, retries: 1 }, 'the next try is elsewhere, though one failure opens no fuse')
  t.match(await server.ask(of('a'), never), { endpoint: other.url, retries: 0 }, 'and it does not go back')
  const retries: number[] = []
  for (let index = 0; index < 6; index++) retries.push((await server.ask(of(`b${index}`), never)).retries)
  t.equal(retries.filter(count => count > 0).length, 1, 'one more failure opens the fuse, and an open fuse lets nothing through')
  await home.up()
  for (let index = 0; index < 6; index++) t.match(await server.ask(of(`c${index}`), never), { endpoint: other.url, retries: 0 })
})

t.test('pauses double from the first to the longest, a draw each, and a longer one that the server asks for has its own bound', async t => {
  const fake = await openFake(t)
  const pauses: number[] = []
  const clock = { ...systemClock, sleep: async (ms: number, signal?: AbortSignal) => { if (ms < 1000) pauses.push(ms); await systemClock.sleep(ms, signal) } }
  const ask = async (fault: ReturnType<typeof status>): Promise<number[]> => {
    fake.failAll(fault)
    pauses.length = 0
    await codeOf(openClient(t, [fake.url], { ports: { clock }, limits: { triesMax: 5, fuseFailures: 9, backoffMsMin: 4, backoffMsMax: 10, retryAfterMsMax: 30 } }).ask(of('a'), never))
    return [...pauses]
  }
  const drawn = await ask(status(503))
  t.ok(drawn.length === 4 && [4, 8, 10, 10].every((most, index) => drawn[index]! >= most / 2 && drawn[index]! <= most), String(drawn))
  t.not(drawn[2], drawn[3])
  t.same(await ask(status(503)), drawn, 'a seed replays them')
  t.same(await ask(status(429, '', { 'retry-after': '3600' })), [30, 30, 30, 30])
})

t.test('a pause that would outlast the turn is not begun: what the server said is told', async t => {
  const fake = await openFake(t)
  fake.failAll(status(429, '', { 'retry-after': '60' }))
  const server = openClient(t, [fake.url], { limits: { turnMsMax: 5000, retryAfterMsMax: 60_000 } })
  t.match(await codeOf(server.ask(of('a'), never)), { code: 'SERVER_BUSY', data: { tries: 1, retryAfterMs: 60_000 } })
})

t.test('an endpoint that takes no connection is down after connectMsMax', async t => {
  // A connection to an https server stands when TLS does; this one never says a word.
  const silent = createTcpServer(() => {})
  silent.listen(0, '127.0.0.1')
  await once(silent, 'listening')
  t.teardown(() => silent.close())
  const server = openClient(t, [`https://127.0.0.1:${(silent.address() as AddressInfo).port}`], { limits: { connectMsMax: 50, triesMax: 1 } })
  t.match(await codeOf(server.ask(of('a'), never)), { code: 'SERVER_DOWN', retryable: true })
  await server.close()
})

t.test('a server without /health is looked at through its models', async t => {
  const fake = await openFake(t, { health: () => 404 })
  const server = openClient(t, [fake.url], { limits: { fuseFailures: 1, triesMax: 3, fuseMsMin: 1, fuseMsMax: 1, backoffMsMin: 5, backoffMsMax: 5 } })
  fake.fail(status(500))
  t.match(await server.ask(of('a'), never), { retries: 1 })
  t.same(fake.seen.map(({ path }) => path).filter(path => path !== '/metrics'), ['/v1/chat/completions', '/health', '/v1/models', '/v1/chat/completions'])
})

t.test('a fuse opens, lets one look, and closes', async t => {
  let isWell = false
  const fake = await openFake(t, { health: () => isWell ? 200 : 503 })
  const server = openClient(t, [fake.url], { limits: { fuseFailures: 2, triesMax: 2, fuseMsMin: 20, fuseMsMax: 20, backoffMsMin: 0, backoffMsMax: 0 } })
  fake.failAll(status(500))
  t.match(await codeOf(server.ask(of('a'), never)), { code: 'SERVER_ERROR' })
  t.match(await codeOf(server.ask(of('a'), never)), { code: 'SERVER_DOWN', message: /no endpoint is well/ })
  t.equal(fake.turns.length, 2, 'nothing is sent through an open fuse')
  await new Promise(resolve => setTimeout(resolve, 25))
  t.match(await codeOf(server.ask(of('a'), never)), { code: 'SERVER_DOWN' })
  t.equal(fake.turns.length, 2, 'no turn is sent to an endpoint that says it is not well')
  t.ok(fake.seen.some(({ path }) => path === '/health'))
  isWell = true
  fake.failAll(null)
  await new Promise(resolve => setTimeout(resolve, 25))
  const answers = await Promise.all(['a', 'b', 'c'].map(async name => await server.ask(of(name), never)))
  t.same(answers.map(answer => answer.retries), [0, 0, 0], 'those that come during the look wait for it')
  t.equal(fake.seen.filter(({ path }) => path === '/health').length, 2)
})

t.test('turns wait in the order they came, each for a bounded queue, and a stalled one holds no other', async t => {
  const stall = createGate()
  const gate = createGate()
  const fake = await openFake(t, { hold: async ([message]) => { await (message!.content === 'stalled' ? stall : gate).hold() } })
  const server = openClient(t, [fake.url], { limits: { concurrencyStart: 2, concurrencyMax: 2, waitingMax: 3 } })
  const asked = ['stalled', '2', '3', '4', '5'].map(async name => await server.ask(saying(name), never))
  await until(fake, 2)
  t.match(await codeOf(server.ask(saying('6'), never)), { code: 'SERVER_BUSY', retryable: true, data: { tries: 1 } }, 'a full queue is full: nobody waits beside it')
  for (const turns of [3, 4, 5]) {
    gate.release()
    await until(fake, turns)
  }
  t.same(said(fake).slice(2), ['3', '4', '5'])
  t.equal(fake.state.activeMax, 2)
  stall.open()
  gate.open()
  await Promise.all(asked)
})

t.test('a turn that is cancelled in the queue leaves it, and the deadline holds there too', async t => {
  const gate = createGate()
  const fake = await openFake(t, { hold: gate.hold })
  const server = openClient(t, [fake.url], { limits: { concurrencyStart: 1, concurrencyMax: 1, turnMsMax: 400, triesMax: 1 } })
  const first = codeOf(server.ask(saying('1'), never))
  await until(fake, 1)
  const cancel = new AbortController()
  const second = codeOf(server.ask(saying('2'), cancel.signal))
  const third = codeOf(server.ask(saying('3'), never))
  cancel.abort()
  t.match(await second, { code: 'ABORTED' })
  t.match([await first, await third].map(error => error.code), ['SERVER_TIMEOUT', 'SERVER_TIMEOUT'])
  t.notOk(said(fake).includes('2'))
  gate.open()
})

t.test('a conversation leaves a full endpoint for one that is less than half full', async t => {
  const gate = createGate()
  const fakes = await openFakes(t, 2, { hold: gate.hold })
  const server = openClient(t, urlsOf(fakes), { limits: { concurrencyStart: 2, concurrencyMax: 2 } })
  // Turns of one conversation, as many as there are places: those that its first home cannot take find a new one.
  const asked = Array.from({ length: 4 }, async () => await server.ask(of('a'), never))
  await Promise.all(fakes.map(async fake => await until(fake, 2)))
  t.same(fakes.map(fake => fake.turns.length), [2, 2])
  gate.open()
  await Promise.all(asked)
})

t.test('refusals shrink what an endpoint gets at a time', async t => {
  const gate = createGate()
  const fake = await openFake(t, { hold: gate.hold })
  const server = openClient(t, [fake.url], { limits: { concurrencyStart: 4, concurrencyMax: 4, shrinkMsMin: 0 } })
  fake.fail(status(429, '', { 'retry-after': '0' }), status(429, '', { 'retry-after': 'Thu, 01 Jan 1970 00:00:00 GMT' }))
  gate.open()
  t.match(await server.ask(of('a'), never), { retries: 2 })
  fake.state.activeMax = 0
  await Promise.all(Array.from({ length: 3 }, async (_, index) => await server.ask(of(`c${index}`), never)))
  t.ok(fake.state.activeMax <= 2, 'half of half of four, and what it grew since')
})

t.test('an endpoint whose metrics tell of a queue gets as much as it runs', async t => {
  const fake = await openFake(t, { slots: 4, tokensPerSecond: 400 })
  const server = openClient(t, [fake.url], { limits: { concurrencyStart: 32, concurrencyMax: 32, metricsMsMin: 5 } })
  let present: number[] = []
  while (present.length < 20 && (present.at(-1) ?? Infinity) > 8) {
    fake.state.presentMax = 0
    await Promise.all(Array.from({ length: 32 }, async (_, index) => await server.ask(of(`c${index}`), never)))
    present = [...present, fake.state.presentMax]
  }
  t.ok(present[0]! > 8, 'at first as many as there are')
  t.ok(present.at(-1)! <= 8, `at most ${present.join(', ')} at a time`)
})

t.test('an endpoint without metrics is not asked for them again', async t => {
  const fake = await openFake(t, { kind: 'generic' })
  const server = openClient(t, [fake.url], { limits: { metricsMsMin: 0 } })
  for (let turn = 0; turn < 5; turn++) await server.ask(of('a'), never)
  t.equal(fake.seen.filter(({ path }) => path === '/metrics').length, 1)
})

t.test('only so many conversations are remembered', async t => {
  const fakes = await openFakes(t, 2)
  const server = openClient(t, urlsOf(fakes), { limits: { conversationsMax: 1 } })
  const first = await server.ask(of('a'), never)
  await server.ask(of('b'), never)
  const again = await server.ask(of('a'), never)
  t.equal(again.endpoint, first.endpoint, 'spread in turn: forgotten, so it is the next in line')
  const stays = await server.ask(of('a'), never)
  t.equal(stays.endpoint, again.endpoint, 'remembered, so it is not')
})

t.test('what is asked beside the turns has a deadline of its own', async t => {
  const silent = createTcpServer(() => {})
  silent.listen(0, '127.0.0.1')
  await once(silent, 'listening')
  t.teardown(() => silent.close())
  const server = openClient(t, [`http://127.0.0.1:${(silent.address() as AddressInfo).port}`], { limits: { sideMsMax: 50 } })
  t.match(await codeOf(server.check()), { code: 'SERVER_TIMEOUT' })
  await server.close()
})

t.test('auto asks the server what it is, once', async t => {
  for (const [kind, untrainable] of [['vllm', null], ['generic', /token ids/], ['sglang', /token ids/]] as const) {
    const fake = await openFake(t, { kind })
    const server = openClient(t, [`${fake.url}/v1/`], { flavour: 'auto' })
    await server.ask(of('a'), never)
    t.match(await server.ask(of('a'), never), { untrainable }, kind)
    t.equal(fake.seen.filter(({ path }) => path === '/v1/models').length, 1)
  }
})

t.test('tools are native where the protocol has them', async t => {
  const tools = [{ name: 'bash', description: 'Runs a command.', parameters: { type: 'object' } }]
  const fake = await openFake(t, { reply: () => ({ content: '', toolCalls: [{ name: 'bash', arguments: '{"command":' }] }) })
  const answer = await openClient(t, [fake.url]).ask(askOf({ tools }), never)
  t.match(answer, { text: '', finishReason: 'tool_calls', toolCalls: [{ id: 'call-0', name: 'bash', arguments: '{"command":' }] }, 'arguments are the text that the model wrote')
  t.match(fake.turns[0]!.body, { tools: [{ type: 'function', function: tools[0] }], tool_choice: 'auto' })
  const messages: ListAsk['messages'] = [...askOf().messages, { role: 'assistant', content: '', toolCalls: answer.toolCalls }, { role: 'tool', content: 'done', toolCallId: 'call-0' }]
  await openClient(t, [fake.url]).ask(askOf({ tools, messages }), never)
  t.match((fake.turns[1]!.body['messages'] as unknown[]).slice(-2), [
    { role: 'assistant', content: null, tool_calls: [{ id: 'call-0', type: 'function', function: { name: 'bash' } }] },
    { role: 'tool', tool_call_id: 'call-0', content: 'done' }
  ])
  for (const { options } of ways) t.equal(openClient(t, [fake.url], options).nativeTools, options.protocol === 'openai')
})

t.test('a refusal is the model\'s, and a filter the server\'s', async t => {
  const fake = await openFake(t, { reply: () => ({ content: '', refusal: 'I will not.' }) })
  for (const stream of [false, true]) t.match(await openClient(t, [fake.url], { stream }).ask(of('a'), never), { text: 'I will not.', finishReason: 'refused' })
  fake.fail({ kind: 'filtered' })
  t.match(await openClient(t, [fake.url]).ask(of('a'), never), { finishReason: 'refused' })
})

t.test('the version of the weights comes from the answer, else from what publishes them', async t => {
  let published = 'p1'
  const versions = { current: () => published }
  const vllm = await openFake(t, {})
  const server = openClient(t, [vllm.url], { ports: { versions }, logprobsMode: 'raw_logprobs' })
  t.match(await server.ask(of('a'), never), { policyVersion: 'p1', logprobsMode: 'raw_logprobs' })
  published = 'p2'
  t.match(await server.ask(of('a'), never), { policyVersion: 'p2' })
  t.match(await openClient(t, [vllm.url]).ask(of('a'), never), { policyVersion: null }, 'or it is not known')
  const sglang = await openFake(t, { kind: 'sglang', weightVersion: 'w7' })
  t.match(await openClient(t, [sglang.url], { protocol: 'sglang', ports: { versions: { current: () => 'p1' } } }).ask(of('a'), never), { policyVersion: 'w7', logprobsMode: null })
})

t.test('streams have limits of their own', async t => {
  const fake = await openFake(t, { reply: () => ({ content: 'x'.repeat(50), toolCalls: [1, 2, 3].map(() => ({ name: 'bash', arguments: '{}' })) }), cutStream: bytes => bytes.toString('latin1').match(/[^]{1,64}/g)!.map(piece => Buffer.from(piece, 'latin1')) })
  const ask = askOf({ sampling: { ...askOf().sampling, maxTokens: 1000 } })
  const table = [[{ toolCallsMax: 2 }, /more than 2 tool calls/], [{ eventBytesMax: 80 }, /an event .* larger than 80/], [{ answerBytesMax: 500 }, /larger than 500/], [{}, null]] as const
  for (const [limits, message] of table) {
    const asked = openClient(t, [fake.url], { stream: true, limits }).ask(ask, never)
    if (message === null) t.match((await asked).toolCalls.length, 3)
    else t.match(await codeOf(asked), { code: 'SERVER_PROTOCOL', message })
  }
  t.match(await codeOf(openClient(t, [fake.url], { limits: { toolCallsMax: 2 } }).ask(ask, never)), { code: 'SERVER_PROTOCOL', message: /more than 2 tool calls/ })
})

t.test('an error answer is read up to its own limit', async t => {
  const fake = await openFake(t)
  fake.failAll(status(400, 'x'.repeat(5000)))
  t.match(await codeOf(openClient(t, [fake.url], { limits: { errorBytesMax: 1000 } }).ask(of('a'), never)), { code: 'SERVER_PROTOCOL', message: /larger than 1000 bytes/ })
  const { message } = await codeOf(openClient(t, [fake.url]).ask(of('a'), never))
  t.ok(message.length < 500, 'and quoted in part')
})

t.test('a server that is closed cancels what waits and what is under way, and leaves no connection', async t => {
  const gate = createGate()
  const fake = await openFake(t, { hold: gate.hold })
  const server = openClient(t, [fake.url], { limits: { concurrencyStart: 1, concurrencyMax: 1, triesMax: 1 } })
  const asked = ['1', '2'].map(async name => await codeOf(server.ask(saying(name), never)))
  await until(fake, 1)
  await server.close()
  await server.close()
  t.same((await Promise.all(asked)).map(error => error.retryable), [true, true])
  while (fake.state.connections > 0) await once(fake.events, 'disconnected')
  gate.open()
})
