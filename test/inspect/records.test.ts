// Goal: runs of a cluster are shown as they are now, however many there are and whatever lies on the bus. Method: a bus in memory with
// documents and records written by hand, and a clock whose time can be moved on.

import t, { type Test } from 'tap'
import { createMemoryBroker } from '../../src/bus/memory.ts'
import type { Bus } from '../../src/bus/types.ts'
import { systemClock } from '../../src/clock.ts'
import { pack } from '../../src/cluster/codec.ts'
import { createDocument } from '../../src/cluster/document.ts'
import { settledKey } from '../../src/cluster/keys.ts'
import { createRetry } from '../../src/cluster/retry.ts'
import type { EpisodesView } from '../../src/inspect/protocol.ts'
import { busReaderLimits, busReaders } from '../../src/inspect/records/bus.ts'
import type { RunReaders } from '../../src/inspect/records/types.ts'
import { createSource } from '../../src/inspect/source.ts'
import type { Clock } from '../../src/ports.ts'
import { documentOf } from '../helpers/cluster-fixture.ts'

const { runsMax, openMax, idleMs, idleManyMs } = busReaderLimits

interface Shown { bus: Bus; clock: Clock; readers: RunReaders; /** Moves time on. */ pass (ms: number): void }

/** Runs that are over, `r1` the oldest, but for those that are named. */
async function show (t: Test, runs: number, open: string[] = []): Promise<Shown> {
  const bus = createMemoryBroker({ clock: systemClock }).connect()
  let passed = 0
  const clock: Clock = { now: () => systemClock.now() + passed, sleep: systemClock.sleep }
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
