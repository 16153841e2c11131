// Goal: who may not, or cannot, is told which and why, and does not wait for it. Method: real servers with users, permissions,
// certificates and limits.

import { writeFileSync } from 'node:fs'
import { createServer, type AddressInfo } from 'node:net'
import { join } from 'node:path'
import { connect, nkeys, StorageType, type StreamConfig } from 'nats'
import t, { type Test } from 'tap'
import { storeBytesMax, storeLimits } from '../../src/bus/limits.ts'
import { certificates } from '../helpers/certificates.ts'
import { natsBroker } from '../helpers/nats-bus.ts'
import { freePort, natsServers, skipWithoutNats, startNats, type ServerKind } from '../helpers/nats-server.ts'
import { testFolder } from '../helpers/test-folder.ts'
import { iterate, never, text } from './contract.ts'

const work = { kind: 'rollout', arena: 'a', run: 'r1', id: '1' } as const

const skip = skipWithoutNats()
if (skip !== false) t.pass('skipped', { skip })
else for (const kind of natsServers()) t.test(`nats-server ${kind.name}`, async t => { refusals(t, kind) })

/** What it is told, and that it is told soon. */
async function told (t: Test, call: () => Promise<unknown>, code: string): Promise<void> {
  const at = performance.now()
  await t.rejects(call, { code })
  t.ok(performance.now() - at < 3_000, `${code} at once`)
}

function refusals (t: Test, kind: ServerKind): void {
  t.test('a wrong password is denied, and so is what a user may not do', async t => {
    const denied = '["p.work.>", "$KV.p_runs.>", "p.records.>", "$JS.API.CONSUMER.>"]'
    const { url } = await startNats(t, { kind, config: `authorization { users: [
      { user: "all", password: "secret" },
      { user: "some", password: "secret", permissions: { publish: { deny: ${denied} }, subscribe: { deny: ["p.signals.>"] } } }
    ] }` })
    const broker = natsBroker(t, url, { prefix: 'p' })
    await told(t, () => broker.connect({ user: 'all', password: 'guess' }), 'BUS_DENIED')
    await told(t, () => broker.connect(), 'BUS_DENIED')
    await broker.connect({ user: 'all', password: 'secret' })
    const some = await broker.connect({ user: 'some', password: 'secret', ensure: false })
    await told(t, () => some.queue.add(work, text('')), 'BUS_DENIED')
    await told(t, () => some.log.records.create('r.a', text('')), 'BUS_DENIED')
    await told(t, () => some.kv.runs.put('r', text('')), 'BUS_DENIED')
    await told(t, () => some.kv.runs.update('r', text(''), 0), 'BUS_DENIED')
    await told(t, () => some.queue.pull('rollout', 'a', { waitMs: 5_000, signal: never() }), 'BUS_DENIED')
    await told(t, () => iterate(some.log.records.follow('', never())).next(), 'BUS_DENIED')
    await told(t, () => iterate(some.kv.runs.watch('', never())).next(), 'BUS_DENIED')
    await told(t, () => iterate(some.signals('', never())).next(), 'BUS_DENIED')
    t.equal(await some.log.samples.create('r.a', text('')), 'created', 'and the rest goes on')
  })

  t.test('a server that shows the certificate of another authority is refused', async t => {
    const folder = testFolder(t)
    const { ca, cert, key } = certificates(folder)
    const { port } = await startNats(t, { kind, folder, config: `tls { cert_file: ${JSON.stringify(cert)}, key_file: ${JSON.stringify(key)} }` })
    const broker = natsBroker(t, `nats://localhost:${port}`)
    await told(t, () => broker.connect(), 'BUS_DENIED')
    await told(t, () => broker.connect({ tls: {} }), 'BUS_DENIED')
    await t.rejects(broker.connect({ tls: { ca: `${ca}.none` } }), { code: 'BUS_CREDENTIAL_NOT_READ' })
    const bus = await broker.connect({ tls: { ca } })
    t.equal(await bus.log.records.create('r.a', text('')), 'created')
  })

  t.test('a seed proves who one is', async t => {
    const [mine, other] = [nkeys.createUser(), nkeys.createUser()]
    const folder = testFolder(t)
    for (const [name, pair] of [['mine', mine], ['other', other]] as const) writeFileSync(join(folder, name), `${Buffer.from(pair.getSeed()).toString()}\n`)
    const { url } = await startNats(t, { kind, folder, config: `authorization { users: [{ nkey: "${mine.getPublicKey()}" }] }` })
    const broker = natsBroker(t, url)
    t.equal(await (await broker.connect({ nkey: join(folder, 'mine') })).log.records.create('r.a', text('')), 'created')
    await told(t, () => broker.connect({ nkey: join(folder, 'other') }), 'BUS_DENIED')
    await t.rejects(broker.connect({ nkey: join(folder, 'none') }), { code: 'BUS_CREDENTIAL_NOT_READ' })
  })

  t.test('no server, or one that says nothing, is told in time', async t => {
    const connectMsMax = 700
    await told(t, async () => await natsBroker(t, `nats://127.0.0.1:${await freePort()}`, { limits: { connectMsMax } }).connect(), 'BUS_UNAVAILABLE')
    const silent = createServer(socket => { t.teardown(() => { socket.destroy() }) })
    await new Promise<void>(resolve => silent.listen(0, '127.0.0.1', resolve))
    t.teardown(() => silent.close())
    await told(t, () => natsBroker(t, `nats://127.0.0.1:${(silent.address() as AddressInfo).port}`, { limits: { connectMsMax } }).connect(), 'BUS_UNAVAILABLE')
  })

  t.test('streams that are missing, foreign, of a newer version or of a server without them', async t => {
    const folder = testFolder(t)
    const { url } = await startNats(t, { kind, folder })
    const bare = await connect({ servers: url })
    t.teardown(() => bare.close())
    const jsm = await bare.jetstreamManager()
    const add = async (name: string, config: Partial<StreamConfig>): Promise<void> => { await jsm.streams.add({ name: `${name.toUpperCase()}_WORK`, subjects: [`${name}.work.>`], ...config } as Partial<StreamConfig> & { name: string }) }
    await add('newer', { description: 'spar bus, schema 9, ack wait 30000 ms' })
    await add('foreign', { description: 'orders' })
    await add('all', { name: 'ORDERS', subjects: ['taken.>'] })
    await add('half', { description: 'spar bus, schema 1, ack wait 4321 ms' })
    await told(t, () => natsBroker(t, url, { prefix: 'none', ensure: false }).connect(), 'BUS_MISSING')
    await told(t, () => natsBroker(t, url, { prefix: 'half', ensure: false }).connect(), 'BUS_MISSING')
    await told(t, () => natsBroker(t, url, { prefix: 'newer' }).connect(), 'BUS_SCHEMA_NEWER')
    await told(t, () => natsBroker(t, url, { prefix: 'foreign' }).connect(), 'BUS_FOREIGN')
    await told(t, () => natsBroker(t, url, { prefix: 'taken', limits: { answerMsMax: 1_000 } }).connect(), 'BUS_FOREIGN')
    await told(t, () => natsBroker(t, url, { prefix: 'a.b' }).connect(), 'BUS_BAD_KEY')
    t.equal((await natsBroker(t, url, { prefix: 'half', ackWaitMs: 9 }).connect()).queue.ackWaitMs, 4321, 'who made the streams decided')
    const without = await startNats(t, { kind, jetStream: false, folder: join(folder, 'without') })
    await told(t, () => natsBroker(t, without.url).connect(), 'BUS_MISSING')
  })

  t.test('streams reserve what they are told to, in the proportions of the defaults', async t => {
    const { url } = await startNats(t, { kind })
    const before = natsBroker(t, url, { prefix: 'sized', limits: storeLimits(2 ** 30) })
    await before.connect()
    const bare = await connect({ servers: url })
    t.teardown(() => bare.close())
    const streams = await (await bare.jetstreamManager()).streams.list().next()
    const onDisk = streams.map(({ config }) => config).filter(({ storage }) => storage === StorageType.File)
    const together = onDisk.reduce((sum, { max_bytes: bytes }) => sum + bytes, 0)
    t.ok(together <= 2 ** 30 && together > 2 ** 30 - 10, `${together} bytes`)
    t.equal(onDisk.length, 7)
    t.equal(storeBytesMax, 27.25 * 2 ** 30, 'as docs/cluster-sizing.md says')
  })

  t.test('20 who open a new bus at once make it once', async t => {
    const { url } = await startNats(t, { kind })
    const broker = natsBroker(t, url)
    const buses = await Promise.all(Array.from({ length: 20 }, () => broker.connect()))
    const answers = await Promise.all(buses.map(bus => bus.queue.add(work, text(''))))
    t.equal(answers.filter(answer => answer === 'added').length, 1)
    await Promise.all(buses.map(bus => bus.queue.pull('verify', 'a', { waitMs: 0, signal: never() })))
  })

  t.test('an account that may keep no more says so', async t => {
    const { url } = await startNats(t, { kind, config: 'accounts { A { jetstream: { max_file: 400MB, max_mem: 10MB }, users: [{ user: "a", password: "a" }] } }' })
    const broker = natsBroker(t, url, { user: 'a', password: 'a' })
    const bus = await broker.connect()
    await told(t, () => natsBroker(t, url, { user: 'a', password: 'a' }).connect(), 'BUS_FULL')
    const fill = async (): Promise<void> => { for (let index = 0; ; index++) await bus.kv.policies.put(`p${index}`, new Uint8Array(2 ** 19)) }
    await t.rejects(fill(), { code: 'BUS_FULL', retryable: true })
    t.equal(await bus.log.records.create('r.a', text('')), 'created', 'where there is room it goes on')
  })
}
