// What an agent is told when it gets no answer, in its own dialect: a table of faults of the inference server and of requests,
// streams that have begun already, clients that go away; and that no key gets anywhere.

import { once } from 'node:events'
import t from 'tap'
import { encodeRecord } from '../../../../src/rollout/record.ts'
import { status, vllmTooLong, type Fault } from '../../../helpers/fake-server/faults.ts'
import { eventsOf, openProxy, post, type Fields } from '../../../helpers/proxy-fixture.ts'
import { openFake } from '../../../helpers/servers-fixture.ts'

const paths = { chat: '/v1/chat/completions', responses: '/v1/responses', messages: '/v1/messages' } as const
type Name = keyof typeof paths
const names = Object.keys(paths) as Name[]

const request = (name: Name, change: Fields = {}): Fields =>
  name === 'responses' ? { input: 'hello', ...change } : { messages: [{ role: 'user', content: 'hello' }], ...name === 'messages' ? { max_tokens: 50 } : {}, ...change }

/** [type, code] as the dialect says it. */
const kindOf = (name: Name, body: Fields): [string, string | null] => name === 'messages' ? [body['error'].type, null] : [body['error'].type, body['error'].code]

t.test('faults of the inference server', async t => {
  const table: [string, Fault, number, [type: string, code: string | null], anthropic: string, retry: boolean, message: RegExp][] = [
    ['401', status(401, { error: { message: 'Incorrect API key provided: sk-upstream' } }), 500, ['server_error', 'server_error'], 'api_error', false, /refuses the proxy/],
    ['403', status(403), 500, ['server_error', 'server_error'], 'api_error', false, /refuses the proxy/],
    ['404', status(404, { message: 'The model `fake` does not exist.' }), 500, ['server_error', 'server_error'], 'api_error', false, /refuses the proxy/],
    ['400', status(400, { error: { message: 'roles must alternate (sk-upstream)' } }), 400, ['invalid_request_error', null], 'invalid_request_error', false, /: roles must alternate \(\*\*\*\)$/],
    ['413', status(413, 'no'), 413, ['invalid_request_error', null], 'request_too_large', false, /size/],
    ['a conversation that is too long', vllmTooLong(100, 120, 50), 400, ['invalid_request_error', 'context_length_exceeded'], 'invalid_request_error', false, /^(This model's maximum context length is 100 tokens\. However, your messages resulted in 120 tokens|prompt is too long: 120 tokens > 100 maximum)/],
    ['the same in other words', status(400, { error: { message: 'the request exceeds the available context size' } }), 400, ['invalid_request_error', 'context_length_exceeded'], 'invalid_request_error', false, /^(Your input exceeds the context window|prompt is too long)/],
    ['429', status(429, 'slow down', { 'retry-after': '3' }), 429, ['rate_limit_error', 'rate_limit_exceeded'], 'rate_limit_error', true, /busy/],
    ['500', status(500), 502, ['server_error', 'server_error'], 'api_error', true, /failed/],
    ['503', status(503), 502, ['server_error', 'server_error'], 'api_error', true, /failed/],
    ['a connection that breaks', { kind: 'reset' }, 502, ['server_error', 'server_error'], 'api_error', true, /failed/],
    ['an answer that is none', { kind: 'truncated' }, 502, ['server_error', 'server_error'], 'api_error', true, /answer that is none/],
    ['an abort', { kind: 'abort' }, 503, ['server_error', 'server_is_overloaded'], 'overloaded_error', true, /before its end/]
  ]
  const fake = await openFake(t, {})
  const { base, finish, lines } = await openProxy(t, fake, { client: { limits: { triesMax: 1, fuseFailures: 1000 }, ports: { env: { SPAR_API_KEY: 'sk-upstream' } } } })
  for (const [what, fault, code, openai, anthropic, retries, message] of table) {
    for (const name of names) {
      for (const stream of [false, true]) {
        fake.fail(fault)
        const { status, body, text, headers } = await post(`${base()}${paths[name]}`, request(name, { stream }), { authorization: 'Bearer sk-of-the-agent' })
        t.equal(status, code, `${what}: ${name}`)
        t.strictSame(kindOf(name, body), name === 'messages' ? [anthropic, null] : openai)
        t.equal(body['type'], name === 'messages' ? 'error' : undefined)
        t.match(body['error'].message, message)
        t.equal(headers.get('x-should-retry'), String(retries))
        t.equal(headers.get('retry-after'), what === '429' ? '3' : null)
        t.notMatch(text, new RegExp(`sk-upstream|sk-of-the-agent|${fake.port}`), 'neither key nor address is told')
      }
    }
  }
  t.ok(fake.turns.every(({ headers }) => headers.authorization === 'Bearer sk-upstream'), 'the agent\'s key goes nowhere')
  await post(`${base()}${paths.chat}`, request('chat'), { authorization: 'Bearer sk-of-the-agent' })
  const record = await finish()
  t.equal(record.calls.filter(call => call.error !== null).length, table.length * 6)
  t.equal(record.calls.at(-1)!.error, null)
  t.match(record, { outcome: 'scored', untrainable: null, segments: [{ call_ids: [`r1.${table.length * 6}`] }] })
  t.notMatch(Buffer.from(encodeRecord(record)).toString('latin1') + lines.join(), /sk-upstream|sk-of-the-agent/, 'and no key is kept')
  t.match(lines.join('\n'), /call 0 \(chat\): .*status 401.*\[SERVER_REFUSED\]/, 'whoever runs the proxy reads what was wrong')
})

t.test('a server that is not there', async t => {
  const fake = await openFake(t, {})
  const { base, finish } = await openProxy(t, fake, { client: { limits: { triesMax: 1 } } })
  await fake.down()
  t.match(await post(`${base()}${paths.messages}`, request('messages')), { status: 503, body: { error: { type: 'overloaded_error' } } })
  t.match(await finish(), { outcome: 'infra_fault', untrainable: 'no call was answered', calls: [{ error: { code: 'SERVER_DOWN' } }] })
})

t.test('a refusal of the model is an answer', async t => {
  const fake = await openFake(t, { reply: () => ({ content: '', refusal: 'I will not.' }) })
  const { base } = await openProxy(t, fake)
  const reasons = await Promise.all(names.map(async name => (await post(`${base()}${paths[name]}`, request(name))).body))
  t.match(reasons, [{ choices: [{ finish_reason: 'content_filter' }] }, { status: 'incomplete', incomplete_details: { reason: 'content_filter' } }, { stop_reason: 'refusal' }])
})

t.test('a fault after a stream was opened is an event', async t => {
  const fake = await openFake(t, {})
  const { base } = await openProxy(t, fake, { limits: { quietMsMax: 5 }, client: { limits: { triesMax: 1, turnMsMax: 60 } } })
  for (const name of names) {
    fake.fail({ kind: 'hang' })
    const { status, text } = await post(`${base()}${paths[name]}`, request(name, { stream: true }))
    t.equal(status, 200)
    const events = eventsOf(text)
    t.match(events.at(-1), { chat: { error: { type: 'server_error', code: 'timeout' } }, responses: { type: 'response.failed', response: { status: 'failed', error: { code: 'timeout' } } }, messages: { type: 'error', error: { type: 'timeout_error' } } }[name])
    if (name === 'chat') t.match(text, /^: waiting\n\n/)
    if (name === 'messages') t.equal(events[0]!['type'], 'ping')
    if (name === 'responses') t.strictSame([...new Set(events.slice(0, -1).map(event => event['type']))], ['response.created', 'response.in_progress'])
  }
})

t.test('a stream that was kept alive ends with the whole answer', async t => {
  const fake = await openFake(t, { tokensPerSecond: 50 })
  const { base, finish } = await openProxy(t, fake, { limits: { quietMsMax: 5 } })
  for (const name of names) {
    const { text } = await post(`${base()}${paths[name]}`, request(name, { stream: true }))
    const events = eventsOf(text)
    t.match(text, name === 'chat' ? /: waiting/ : name === 'messages' ? /event: ping/ : /(response\.in_progress[^]*){3}/)
    t.match(JSON.stringify(events), /"yes"/)
    t.match(events.at(-1), { chat: { choices: [{ finish_reason: 'stop' }] }, responses: { type: 'response.completed' }, messages: { type: 'message_stop' } }[name])
  }
  t.equal((await finish()).untrainable, null)
})

t.test('a client that goes away ends its call at the server', async t => {
  const fake = await openFake(t, {})
  const { base, finish } = await openProxy(t, fake, { limits: { quietMsMax: 5 } })
  for (const stream of [false, true]) {
    fake.fail({ kind: 'hang' })
    const leave = new AbortController()
    const asked = once(fake.events, 'turn')
    const gone = once(fake.events, 'gone')
    const answer = post(`${base()}${paths.chat}`, request('chat', { stream }), {}, leave.signal)
    await asked
    leave.abort()
    await t.rejects(answer)
    await gone
  }
  t.match(await finish(), { calls: [{ error: { code: 'ABORTED' } }, { error: { code: 'ABORTED' } }], outcome: 'infra_fault' })
  t.equal(fake.state.gone, 2)
})

t.test('requests that cannot be passed on are refused, with the name of what is wrong', async t => {
  const fake = await openFake(t, {})
  const { base, origin } = await openProxy(t, fake)
  const image = [{ type: 'image_url', image_url: { url: 'data:' } }]
  const table: [Name, Fields, RegExp][] = [
    ['chat', { n: 2 }, /"n"/],
    ['chat', { stop: ['\n'] }, /"stop"/],
    ['chat', { response_format: { type: 'json_schema', json_schema: {} } }, /"response_format"/],
    ['chat', { logprobs: true }, /"logprobs"/],
    ['chat', { repetition_penalty: 1.1 }, /"repetition_penalty"/],
    ['responses', { truncation: 'auto' }, /"truncation"/],
    ['chat', { tool_choice: 'required' }, /"tool_choice"/],
    ['chat', { temperature: 'hot' }, /"temperature"/],
    ['chat', { top_p: 2 }, /"top_p" is no number from 0 to 1/],
    ['chat', { max_tokens: 0 }, /"max_tokens"/],
    ['chat', { stream: 'yes' }, /"stream"/],
    ['chat', { messages: 'hello' }, /"messages" is no list/],
    ['chat', { messages: [] }, /empty/],
    ['chat', { messages: [null] }, /"messages" is no object/],
    ['chat', { messages: [{ role: 'robot', content: '' }] }, /role "robot"/],
    ['chat', { messages: [{ role: 'user', content: image }] }, /"image_url": only text/],
    ['chat', { messages: [{ role: 'user', content: 'a' }, { role: 'assistant', content: 'b' }] }, /ends with the assistant/],
    ['chat', { messages: [{ role: 'tool', content: 'a' }] }, /tool_call_id/],
    ['chat', { tools: [{ type: 'function', function: { name: 1 } }] }, /tools\.name/],
    ['responses', { previous_response_id: 'resp_1' }, /"previous_response_id"/],
    ['responses', { text: { format: { type: 'json_schema' } } }, /"text\.format"/],
    ['responses', { input: [{ type: 'item_reference', id: 'x' }] }, /"item_reference"/],
    ['responses', { input: [{ type: 'function_call', name: 'bash', arguments: '{}' }] }, /call_id/],
    ['responses', { input: 5 }, /"input" is no list/],
    ['messages', { max_tokens: undefined }, /"max_tokens" is missing/],
    ['messages', { stop_sequences: ['x'] }, /"stop_sequences"/],
    ['messages', { tool_choice: { type: 'any' } }, /"tool_choice"/],
    ['messages', { messages: [{ role: 'user', content: [{ type: 'image', source: {} }] }] }, /"image": only text/],
    ['messages', { messages: [{ role: 'user', content: [{ type: 'tool_result', content: 'a' }] }] }, /tool_use_id/]
  ]
  for (const [name, change, message] of table) t.match(await post(`${base()}${paths[name]}`, request(name, change)), { status: 400, body: { error: { type: 'invalid_request_error', message } } }, `${name} ${JSON.stringify(change)}`)
  const harmless = { n: 1, stop: null, response_format: { type: 'text' }, tools: [], tool_choice: 'none', logit_bias: {}, frequency_penalty: 0, user: 'u', store: false, metadata: {}, seed: 5, top_k: -1, temperature: 0.5 }
  t.equal((await post(`${base()}${paths.chat}`, request('chat', harmless))).status, 200)
  t.match(fake.turns.at(-1)!.body, { seed: 5, top_k: -1, temperature: 0.5 })
  const send = async (method: string, path: string, body: string | null = null, headers: Record<string, string> = { 'content-type': 'application/json' }): Promise<number> =>
    (await fetch(origin + path, { method, headers, body })).status
  const chat = new URL(base()).pathname + paths.chat
  t.equal(await send('POST', chat, '{'), 400)
  t.equal(await send('POST', chat, '[]'), 400)
  t.equal(await send('POST', chat, '{}', { 'content-type': 'text/plain' }), 415)
  t.equal(await send('POST', chat, '{}', { 'content-type': 'application/json', 'content-encoding': 'gzip' }), 415)
  t.equal(await send('GET', chat), 405)
  t.equal(fake.turns.length, 1, 'nothing of it was asked')
})

t.test('no path names another file than that of a rollout', async t => {
  const fake = await openFake(t, {})
  const { origin, base } = await openProxy(t, fake)
  const raw = async (path: string): Promise<number> => {
    const { createConnection } = await import('node:net')
    const socket = createConnection(Number(new URL(origin).port), '127.0.0.1')
    socket.end(`POST ${path} HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: 2\r\nconnection: close\r\n\r\n{}`)
    let text = ''
    for await (const chunk of socket) text += String(chunk)
    return Number(text.split(' ')[1])
  }
  for (const id of ['..', '.', '.hidden', '-x', '%2e%2e', 'a%2fb', 'a b', 'ü', '', 'a\\b', 'x'.repeat(129)]) t.not(await raw(`/proxy/rollout/${id}/attempt/1/finish`), 200, `id ${id}`)
  for (const attempt of ['0', '-1', '1.5', '01', '1e3', '', '..', '1000000', 'x']) t.equal(await raw(`/proxy/rollout/a/attempt/${attempt}/finish`), 404, `attempt ${attempt}`)
  for (const rest of ['', 'v1', 'v1/', '../finish', 'v1/constructor', 'finish/', '/finish', 'v1/files']) t.equal(await raw(`/proxy/rollout/a/attempt/1/${rest}`), 404, rest)
  for (const path of ['/', '/proxy', '/proxy/rollout/a', '/v1/chat/completions', 'http://other/proxy/rollout/a/attempt/1/finish']) t.equal(await raw(path), 404, path)
  t.equal(await raw('/proxy/rollout/e0001.solve.1.0_A-b/attempt/2/finish?x=../..'), 200)
  t.match(await (await fetch(`${base()}/v1/models`)).json(), { object: 'list', data: [{ id: 'fake' }] })
  t.match(await (await fetch(`${origin}/health`)).json(), { open: 0, in_flight: 0 })
})
