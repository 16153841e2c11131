// Goal: with the configuration that is shipped, each role can do what it is for and nothing that another role is for. Method: the
// script's keys, a real server, and a run that goes through the roles' hands.

import { mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { connect, nkeyAuthenticator } from 'nats'
import t, { type Test } from 'tap'
import { machineViews } from '../../actors/definitions.ts'
import { createBridgeClient } from '../../src/bridge/client.ts'
import { createBridgeServer } from '../../src/bridge/server.ts'
import type { Bus } from '../../src/bus/types.ts'
import { changeDocument } from '../../src/cluster/document.ts'
import { anyArena, leadId } from '../../src/cluster/keys.ts'
import { listNodes, type NodePresence } from '../../src/cluster/presence.ts'
import { systemClock } from '../../src/clock.ts'
import { createActorsFeed } from '../../src/inspect/actors-feed.ts'
import { inspectLimits } from '../../src/inspect/limits.ts'
import { topics, type ActorsView, type ClusterView, type NodeRow } from '../../src/inspect/protocol.ts'
import { createRegistry, type Look } from '../../src/inspect/registry.ts'
import { serveInspect } from '../../src/inspect/serve.ts'
import { inspectService } from '../../src/inspect/service.ts'
import { countSamples, documentOf, ended, startTestNode, submit, untilAborted } from '../helpers/cluster-fixture.ts'
import { makeKeys, startShipped, startShippedCluster } from '../helpers/deploy-nats.ts'
import { natsServers, skipWithoutNats } from '../helpers/nats-server.ts'
import { startNodeProcess } from '../helpers/nodes.ts'
import { testFolder } from '../helpers/test-folder.ts'
import { skipWithoutTrainer, startSamplePeer } from '../helpers/trainer-python.ts'

const skip = skipWithoutNats()
const bytes = Buffer.from('{}')
const denied = { code: 'BUS_DENIED' }
/** Snapshots that are texts, long ones. */
const numbersLook: Look = { state: snapshot => String(snapshot).padEnd(900_000), tags: () => [], context: () => null, children: () => [], acts: () => [], now: () => null, follow: () => () => {}, hear: () => () => {}, send () {} }

/** What a role tries, by name. */
const attempts: Record<string, (bus: Bus) => Promise<unknown>> = {
  'start a run': bus => bus.queue.add({ kind: 'run', arena: anyArena, run: 'forged', id: leadId }, bytes),
  'add work': bus => bus.queue.add({ kind: 'rollout', arena: 'a', run: 'forged', id: 'e0001.break' }, bytes),
  'take work': bus => bus.queue.pull('rollout', 'a', { waitMs: 50, signal: new AbortController().signal }),
  'empty the queue': bus => bus.queue.purge('forged', ['episode']),
  'write a record': bus => bus.log.records.create('forged.work.e0001.break.ended', bytes),
  'remove a record': bus => bus.log.records.remove('forged.kept'),
  'write a sample': bus => bus.log.samples.create('forged.e0001.break', bytes),
  'remove a sample': bus => bus.log.samples.remove('forged.kept'),
  'write a document': bus => bus.kv.runs.put('forged', bytes),
  'remove a document': bus => bus.kv.runs.remove('forged'),
  'write a snapshot': bus => bus.kv.episodes.put('forged.e0001', bytes),
  'say that a node is there': bus => bus.kv.nodes.put('forged', bytes),
  'write a policy': bus => bus.kv.policies.put('forged', bytes),
  'write an object': bus => bus.objects.put('forged', bytes)
}
const may: Record<'node' | 'submitter' | 'watcher' | 'trainer', string[]> = {
  node: ['add work', 'take work', 'empty the queue', 'write a record', 'write a sample', 'write a document', 'remove a document', 'write a snapshot', 'say that a node is there', 'write an object'],
  submitter: ['start a run', 'write a document', 'remove a document'],
  watcher: [],
  trainer: ['write a policy']
}

t.test('keys are made for nobody else to read, and never over others', { skip }, async t => {
  const folder = testFolder(t)
  const keys = join(folder, 'keys')
  t.match(makeKeys(keys), /nats-server -c/)
  for (const folder of ['', 'keys', 'tls', 'server']) {
    t.equal(statSync(join(keys, folder)).mode & 0o777, 0o700, folder)
    if (folder !== '') for (const file of readdirSync(join(keys, folder))) t.equal(statSync(join(keys, folder, file)).mode & 0o777, 0o600, file)
  }
  t.throws(() => makeKeys(keys), /is there already, and nothing is written over/)
  const other = join(folder, 'empty')
  mkdirSync(other)
  t.throws(() => makeKeys(other), /is there already/)
})

for (const kind of natsServers()) {
  t.test(`nats-server ${kind.name}`, async t => {
    const server = await startShipped(t, kind)

    await t.test('who is not an operator cannot make the streams, and is told so', async t => {
      await t.rejects(server.connect('node'), { code: 'BUS_DENIED', message: /SPAR_WORK.*role/s })
    })

    const operator = await server.connect('operator')

    await t.test('a run that a submitter starts is played by a node, and a watcher follows it', async t => {
      const [submitter, watcher] = [await server.connect('submitter'), await server.connect('watcher')]
      const node = startTestNode({ bus: await server.connect('node'), nodeId: 'n1', standIn: { trajectoryBytes: 200_000 } })
      await node.ready
      const over = new AbortController()
      const steps = watcher.signals('steps', over.signal)[Symbol.asyncIterator]()
      const step = steps.next()
      await submit(submitter, documentOf('r1', { episodes: 3 }))
      const { document, ledger, samples } = await ended(watcher, 'r1')
      t.equal(document.state, 'done')
      t.equal(ledger.totals().open, 0)
      t.equal(ledger.totals().quarantined, 0)
      t.ok(samples.size >= 6, `${samples.size} samples`)
      t.same((await listNodes(watcher)).map(({ node }) => node), ['n1'])
      t.match((await step).value, { topic: /^steps\.r1\.n1$/ }, 'signals are heard')
      t.ok(Math.max(...(await watcher.queue.subjects()).map(() => 1), 0) === 0, 'nothing is left on the queue')
      over.abort()
      await steps.return?.()
      t.same(node.events.filter(({ type }) => type === 'fault'), [])
      node.drain()
      t.match(await node.ended, { kind: 'left' })
    })

    await t.test('who may look into a node does, over accounts, for as long as they like; only the operator acts', async t => {
      const bus = await server.connect('node')
      const registry = createRegistry({ node: 'n9', clock: systemClock })
      const bridge = createBridgeServer({ bus, clock: systemClock })
      let drained = 0
      await serveInspect(bridge, { registry, machines: machineViews, clock: systemClock, drain: () => { drained++ }, limits: { everyMs: 20, lookShare: 1 } })
      const known = registry.enter({ name: 'a', within: '', machine: 'm', id: 'a', run: null, episode: null, rollout: null, work: null }, numbersLook, null)
      for (const role of ['watcher', 'submitter', 'node', 'operator'] as const) {
        const caller = createBridgeClient({ bus: await server.connect(role), clock: systemClock })
        const client = caller.of(inspectService('n9'))
        t.equal((await client.machines(null)).length, 8, role)
        let updates = 0
        // More than fit the window: the watcher's credit has to reach the node.
        for await (const _ of client.watch({ topic: topics.actors })) {
          if (++updates > 20) break
          known.seen(`${role} ${updates}`)
        }
        const acting = client.act({ do: 'drain', node: 'n9' }, { deadlineMs: 2_000 })
        if (role === 'operator') await acting
        else await t.rejects(acting, { code: 'BRIDGE_PERMISSION_DENIED' }, role)
        caller.close()
      }
      t.equal(drained, 1)
      const trainer = createBridgeClient({ bus: await server.connect('trainer'), clock: systemClock })
      await t.rejects(trainer.of(inspectService('n9')).machines(null, { deadlineMs: 2_000 }), { code: 'BRIDGE_PERMISSION_DENIED' })
      const nodes = { list: async () => [{ node: 'n9' } as NodeRow], of: (node: string) => trainer.of(inspectService(node)), close: async () => {} }
      for await (const update of createActorsFeed(nodes, { clock: systemClock, limits: inspectLimits }).updates(new AbortController().signal)) {
        t.match(update, { full: { rows: { length: 0 }, silent: [{ node: 'n9', code: 'BRIDGE_PERMISSION_DENIED', message: /n9\.watch/ }] } }, 'who may not look is told so')
        break
      }
      trainer.close()
      await bridge.destroy()
    })

    await t.test('a node with a page on it joins with its own key, and looks into itself; its key does not act', async t => {
      const cwd = testFolder(t)
      const watcher = await server.connect('watcher')
      const node = await startNodeProcess(t, ['--nats', `tls://127.0.0.1:${server.port}`, '--nats-nkey', join(server.keys, 'keys', 'node.nk'), '--nats-ca', join(server.keys, 'tls', 'ca.pem'), '--name', 'n8', '--sandbox', 'process', '--http', 'off', '--log-level', 'debug', '--inspect=127.0.0.1:0', '--allow-actions'], { home: cwd, cwd })
      // Its presence is written beside the page, and may come a moment later.
      const presence = async (): Promise<NodePresence | undefined> => (await listNodes(watcher)).find(({ node }) => node === 'n8')
      for (let tries = 0; tries < 100 && (await presence())?.state !== 'serving'; tries++) await systemClock.sleep(50)
      t.match(await presence(), { state: 'serving' })
      t.match(await (await fetch(node.page)).text(), /<script type="module" src="app.js">/)
      const value = async (topic: string): Promise<unknown> => (await (await fetch(`${node.page}value?topic=${encodeURIComponent(topic)}`)).json() as { value: unknown }).value
      const nodes = async (): Promise<NodeRow[]> => (await value(topics.cluster) as ClusterView).nodes
      t.match((await nodes()).find(({ node }) => node === 'n8'), { state: 'serving' })
      const { rows, silent } = await value(topics.actors) as ActorsView
      const own = rows.find(({ node, machine }) => node === 'n8' && machine === 'node')
      t.match(own, { state: 'attending.serving' })
      t.notOk(silent?.some(({ node }) => node === 'n8'))
      t.match(await value(topics.actor(own!.key)), { row: { key: own!.key }, steps: Array })
      const acted = await fetch(`${node.page}act`, { method: 'POST', headers: { 'content-type': 'application/json', origin: new URL(node.page).origin }, body: JSON.stringify({ do: 'drain', node: 'n8' }) })
      t.match(await acted.json(), { error: { code: 'BRIDGE_PERMISSION_DENIED' } })
      t.equal(await node.drain(), 0)
      t.same(node.lines.filter(({ type }) => type === 'fault'), [], 'it is refused nothing that it needs')
      t.notOk((await listNodes(watcher)).some(({ node }) => node === 'n8'), 'it has left')
    })

    await t.test('a run that is cancelled by a submitter leaves nothing open', async t => {
      const [submitter, nodeBus] = [await server.connect('submitter'), await server.connect('node')]
      const node = startTestNode({ bus: nodeBus, nodeId: 'n2', standIn: { before: ({ work, signal }) => work.kind === 'solve' ? untilAborted(signal) : undefined } })
      await submit(submitter, documentOf('r2'))
      while ((await operator.queue.subjects('r2')).every(({ id }) => !id.includes('.solve.'))) await new Promise(resolve => setTimeout(resolve, 20))
      await changeDocument(submitter, 'r2', document => ({ ...document, state: 'cancelled', reason: 'enough' }))
      while ((await operator.queue.subjects('r2')).length > 0) await new Promise(resolve => setTimeout(resolve, 20))
      node.drain()
      await node.ended
      const { ledger } = await ended(submitter, 'r2')
      t.equal(ledger.totals().open, 0)
    })

    await t.test('what a trainer and a watcher read', async t => {
      await operator.objects.put('blob', Buffer.alloc(300_000, 1))
      await operator.kv.policies.put('current', bytes)
      for (const role of ['trainer', 'watcher'] as const) {
        const bus = await server.connect(role)
        t.equal((await bus.objects.get('blob'))?.length, 300_000, role)
        t.same((await bus.kv.policies.get('current'))?.bytes, bytes, role)
        for await (const entry of bus.log.samples.follow('r1', new AbortController().signal)) { t.match(entry?.key, /^r1\./, role); break }
      }
      const trainer = await server.connect('trainer')
      await t.rejects(trainer.log.records.get('r1.settled.e0001'), denied, 'records are none of the trainer\'s business')
    })

    await t.test('a trainer takes samples, acknowledges them, and announces; whoever may read sees where it stands', { skip: skipWithoutTrainer() }, async t => {
      const credentials = [join(server.keys, 'keys', 'trainer.nk'), join(server.keys, 'tls', 'ca.pem')] as const
      const trainer = startSamplePeer(t, `tls://127.0.0.1:${server.port}`, 'spar', ...credentials)
      await trainer.do('open', { runs: ['r1'] })
      const samples = await trainer.do<{ id: string; fault: string | null; bytes: number }[]>('take_all', { count: 6 })
      t.same(samples.map(({ fault, bytes }) => ({ fault, bytes })), samples.map(() => ({ fault: null, bytes: 200_000 })))
      await trainer.do('acknowledge', { ids: samples.map(({ id }) => id) })
      await trainer.do('announce', { model: 'org/a', version: 'step-1' })
      t.equal((await trainer.do<unknown[]>('replay', { runs: ['r1'] })).length, (await countSamples(operator, 'r1')).size)
      for (const role of ['node', 'submitter', 'watcher'] as const) {
        const { samples: log } = (await server.connect(role)).log
        t.match(await log.place('trainer_r1'), { reader: 'trainer_r1', prefix: 'r1', acknowledged: Number }, role)
        t.ok((await log.place('trainer_r1'))!.acknowledged > 0)
        t.match(await log.places(), [{ reader: 'trainer_r1' }], role)
      }
    })

    for (const [role, allowed] of Object.entries(may)) {
      await t.test(`a ${role} may ${allowed.join(', ') || 'write nothing'}`, async t => {
        await operator.kv.runs.put('forged', bytes)
        // Where there is nothing, nobody is refused to remove it.
        for (const log of [operator.log.records, operator.log.samples]) await log.create('forged.kept', bytes)
        const bus = await server.connect(role as keyof typeof may)
        for (const [name, attempt] of Object.entries(attempts)) {
          if (allowed.includes(name)) await t.resolves(attempt(bus), name)
          else await t.rejects(attempt(bus), denied, name)
        }
        await bus.close()
        const fresh = await server.connect(role as keyof typeof may)
        t.ok(fresh.isConnected, 'and may come back')
        await operator.queue.purge('forged', ['run', 'episode', 'rollout', 'verify', 'grade'])
        await operator.log.records.remove('forged.work.e0001.break.ended')
        await operator.log.samples.remove('forged.e0001.break')
        for (const log of [operator.log.records, operator.log.samples]) await log.remove('forged.kept')
        await operator.kv.runs.remove('forged')
        await operator.objects.remove('forged')
      })
    }

    await t.test('a watcher cannot have the server write for it', async t => {
      await operator.kv.runs.put('mine', bytes)
      const targets = ['spar.work.run.any.forged.lead', 'spar.records.forged.settled.e0001', 'spar.samples.forged.x', '$KV.spar_runs.mine', '$KV.spar_runs.forged', '$O.spar_objects.M.Zm9yZ2Vk']
      const nc = await connect({ servers: `127.0.0.1:${server.port}`, tls: { caFile: join(server.keys, 'tls', 'ca.pem') }, authenticator: nkeyAuthenticator(Buffer.from(readFileSync(join(server.keys, 'keys', 'watcher.nk'), 'utf8').trim())) })
      t.teardown(() => nc.close())
      for (const [index, target] of targets.entries()) {
        nc.publish('$JS.API.STREAM.INFO.SPAR_RECORDS', undefined, { reply: target })
        nc.publish('$JS.API.DIRECT.GET.KV_spar_runs.$KV.spar_runs.mine', undefined, { reply: target })
        const config = { name: `forger${index}`, deliver_subject: target, ack_policy: 'none', deliver_policy: 'all' }
        await nc.request(`$JS.API.CONSUMER.CREATE.SPAR_RECORDS.forger${index}`, JSON.stringify({ stream_name: 'SPAR_RECORDS', config }))
      }
      await nc.flush()
      // What was asked before has been answered once this is.
      await nc.request('$JS.API.STREAM.INFO.SPAR_SAMPLES')
      await new Promise(resolve => setTimeout(resolve, 300))
      t.same(await operator.queue.subjects('forged'), [])
      t.equal(await operator.log.records.get('forged.settled.e0001'), null)
      t.equal(await operator.log.samples.get('forged.x'), null)
      t.same((await operator.kv.runs.get('mine'))?.bytes, bytes)
      t.equal(await operator.kv.runs.get('forged'), null)
      t.equal(await operator.objects.get('forged'), null)
      await operator.kv.runs.remove('mine')
    })

    await t.test('a role that may not listen is told so', async t => {
      const node = await server.connect('node')
      await t.rejects(async () => { for await (const _ of node.signals('steps', AbortSignal.timeout(5_000))) break }, denied)
    })

    await t.test('a wrong or missing credential is refused, and the message says what to give', async t => {
      await refusals(t, server)
    })
  })

  t.test(`nats-server ${kind.name} that wants client certificates`, async t => {
    const server = await startShipped(t, kind, '--client-certificates')
    const tls = { ca: join(server.keys, 'tls', 'ca.pem'), cert: join(server.keys, 'tls', 'client.pem'), key: join(server.keys, 'tls', 'client-key.pem') }
    await t.resolves(server.connect('operator', { tls }))
    await t.rejects(server.connect('operator', { limits: { connectMsMax: 1_000 } }), { code: 'BUS_UNAVAILABLE', message: /--nats-cert/ })
  })

  t.test(`three nats-servers ${kind.name}`, async t => {
    const cluster = await startShippedCluster(t, kind)
    const operator = await retried(() => cluster.connect('operator', { replicas: 3 }))
    t.equal(await operator.log.records.create('a.b', bytes), 'created')
    const watcher = await cluster.connect('watcher')
    t.same(await watcher.log.records.get('a.b'), bytes)
  })
}

async function refusals (t: Test, server: Awaited<ReturnType<typeof startShipped>>): Promise<void> {
  const folder = testFolder(t)
  const stranger = join(folder, 'stranger')
  makeKeys(stranger)
  await t.rejects(server.connect('node', { nkey: join(stranger, 'keys', 'node.nk') }), { code: 'BUS_DENIED', message: /--nats-nkey/ }, 'a key of another cluster')
  await t.rejects(server.connect('node', { nkey: undefined as never }), { code: 'BUS_DENIED', message: /--nats-nkey/ }, 'no key')
  await t.rejects(server.connect('node', { nkey: undefined as never, user: 'somebody', password: 'x' }), { code: 'BUS_DENIED', message: /--nats-nkey/ }, 'a password')
  await t.rejects(server.connect('node', { nkey: join(server.keys, 'nothing') }), { code: 'BUS_CREDENTIAL_NOT_READ' })
  const empty = join(folder, 'empty.nk')
  writeFileSync(empty, 'not a seed\n')
  await t.rejects(server.connect('node', { nkey: empty }), { code: 'BUS_CREDENTIAL_NOT_READ', message: /seed/ }, 'no seed')
  await t.rejects(server.connect('node', { tls: { ca: join(stranger, 'tls', 'ca.pem') } }), { code: 'BUS_DENIED', message: /--nats-ca/ }, 'an authority that does not know the server')
  await t.rejects(server.connect('node', { tls: undefined as never }), { code: 'BUS_DENIED', message: /--nats-ca/ }, 'no TLS')
}

/** A cluster has no leader for its first moments. */
async function retried<T> (call: () => Promise<T>): Promise<T> {
  for (let left = 20; ; left--) {
    try { return await call() } catch (error) {
      if (left === 0) throw error
      await new Promise(resolve => setTimeout(resolve, 500))
    }
  }
}
