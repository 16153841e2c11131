// Goal: runs of a cluster are shown as they are now, however many there are and whatever lies on the bus. Method: a bus in memory with
// documents and records written by hand, and a clock whose time can be moved on.

import t, { type Test } from 'tap'
import { createMemoryBroker } from '../../src/bus/memory.ts'
import type { Bus, Log } from '../../src/bus/types.ts'
import { systemClock } from '../../src/clock.ts'
import { pack } from '../../src/cluster/codec.ts'
import { deliver } from '../../src/cluster/deliver.ts'
import { createDocument } from '../../src/cluster/document.ts'
import { recordKey, sampleKey, settledKey } from '../../src/cluster/keys.ts'
import { createRecords } from '../../src/cluster/records.ts'
import { createRetry } from '../../src/cluster/retry.ts'
import { SparError } from '../../src/errors.ts'
import type { EpisodesView } from '../../src/inspect/protocol.ts'
import { busReaderLimits, busReaders } from '../../src/inspect/records/bus.ts'
import type { RunReaders } from '../../src/inspect/records/types.ts'
import { createSource } from '../../src/inspect/source.ts'
import type { Clock } from '../../src/ports.ts'
import { documentOf } from '../helpers/cluster-fixture.ts'

const { runsMax, openMax, idleMs, idleManyMs } = busReaderLimits

interface Shown { bus: Bus; clock: Clock; readers: RunReaders; /** Moves time on. */ pass (ms: number): void }

/** Runs that are over, `r1` the oldest, but for those that are named. */
async function show (t: Test, runs: number, open: string[] = [], around: (bus: Bus) => Bus = bus => bus): Promise<Shown> {
  const bus = around(createMemoryBroker({ clock: systemClock }).connect())
  let passed = 0
  const clock: Clock = { ...systemClock, now: () => systemClock.now() + passed }
  const readers = busReaders({ bus, clock, retry: createRetry(systemClock, { retryMsMin: 1, retryMsMax: 10, retryForMs: 100 }) })
  t.teardown(async () => {
    readers.close()
    await bus.close()
  })
  for (let n = 1; n <= runs; n++) await createDocument(bus, { ...documentOf(`r${n}`), submittedAt: n, state: open.includes(`r${n}`) ? 'running' : 'done' })
  return { bus, clock, readers, pass: ms => { passed += ms } }
}

const settle = async (bus: Bus, run: string, episode: string): Promise<unknown> =>
  await bus.log.records.create(settledKey(run, episode), pack({ outcome: { episodeId: episode, ending: { kind: 'fault', outcome: 'infra_fault', reason: 'x' }, bugs: [] } }))

t.test('the list has what is not over first, says how many are left out, and takes nobody\'s run away', async t => {
  const { readers } = await show(t, runsMax + 4, ['r1', 'r3'])
  const { listed, leftOut } = await readers.list()
  t.same(listed.map(({ run }) => run).slice(0, 3), ['r3', 'r1', `r${runsMax + 4}`])
  t.same([listed.length, leftOut], [runsMax, 4])
  const beyond = await readers.get('r2')
  t.equal((await readers.list()).listed.every((reader, index) => reader === listed[index]), true)
  t.equal(await readers.get('r2'), beyond, 'it is followed on')
  t.equal(await readers.get('none'), null)
})

t.test('above the limit a run is refused, until others are looked at no more', async t => {
  const { readers, pass } = await show(t, openMax + 1)
  const first = await readers.get('r1')
  for (let n = 2; n <= openMax; n++) await readers.get(`r${n}`)
  await t.rejects(readers.get(`r${openMax + 1}`), { code: 'INSPECT_BUSY', message: /openMax/, retryable: true })
  pass(idleManyMs + 1)
  t.equal((await readers.get(`r${openMax + 1}`))!.run, `r${openMax + 1}`)
  t.not(await readers.get('r1'), first)
})

t.test('a topic goes on where its run was let go and is followed anew', async t => {
  const { bus, clock, readers, pass } = await show(t, 2, ['r1'])
  const source = createSource({ kind: 'cluster', nodes: null, readers, machines: () => [], clock, runs: null, around: async () => ({ queues: [], policies: [] }), limits: { recordsMs: 10 } })
  const over = new AbortController()
  const topics = ['training/r1', 'episodes/r1'].map(topic => source.open(topic, over.signal))
  await settle(bus, 'r1', 'e0001')
  for (const topic of topics) await topic.next()
  pass(idleMs + 1)
  await readers.get('r2')
  await settle(bus, 'r1', 'e0002')
  const [training, episodes] = await Promise.all(topics.map(async topic => (await topic.next()).value)) as unknown as [{ full: { points: { episodes: number }[] } }, { change: EpisodesView }]
  t.equal(training.full.points.reduce((sum, { episodes }) => sum + episodes, 0), 2)
  t.match(episodes.change.rows, [{ episode: 'e0002', state: 'done' }])
  over.abort()
  await Promise.all(topics.map(topic => topic.next()))
  await source.close()
})

t.test('a record that cannot be read is skipped and counted, and what comes behind it is shown', async t => {
  const { bus, readers } = await show(t, 1, ['r1'])
  await settle(bus, 'r1', 'e0001')
  await bus.log.records.create(settledKey('r1', 'e0002'), pack({ schema_version: 99 }))
  await bus.log.records.create(recordKey('r1', 'e0003.break', 'ended'), Buffer.from([0xc1]))
  await bus.log.samples.create(sampleKey('r1', 'e0001.break'), Buffer.from('?'))
  await settle(bus, 'r1', 'e0004')
  const reader = (await readers.get('r1'))!
  await reader.refresh()
  t.same([...reader.settled().keys()], ['e0001', 'e0004'])
  t.same(await reader.samples(), [])
  t.match(reader.faults(), [{ code: 'RECORD_UNREADABLE', count: 3, reason: /Cannot read the sample/, work: 'r1.e0001.break' }])
})

t.test('where nothing comes any more, whoever looks is told why, and the next look has everything once', async t => {
  const breaks: ((error: Error) => void)[] = []
  const { bus, readers } = await show(t, 1, ['r1'], bus => {
    const breaking = async function * <Entry> (entries: AsyncIterable<Entry>): AsyncGenerator<Entry> {
      const broken = new Promise<never>((_resolve, reject) => breaks.push(reject))
      broken.catch(() => {})
      const each = entries[Symbol.asyncIterator]()
      for (;;) {
        const next = await Promise.race([each.next(), broken])
        if (next.done === true) return
        yield next.value
      }
    }
    const log = (log: Log): Log => Object.assign(Object.create(log) as Log, { follow: (prefix: string, signal: AbortSignal) => breaking(log.follow(prefix, signal)) })
    return Object.assign(Object.create(bus) as Bus, { log: { records: log(bus.log.records), samples: log(bus.log.samples) } })
  })
  await bus.log.records.create(recordKey('r1', 'e0001.break', 'failed.1'), pack({ delivery: 1, node: 'n', at: 1, code: 'X', reason: 'x' }))
  const reader = (await readers.get('r1'))!
  const version = await reader.refresh()
  await reader.samples()
  const looks: (() => Promise<unknown>)[] = [() => reader.refresh(), () => reader.samples()]
  for (const [index, look] of looks.entries()) {
    await reader.samples()
    breaks.splice(0)[index]!(new Error('the stream is gone'))
    await new Promise(resolve => setImmediate(resolve))
    await t.rejects(look(), { message: 'the stream is gone' })
    t.ok(await reader.refresh() > version)
    t.match(reader.faults(), [{ code: 'X', count: 1 }])
  }
})

t.test('a fault counts once: not what a node that drains hands back, nor a quarantine behind its failures', async t => {
  const { bus, clock, readers } = await show(t, 1, ['r1'])
  const [failing, lost] = ['e0001.break', 'e0002.break'] as const
  const records = createRecords(bus, createRetry(systemClock, { retryMsMin: 1, retryMsMax: 10, retryForMs: 100 }))
  const work = async (id: string, delivery: number, draining = AbortSignal.abort()) => await deliver(
    { subject: { kind: 'rollout', arena: 'a', run: 'r1', id }, bytes: new Uint8Array(), delivery, ack: async () => {}, working () {}, again () {} },
    {
      isDone: async () => false, cancel: async () => {}, play: async () => { throw new SparError('SANDBOX_LOST', 'no engine') },
      quarantine: async (why, delivery) => { await records.end('r1', id, { kind: 'quarantined', ...why, delivery, node: 'n', startedAt: 1, at: 2 }) }
    },
    { clock, records, node: 'n', holder: { hold: () => () => {} }, limits: { failuresMax: 2, deliveriesMax: 3 } }, { cancelled: new AbortController().signal, draining })
  t.match(await work(failing, 1), { kind: 'handedBack' })
  for (const delivery of [2, 3]) await work(failing, delivery, new AbortController().signal)
  t.match(await work(lost, 4, new AbortController().signal), { kind: 'quarantined', code: 'NODE_LOST' })
  const reader = (await readers.get('r1'))!
  await reader.refresh()
  t.match(reader.faults(), [{ code: 'SANDBOX_LOST', count: 2 }, { code: 'NODE_LOST', count: 1 }])
  t.equal(reader.faults().length, 2)
})
