// Goal: who may not look sees nothing, who may not act does nothing, and a browser that is slow or dead costs nobody else anything.
// Method: a real server, requests and sockets as browsers and strangers make them.

import { request } from 'node:http'
import t from 'tap'
import { listenForPage, servePage } from '../../src/cli/inspect-options.ts'
import { checkAccess } from '../../src/inspect/access.ts'
import { inspectLimits } from '../../src/inspect/limits.ts'
import { readAddress } from '../../src/inspect/listening.ts'
import type { ActorsChange, ActorsView } from '../../src/inspect/protocol.ts'
import { enterPlain, openBrowser, openGateway, plainLook, sourceOf, testRegistry } from '../helpers/inspect-fixture.ts'

const token = 'a-token-of-some-length'
const actToken = 'another-token-of-length'

const get = (port: number, path: string, headers: Record<string, string> = {}, method = 'GET', body = ''): Promise<{ status: number; text: string; headers: Record<string, unknown> }> => new Promise((resolve, reject) => {
  const asked = request({ port, host: '127.0.0.1', path, method, headers }, response => {
    let text = ''
    response.setEncoding('utf8').on('data', (chunk: string) => { text += chunk }).on('end', () => resolve({ status: response.statusCode!, text, headers: response.headers }))
  })
  asked.on('error', reject)
  asked.end(body)
})
const act = (port: number, action: unknown, headers: Record<string, string> = {}) => get(port, '/act', { 'content-type': 'application/json', ...headers }, 'POST', JSON.stringify(action))

t.test('an address of the network wants a token, and a token a length', async t => {
  const access = { token: null, actToken: null, actions: false }
  for (const host of ['127.0.0.1', '127.9.9.9', 'localhost', '::1']) t.doesNotThrow(() => checkAccess({ ...access, host }), host)
  for (const host of ['0.0.0.0', '::', '10.0.0.1', 'box.example', '127.example', '127.0.0.1.example']) t.throws(() => checkAccess({ ...access, host }), { code: 'OPTION_MISSING' }, host)
  t.throws(() => checkAccess({ ...access, host: '127.0.0.1', token: 'short' }), { code: 'OPTION_INVALID' })
  t.throws(() => checkAccess({ ...access, host: '127.0.0.1', actToken: 'with a blank in the middle' }), { code: 'OPTION_INVALID' })
  t.same(readAddress('[::1]:80'), { host: '::1', port: 80 })
  t.same(readAddress('8322'), { host: '127.0.0.1', port: 8322 })
  for (const at of ['', 'x', 'host:99999', 'a:b:1', 'http://x:1']) t.throws(() => readAddress(at), { code: 'OPTION_INVALID' }, at)
})

t.test('on loopback programs of this machine look, and no page of another site', async t => {
  const gateway = await openGateway(t, { source: await sourceOf(t, testRegistry()) })
  const { port } = gateway
  const own = `127.0.0.1:${port}`
  const { status, headers } = await get(port, '/')
  t.equal(status, 200)
  t.match(headers['content-security-policy'], /default-src 'none'.*script-src 'self'.*require-trusted-types-for 'script'/)
  t.match(headers, { 'x-content-type-options': 'nosniff', 'cache-control': 'no-store', 'cross-origin-resource-policy': 'same-origin' })
  const rows: [string, Record<string, string>, number][] = [
    ['localhost', { host: `localhost:${port}` }, 200], ['its own page', { host: own, origin: `http://${own}` }, 200],
    ['a name that was made to point here', { host: `evil.example:${port}` }, 403], ['a page of another site', { host: own, origin: 'http://evil.example' }, 403],
    ['a page of another port', { host: own, origin: 'http://127.0.0.1:1' }, 403], ['a page without a site', { host: own, origin: 'null' }, 403]
  ]
  for (const [name, headers, wanted] of rows) {
    t.equal((await get(port, '/value?topic=actors', headers)).status, wanted, name)
    const socket = openBrowser(t, gateway, { headers })
    if (wanted === 200) await socket
    else await t.rejects(socket, /403/, `${name}, by a WebSocket`)
  }
  for (const path of ['/../package.json', '/%2e%2e/package.json', '/page/index.html', '/etc/passwd']) t.equal((await get(port, path)).status, 404, path)
  t.equal((await get(port, '/value?topic=nothing')).status, 400)
  t.equal((await get(port, '/value?topic=actor%2Flocal%252F9')).status, 404)
  t.equal((await act(port, { do: 'send', actor: 'local/1', event: 'stop' })).status, 403, 'looking is not acting')
})

t.test('an address is held before there is anything to show, and one that is taken is told by its option', async t => {
  const listening = await listenForPage('127.0.0.1:0', '--inspect', {})
  t.teardown(() => listening.close())
  const { port } = listening.access
  t.match(await get(port, '/'), { status: 503, text: /INSPECT_NOT_READY/ })
  for (const option of ['--inspect', '--listen'] as const) await t.rejects(listenForPage(`127.0.0.1:${port}`, option, {}), { code: 'INSPECT_HTTP', message: new RegExp(`${option}$`) })
  await t.rejects(listenForPage('127.0.0.1:0', '--listen', { token: 'short' }), { code: 'OPTION_INVALID' })
  servePage(await sourceOf(t, testRegistry()), listening, { err: () => {} })
  t.match(await get(port, '/value?topic=runs'), { status: 200 })
})

t.test('a target that is no path is refused, and costs nobody else anything', async t => {
  const gateway = await openGateway(t, { source: await sourceOf(t, testRegistry()) })
  const upgrade = { connection: 'upgrade', upgrade: 'websocket', 'sec-websocket-version': '13', 'sec-websocket-key': 'dGhlIHNhbXBsZSBub25jZQ==' }
  for (const path of ['//', 'http://[', '//:0/socket']) {
    t.equal((await get(gateway.port, path)).status, 400, path)
    t.equal((await get(gateway.port, path, upgrade)).status, 400, `${path} as a WebSocket`)
  }
  const browser = await openBrowser(t, gateway)
  await browser.wait('hello')
})

t.test('with tokens: in a cookie or a header; acting has its own', async t => {
  const registry = testRegistry()
  const sent: string[] = []
  enterPlain(registry, 'a', plainLook(sent)).seen('on')
  const acted: string[] = []
  const gateway = await openGateway(t, { source: await sourceOf(t, registry), access: { token, actToken, actions: true }, onAct: what => acted.push(what) })
  const { port } = gateway
  const bearer = (token: string) => ({ authorization: `Bearer ${token}` })
  t.equal((await get(port, '/healthz')).status, 200)
  for (const headers of [{}, bearer('wrong'), bearer(`${token}x`), bearer(''), { cookie: `spar-inspect-${port}=%` }, { cookie: `other-spar-inspect-${port}=${token}` }, { cookie: `spar-inspect-${port + 1}=${token}` }]) {
    t.equal((await get(port, '/', headers)).status, 401, JSON.stringify(headers))
    await t.rejects(openBrowser(t, gateway, { headers }), /401/)
  }
  const entered = await get(port, `/?token=${token}`)
  t.match(entered, { status: 303, headers: { location: '/', 'set-cookie': [`spar-inspect-${port}=a-token-of-some-length; HttpOnly; SameSite=Strict; Path=/`] } })
  t.match(await get(port, `/?token=${actToken}`), { status: 303 })
  for (const [given, headers] of [['wrong', {}], [token, { host: 'evil.example' }], [token, { origin: 'http://evil.example' }]] as const) {
    const refused = await get(port, `/?token=${given}`, headers)
    t.equal(refused.status, 401, given)
    t.notOk('set-cookie' in refused.headers, `a cookie that is there stays: ${given}, ${JSON.stringify(headers)}`)
  }
  t.equal((await get(port, '/', { cookie: `a=b; spar-inspect-${port}=${token}; spar-inspect-1=other; c=d` })).status, 200)
  t.equal((await get(port, '/value?topic=actors', bearer(token))).status, 200)
  t.equal((await get(port, '/', { ...bearer(token), host: 'evil.example' })).status, 401, 'also with a token a name of another site is none of ours on loopback')
  const send = { do: 'send', actor: 'local/1', event: 'stop' }
  t.equal((await act(port, send, bearer(token))).status, 403)
  t.equal((await get(port, '/act', { 'content-type': 'text/plain', ...bearer(actToken) }, 'POST', JSON.stringify(send))).status, 405, 'what a form can send')
  t.equal((await act(port, { do: 'send', actor: '../x', event: 'stop' }, bearer(actToken))).status, 409)
  t.equal((await act(port, { ...send, event: 'x'.repeat(70_000) }, bearer(actToken))).status, 400)
  t.match(await act(port, { ...send, event: 'other' }, bearer(actToken)), { status: 409, text: /takes no/ })
  t.same(sent, [])
  t.equal((await act(port, send, bearer(actToken))).status, 200)
  const watcher = await openBrowser(t, gateway, { headers: bearer(token) })
  t.equal((await watcher.wait('hello')).mayAct, false)
  watcher.say({ type: 'act', id: 1, action: send as never })
  t.match(await watcher.wait('acted'), { error: { code: 'ACT_DENIED' } })
  const actor = await openBrowser(t, gateway, { headers: bearer(actToken) })
  actor.say({ type: 'act', id: 2, action: send as never })
  t.match(await actor.wait('acted'), { id: 2, error: null })
  t.same(sent, ['stop', 'stop'])
  t.equal(acted.length, 3, 'what was asked for is told')
})

t.test('a topic whole and then as changes; messages that are none end the connection; topics and sockets have limits', async t => {
  const registry = testRegistry()
  const limits = { everyMs: 20, topicsMax: 2, socketsMax: 2 }
  const gateway = await openGateway(t, { source: await sourceOf(t, registry, limits), limits })
  const known = enterPlain(registry, 'a')
  known.seen('one')
  const browser = await openBrowser(t, gateway)
  browser.say({ type: 'open', id: 1, topic: 'actors' })
  await browser.wait('full', ({ id }) => id === 1)
  known.seen('two')
  const { change, seq } = await browser.wait('change', ({ change }) => (change as ActorsChange).rows.some(({ state }) => state === 'two'))
  t.match(change, { rows: [{ key: 'local/1', state: 'two' }], gone: [] })
  t.ok(seq >= 2)
  browser.say({ type: 'open', id: 2, topic: 'actor/local%2F7' })
  t.match(await browser.wait('failed'), { id: 2, error: { code: 'INSPECT_NOT_FOUND' } })
  browser.say({ type: 'open', id: 3, topic: 'actor/local%2F1' })
  await browser.wait('full', ({ id }) => id === 3)
  browser.say({ type: 'open', id: 4, topic: 'actors' })
  t.match(await browser.wait('failed', ({ id }) => id === 4), { error: { code: 'INSPECT_TOO_MANY' } })
  browser.say({ type: 'close', id: 3 })
  const other = await openBrowser(t, gateway)
  await t.rejects(openBrowser(t, gateway), /503/)
  const ended = new Promise(resolve => other.socket.once('close', resolve))
  other.socket.send('{"type":"open","id":1.5,"topic":"actors"}')
  t.equal(await ended, 1008)
  const flooded = new Promise(resolve => browser.socket.once('close', resolve))
  browser.socket.send('x'.repeat(inspectLimits.requestBytesMax + 1))
  t.equal(await flooded, 1009)
})

t.test('a browser that reads nothing for a while is left out, told how much, and gets everything anew; others see all', async t => {
  const registry = testRegistry()
  const limits = { everyMs: 10, bufferedBytesMax: 500_000, stalledMsMax: 60_000 }
  const gateway = await openGateway(t, { source: await sourceOf(t, registry, limits), limits })
  const known = enterPlain(registry, 'a')
  const [slow, fast] = [await openBrowser(t, gateway), await openBrowser(t, gateway)]
  for (const browser of [slow, fast]) browser.say({ type: 'open', id: 1, topic: 'actors' })
  await Promise.all([slow, fast].map(browser => browser.wait('full')))
  slow.socket.pause()
  const before = process.memoryUsage().arrayBuffers
  const large = (n: number): string => `${n} `.padEnd(200_000, 'x')
  const stateOf = (value: unknown): string => (value as ActorsView).rows[0]?.state.split(' ')[0] ?? ''
  let n = 0
  // The kernel's own buffers have to be full before anything waits here.
  for (; n < 200; n++) {
    known.seen(large(n))
    await fast.wait('change', ({ change }) => stateOf(change) === String(n))
    fast.messages.length = 0
  }
  t.ok(process.memoryUsage().arrayBuffers - before < 30 * 2 ** 20, 'what waits is bounded')
  slow.socket.resume()
  const { count } = await slow.wait('lag')
  t.ok(count > 50, `${count} changes were left out`)
  const full = await slow.wait('full', ({ value }) => stateOf(value) === String(n - 1))
  const sequences = slow.messages.flatMap(message => 'seq' in message ? [message.seq] : [])
  t.same(sequences, sequences.map((_, index) => index + 1), 'what came has no gap')
  t.ok(full.seq < n, 'less than there was')
  known.seen('at last')
  await slow.wait('change', ({ change }) => stateOf(change) === 'at')
})

t.test('a browser that takes nothing any more is closed', async t => {
  const registry = testRegistry()
  const limits = { everyMs: 10, bufferedBytesMax: 100_000, stalledMsMax: 300 }
  const gateway = await openGateway(t, { source: await sourceOf(t, registry, limits), limits })
  const known = enterPlain(registry, 'a')
  const dead = await openBrowser(t, gateway)
  dead.say({ type: 'open', id: 1, topic: 'actors' })
  await dead.wait('full')
  dead.socket.pause()
  let isClosed = false
  dead.socket.once('close', () => { isClosed = true })
  for (let n = 0; n < 60; n++) {
    known.seen(`${n}`.padEnd(2_000_000, 'x'))
    await new Promise(resolve => setTimeout(resolve, 15))
  }
  await new Promise(resolve => setTimeout(resolve, 600))
  // Half of what is on its way may still be read.
  dead.socket.resume()
  for (let left = 200; left > 0 && !isClosed; left--) await new Promise(resolve => setTimeout(resolve, 20))
  t.ok(isClosed)
  const fresh = await openBrowser(t, gateway)
  fresh.say({ type: 'open', id: 1, topic: 'actors' })
  t.match(await fresh.wait('full'), { value: { rows: [{ key: 'local/1' }] } })
})
