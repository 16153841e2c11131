// Goal: samples that nodes settle reach the trainer exactly once in effect, whatever happens to either, and a second consumer takes
// them again without disturbing the first. Method: nodes with stand-in handlers on real servers, and the trainer's Python as a
// process of its own that is told what to do.

import { createHash, randomFillSync } from 'node:crypto'
import { connect } from 'nats'
import t, { type Test } from 'tap'
import type { Bus } from '../../src/bus/types.ts'
import { createNames } from '../../src/bus/subjects.ts'
import { announcePolicy, listPolicies } from '../../src/cluster/policy-versions.ts'
import { pack } from '../../src/cluster/codec.ts'
import { packSample, readSample } from '../../src/cluster/samples.ts'
import { systemClock } from '../../src/clock.ts'
import type { Sample } from '../../src/run/results.ts'
import { documentOf, ended, startTestNode, standInHandlers, submit } from '../helpers/cluster-fixture.ts'
import { natsBroker } from '../helpers/nats-bus.ts'
import { natsServers, skipWithoutNats, startNats, type NatsServer, type ServerKind } from '../helpers/nats-server.ts'
import { skipWithoutTrainer, startSamplePeer } from '../helpers/trainer-python.ts'
import type { WorkHandlers } from '../../actors/work/types.ts'

interface Taken { id: string; settled: Partial<Sample>; fault: string | null; bytes: number | null; sha256: string | null; sequence: number; at: string }

const sha256 = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex')
/** Short leases, so that what a killed trainer held comes again soon. */
const limits = { ack_wait_s: 1.5, keep_alive_s: 0.3, fetch_s: 1, retry_s: 0.05 }
const idsOf = (samples: readonly Taken[]): string[] => samples.map(({ id }) => id)

interface Fixture { server: NatsServer; prefix: string; bus: Bus }

async function open (t: Test, kind: ServerKind): Promise<Fixture> {
  const server = await startNats(t, { kind })
  const broker = natsBroker(t, server.url)
  return { server, prefix: broker.prefix, bus: await broker.connect() }
}

/** Some records travel in their samples, some are objects; each is of its own bytes. */
function handlers (): WorkHandlers {
  const standIn = standInHandlers()
  const withRecord = (handler: WorkHandlers['break']): WorkHandlers['break'] => async (place, delivery) => {
    const output = await handler(place, delivery)
    const size = delivery.work.id.endsWith('.1') ? 300_000 : 1_000
    return { ...output, files: output.files.map(file => file.path.startsWith('trajectories/') ? { ...file, bytes: randomFillSync(new Uint8Array(size)) } : file) }
  }
  return { ...standIn, break: withRecord(standIn.break), solve: withRecord(standIn.solve as WorkHandlers['break']) as WorkHandlers['solve'] }
}

/** Plays a run to its end; resolves to the ids of its samples in the order of the log, and the hashes of their records. */
async function play (bus: Bus, run: string): Promise<Map<string, { sample: Sample; size: number | null; object: string | null }>> {
  const node = startTestNode({ bus, nodeId: `node-${run}`, handlers: handlers() })
  await submit(bus, documentOf(run, { episodes: 4 }))
  await ended(bus, run)
  node.drain()
  await node.ended
  const kept = new Map<string, { sample: Sample; size: number | null; object: string | null }>()
  for await (const entry of bus.log.samples.follow(run, new AbortController().signal)) {
    if (entry === null) break
    const { sample, trajectory } = readSample(entry)
    kept.set(entry.key, { sample, size: trajectory?.size ?? null, object: trajectory?.object ?? (trajectory === null ? null : `sha256-${sha256(trajectory.inline!)}`) })
  }
  return kept
}

/** Publishes to the log as it is, over what may be there. */
async function publish (t: Test, { server, prefix }: Fixture, entries: readonly (readonly [key: string, bytes: Uint8Array])[]): Promise<void> {
  const nc = await connect({ servers: [server.url] })
  t.teardown(() => nc.close())
  for (const [key, bytes] of entries) await nc.jetstream().publish(createNames(prefix).entry('samples', key), bytes)
}

const settled = (rolloutId: string): Sample => ({ rollout_id: rolloutId, role: 'solver', group_id: 'e0001.1', group_size: 4, reward: 1 } as Sample)

const skip = skipWithoutNats() || skipWithoutTrainer()
if (skip !== false) t.pass('skipped', { skip })
for (const kind of skip === false ? natsServers() : []) {
  t.test(`nats-server ${kind.name}`, async t => {
    await t.test('every sample comes once, with the record that it was settled with', async t => {
      const { server, prefix, bus } = await open(t, kind)
      const expected = await play(bus, 'r1')
      await play(bus, 'r2')
      const trainer = startSamplePeer(t, server.url, prefix)
      await trainer.do('open', { runs: ['r1'], limits })
      const samples = await trainer.do<Taken[]>('take_all', { count: expected.size })
      t.same(idsOf(samples), [...expected.keys()], 'in the order of their settling, of this run alone')
      for (const { id, settled, fault, bytes, sha256 } of samples) {
        t.equal(fault, null)
        t.strictSame(settled, expected.get(id)!.sample)
        t.equal(bytes, expected.get(id)!.size)
        t.equal(`sha256-${sha256}`, expected.get(id)!.object)
      }
      t.ok(samples.some(({ bytes }) => bytes === 300_000) && samples.some(({ bytes }) => bytes === 1_000))
      for (const { settled: { role, group_id, group_size } } of samples) t.equal(samples.filter(other => other.settled.role === role && other.settled.group_id === group_id).length, group_size, 'groups are whole')
      t.match(await bus.log.samples.place('trainer_r1'), { held: samples.length, waiting: 0, acknowledged: 0 })
      await trainer.do('acknowledge', { ids: idsOf(samples) })
      t.match(await bus.log.samples.place('trainer_r1'), { held: 0, waiting: 0 })
      t.same(await trainer.do('take', { wait: 0.3 }), [])
    })

    await t.test('what was not acknowledged comes again: after an orderly end at once, after kill -9 when its time is up', async t => {
      const { server, prefix, bus } = await open(t, kind)
      const expected = [...(await play(bus, 'r1')).keys()]
      const first = startSamplePeer(t, server.url, prefix)
      await first.do('open', { limits: { ...limits, ack_wait_s: 60 } })
      await first.do('take_all', { count: expected.length })
      const used = expected.slice(2, 5)
      await first.do('acknowledge', { ids: used })
      await first.do('close')
      const rest = expected.filter(id => !used.includes(id))

      const second = startSamplePeer(t, server.url, prefix)
      await second.do('open', { limits })
      t.same(idsOf(await second.do<Taken[]>('take_all', { count: rest.length, within: 5 })).sort(), [...rest].sort(), 'handed back')
      await systemClock.sleep(3_000)
      t.same(await second.do('take', { wait: 0.3 }), [], 'what is held stays, for longer than a lease')
      await second.do('acknowledge', { ids: rest.slice(0, 1) })
      await second.kill()

      const third = startSamplePeer(t, server.url, prefix)
      // The checkpoint held one more than was acknowledged.
      await third.do('open', { limits, known: rest.slice(0, 2) })
      const left = rest.slice(2)
      t.same(idsOf(await third.do<Taken[]>('take_all', { count: left.length, within: 10 })).sort(), [...left].sort())
      await third.do('acknowledge', { ids: left })
      while ((await bus.log.samples.place('trainer'))!.held > 0) await systemClock.sleep(50)
      t.match(await bus.log.samples.place('trainer'), { held: 0, waiting: 0 }, 'what the checkpoint held was acknowledged too')
    })

    await t.test('what cannot be read comes with the reason, and what comes twice comes once', async t => {
      const fixture = await open(t, kind)
      const { server, prefix, bus } = fixture
      const record = randomFillSync(new Uint8Array(100))
      const good = packSample({ sample: settled('e0001.solve.1.0'), trajectory: { name: 'x', size: 100, inline: record, object: null } })
      const wrong = 'sha256-' + '0'.repeat(64)
      await bus.objects.put(wrong, record)
      const at = (object: string, size = 100): Uint8Array => packSample({ sample: settled('e'), trajectory: { name: 'x', size, inline: null, object } })
      await publish(t, fixture, [
        ['r.e0001.solve.1.0', good], ['r.e0001.solve.1.0', good], ['r.noise', Buffer.from('\u00ff not msgpack')], ['r.empty', new Uint8Array()], ['r.number', Buffer.from([7])],
        ['r.newer', pack({ schema_version: 2, sample: settled('newer'), trajectory: null })], ['r.bare', pack({ trajectory: null })],
        ['r.other', packSample({ sample: settled('another'), trajectory: null })], ['r.e', at('../../etc/passwd')]
      ])
      await publish(t, fixture, [['s.e', at(wrong)], ['u.e', at(wrong, 99)], ['v.e', at(`sha256-${'1'.repeat(64)}`)], ['w.e', at(wrong, 2 ** 31)], ['x.e', packSample({ sample: settled('e'), trajectory: null })]])
      const trainer = startSamplePeer(t, server.url, prefix)
      await trainer.do('open', { limits })
      const samples = await trainer.do<Taken[]>('take_all', { count: 13 })
      t.match(samples, [
        { id: 'r.e0001.solve.1.0', fault: null, sha256: sha256(record) },
        { id: 'r.noise', fault: /^SAMPLE_POISONED: / }, { id: 'r.empty', fault: /^SAMPLE_POISONED: / }, { id: 'r.number', fault: /^SAMPLE_POISONED: .*no schema version/ },
        { id: 'r.newer', fault: /^SAMPLE_SCHEMA_NEWER: .*Update this trainer/ }, { id: 'r.bare', fault: /^SAMPLE_POISONED: / },
        { id: 'r.other', fault: /^SAMPLE_POISONED: .*another rollout/ }, { id: 'r.e', fault: /^SAMPLE_POISONED: .*where its record is/, settled: { group_size: 4 } },
        { id: 's.e', fault: /^RECORD_DAMAGED: .*another hash/, settled: { group_size: 4 }, bytes: null }, { id: 'u.e', fault: /^RECORD_DAMAGED: / },
        { id: 'v.e', fault: /^RECORD_LOST: / }, { id: 'w.e', fault: /^RECORD_TOO_LARGE: .*record_bytes_max/ }, { id: 'x.e', fault: null, bytes: null }
      ])
      t.same(await trainer.do('take', { wait: 0.3 }), [])
      await trainer.do('acknowledge', { ids: idsOf(samples) })
      t.match(await bus.log.samples.place('trainer'), { held: 0, waiting: 0 }, 'of what came twice both are acknowledged')
      await publish(t, fixture, [['r.e0001.solve.1.0', good], ['y.e', at(wrong)]])
      t.same(idsOf(await trainer.do<Taken[]>('take_all', { count: 1 })), ['y.e'], 'nor is it given when it comes later')
    })

    await t.test('a second consumer takes them again from any point, and the first notices nothing', async t => {
      const { server, prefix, bus } = await open(t, kind)
      const ids = [...(await play(bus, 'r1')).keys()]
      const between = new Date()
      await systemClock.sleep(50)
      const later = [...(await play(bus, 'r2')).keys()]
      const trainer = startSamplePeer(t, server.url, prefix)
      await trainer.do('open', { limits })
      await trainer.do('take_all', { count: ids.length })
      const places = await bus.log.samples.places()
      const second = startSamplePeer(t, server.url, prefix)
      const all = await second.do<Taken[]>('replay')
      t.same(idsOf(all), [...ids, ...later])
      t.ok(all.every(({ fault, sha256 }) => fault === null && sha256 !== null))
      t.same(idsOf(await second.do<Taken[]>('replay', { from_sequence: all[3]!.sequence })), [...ids, ...later].slice(3))
      t.same(idsOf(await second.do<Taken[]>('replay', { from_time: between.toISOString() })), later)
      t.same(idsOf(await second.do<Taken[]>('replay', { runs: ['r2'] })), later)
      t.same(await second.do('replay', { runs: ['r3'] }), [])
      await t.rejects(second.do('replay', { from_sequence: 1, from_time: between.toISOString() }), { code: 'ValueError' })
      t.same((await bus.log.samples.places()).map(({ reader, acknowledged }) => ({ reader, acknowledged })), places.map(({ reader, acknowledged }) => ({ reader, acknowledged })))
      t.same(idsOf(await trainer.do<Taken[]>('take_all', { count: later.length })), later)
    })

    await t.test('a server that crashes and comes back costs nothing', async t => {
      const fixture = await open(t, kind)
      const { server, prefix, bus } = fixture
      const ids = [...(await play(bus, 'r1')).keys()]
      const trainer = startSamplePeer(t, server.url, prefix)
      await trainer.do('open', { limits })
      t.equal((await trainer.do<Taken[]>('take_all', { count: 3 })).length, 3)
      await server.kill()
      await trainer.do('acknowledge', { ids: ids.slice(0, 2) })
      await server.start()
      const rest = await trainer.do<Taken[]>('take_all', { count: ids.length - 3 })
      t.same(idsOf(rest), ids.slice(3))
      while (!bus.isConnected) await systemClock.sleep(20)
      const later = ['r2.e0001.break', 'r2.e0002.break']
      await publish(t, fixture, later.map(id => [id, packSample({ sample: settled(id.slice(3)), trajectory: null })]))
      t.same(idsOf(await trainer.do<Taken[]>('take_all', { count: later.length })), later)
      await trainer.do('acknowledge', { ids: [...ids, ...later] })
      while ((await bus.log.samples.place('trainer'))!.held > 0) await systemClock.sleep(50)
      t.match(await bus.log.samples.place('trainer'), { held: 0, waiting: 0 }, 'what was acknowledged while the server was away was told again')
    })

    await t.test('what one side announces of a policy the other reads', async t => {
      const { server, prefix, bus } = await open(t, kind)
      const trainer = startSamplePeer(t, server.url, prefix)
      t.same(await trainer.do('served'), [])
      await announcePolicy(bus, { model: 'org/a model', version: 'step-1', at: 1_700_000_000_123 })
      t.same(await trainer.do('served'), [{ model: 'org/a model', version: 'step-1', at: 1_700_000_000_123 }])
      const { at } = await trainer.do<{ at: number }>('announce', { model: 'org/a model', version: 'step-2' })
      await trainer.do('announce', { model: 'another', version: '7' })
      t.match(await listPolicies(bus), [{ model: 'another', version: '7' }, { model: 'org/a model', version: 'step-2', at }])
      t.ok(Math.abs(at - Date.now()) < 60_000)
      await t.rejects(trainer.do('announce', { model: 'm', version: 'a\nb' }), { code: 'ValueError' })
      await bus.kv.policies.put('newer', pack({ schema_version: 2 }))
      await t.rejects(trainer.do('served'), { code: 'CLUSTER_SCHEMA_NEWER' })
      await bus.kv.policies.remove('newer')
      t.equal((await trainer.do<unknown[]>('served')).length, 2)
    })
  })
}
