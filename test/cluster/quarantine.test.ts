// Goal: what is in quarantine comes back, and a run of the cluster is a folder like any other. Method: the memory bus, stand-in
// handlers of which one fails until it is told not to.

import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { createMemoryBroker } from '../../src/bus/memory.ts'
import type { Bus } from '../../src/bus/types.ts'
import { systemClock } from '../../src/clock.ts'
import { fetchRun } from '../../src/cluster/fetch.ts'
import { outcomesOf } from '../../src/cluster/outcomes.ts'
import { createDocument } from '../../src/cluster/document.ts'
import { createRecords } from '../../src/cluster/records.ts'
import { listQuarantine, resubmit } from '../../src/cluster/quarantine.ts'
import { createRetry } from '../../src/cluster/retry.ts'
import { SparError } from '../../src/errors.ts'
import type { Sample } from '../../src/run/results.ts'
import type { SettledEpisode } from '../../src/run/settle.ts'
import { openRunStore } from '../../src/store/run.ts'
import { countLedger, documentOf, ended, startTestNode, submit } from '../helpers/cluster-fixture.ts'
import { testFolder } from '../helpers/test-folder.ts'

const retry = createRetry(systemClock)
const versions = { spar: '0', node: 'v20' }

t.test('work in quarantine is listed, put back, and its episode ends anew with it', async t => {
  const bus = createMemoryBroker({ clock: systemClock }).connect()
  let isBroken = true
  const node = startTestNode({ bus, nodeId: 'n1', standIn: { before: ({ work }) => { if (isBroken && work.id === 'e0001.solve.1.2') throw new SparError('SANDBOX_LOST', 'the sandbox was lost', { retryable: true }) } } })
  t.teardown(async () => { node.drain(); await node.ended; await bus.close() })
  await submit(bus, documentOf('again', { seed: 2, episodes: 2 }))
  await ended(bus, 'again')
  const works = await listQuarantine(bus, 'again')
  t.match(works, [{ work: 'e0001.solve.1.2', code: 'SANDBOX_LOST', failures: { length: 4 } }])

  isBroken = false
  await resubmit(bus, retry, 'again', works)
  while ((await listQuarantine(bus, 'again')).length > 0 || (await countLedger(bus, 'again')).totals().open > 0 || (await countLedger(bus, 'again')).episodes() < 2) await systemClock.sleep(10)
  const { document, ledger, samples } = await ended(bus, 'again')
  t.equal(document.state, 'done')
  const { dispatched, settled } = ledger.totals()
  t.equal(dispatched, settled)
  t.equal(samples.get('again.e0001.solve.1.2'), 1, 'the rollout that had no reward has a sample, once')

  const out = join(testFolder(t), 'run')
  await fetchRun({ bus, retry, versions }, 'again', out)
  const rollout = openRunStore(out).samples.all().find(({ rollout_id: id }) => id === 'e0001.solve.1.2') as Sample
  t.type(rollout.reward, 'number')
})

t.test('work that is put back in the moment in which its run ends is led to its end', async t => {
  const bus = createMemoryBroker({ clock: systemClock }).connect()
  let isBroken = true
  const pull: Bus['queue']['pull'] = async (...given) => {
    const message = await bus.queue.pull(...given)
    if (message?.subject.kind !== 'run') return message
    return { ...message, async ack () {
      if (isBroken) {
        isBroken = false
        await resubmit(bus, retry, 'late', await listQuarantine(bus, 'late'))
      }
      await message.ack()
    } }
  }
  const node = startTestNode({ bus: { ...bus, queue: { ...bus.queue, pull } }, nodeId: 'n1', standIn: { before: ({ work }) => { if (isBroken && work.id === 'e0001.solve.1.2') throw new SparError('SANDBOX_LOST', 'the sandbox was lost', { retryable: true }) } } })
  t.teardown(async () => { node.drain(); await node.ended; await bus.close() })
  await submit(bus, documentOf('late', { seed: 2, episodes: 2 }))
  while (isBroken || (await bus.queue.subjects()).length > 0) await systemClock.sleep(10)
  const { document, ledger } = await ended(bus, 'late')
  t.equal(document.state, 'done')
  t.equal(ledger.totals().quarantined, 0)
  t.equal(ledger.episodes(), 2)
})

t.test('an episode that is put back while others are played is played at once; nobody removes an ending that came later', async t => {
  const bus = createMemoryBroker({ clock: systemClock }).connect()
  let isBroken = true
  let letGo = (): void => {}
  const held = new Promise<void>(resolve => { letGo = resolve })
  const node = startTestNode({ bus, nodeId: 'n1', limits: { readdMs: 100 }, standIn: { before: async ({ work }) => {
    if (work.id === 'e0002.break') await held
    if (isBroken && work.id === 'e0001.solve.1.2') throw new SparError('SANDBOX_LOST', 'the sandbox was lost', { retryable: true })
  } } })
  t.teardown(async () => { node.drain(); await node.ended; await bus.close() })
  await submit(bus, documentOf('busy', { seed: 2, episodes: 2 }))
  const hasOutcome = async (): Promise<boolean> => (await outcomesOf(bus, 'busy')).values.has('e0001')
  while (!await hasOutcome() || (await bus.queue.depth('episode', 'any')).taken > 1) await systemClock.sleep(5)
  const works = await listQuarantine(bus, 'busy')
  t.equal(works.length, 1)
  isBroken = false
  t.same(await resubmit(bus, retry, 'busy', works), ['e0001'])
  t.notOk(await hasOutcome())
  while (!await hasOutcome()) await systemClock.sleep(5)
  const kept = await bus.log.records.get('busy.work.e0001.solve.1.2.ended')
  await resubmit(bus, retry, 'busy', works)
  t.same(await bus.log.records.get('busy.work.e0001.solve.1.2.ended'), kept, 'somebody else had put it back')
  letGo()
  const { document, ledger } = await ended(bus, 'busy')
  t.equal(document.state, 'done')
  t.match(ledger.totals(), { open: 0, quarantined: 0 })
})

t.test('an outcome and samples of an owner that does not know that its episode was put back count for nobody', async t => {
  const bus = createMemoryBroker({ clock: systemClock }).connect()
  let isBroken = true
  const create: Bus['log']['records']['create'] = async (key, bytes) => {
    // The owner has settled all but for this write, its samples too.
    if (isBroken && key === 'stale.settled.e0001') {
      isBroken = false
      await resubmit(bus, retry, 'stale', await listQuarantine(bus, 'stale'))
    }
    return await bus.log.records.create(key, bytes)
  }
  const seen = { ...bus, log: { ...bus.log, records: { ...bus.log.records, create } } }
  const node = startTestNode({ bus: seen, nodeId: 'n1', limits: { readdMs: 100 }, standIn: { before: ({ work }) => { if (isBroken && work.id === 'e0001.solve.1.2') throw new SparError('SANDBOX_LOST', 'the sandbox was lost', { retryable: true }) } } })
  t.teardown(async () => { node.drain(); await node.ended; await bus.close() })
  await submit(bus, documentOf('stale', { seed: 2, episodes: 2 }))
  const { document, ledger, samples } = await ended(bus, 'stale')
  t.equal(document.state, 'done')
  t.match(ledger.totals(), { open: 0, quarantined: 0 })
  t.equal(ledger.episodes(), 2)
  t.notSame([await bus.log.records.get('stale.settled.e0001'), await bus.log.records.get('stale.settled.e0001.1')], [null, null])
  t.equal(samples.get('stale.e0001.solve.1.2'), 1)
  t.equal(samples.get('stale.e0001.solve.1.2.scored'), 1, 'one without a reward is followed by one that has it')
  const out = join(testFolder(t), 'run')
  await fetchRun({ bus, retry, versions }, 'stale', out)
  const store = openRunStore(out)
  const outcome = store.result('e0001.settle') as SettledEpisode
  t.match(outcome.bugs[0]!.attempts[2], { member: 2, outcome: 'scored' })
  t.same(store.samples.all().filter(({ rollout_id: id }) => id === 'e0001.solve.1.2').map(({ reward }) => typeof reward), ['number'])
})

t.test('what was cancelled is not put back', async t => {
  const bus = createMemoryBroker({ clock: systemClock }).connect()
  await createDocument(bus, { ...documentOf('over'), state: 'cancelled' })
  await t.rejects(resubmit(bus, retry, 'over', []), { code: 'RUN_FINAL' })
  t.same(await bus.queue.subjects(), [])
  // Whoever was stopped when the run was cancelled had opened it again.
  await createRecords(bus, retry).dispatch('over', 'e0001.break', { kind: 'break', arena: 'one', at: 1 })
  await t.rejects(resubmit(bus, retry, 'over', []), { code: 'RUN_FINAL' })
  const node = startTestNode({ bus, nodeId: 'n1' })
  while ((await countLedger(bus, 'over')).totals().open > 0) await systemClock.sleep(10)
  t.match((await countLedger(bus, 'over')).totals(), { dispatched: 1, cancelled: 1 })
  node.drain()
  await node.ended
})

t.test('a run on two arenas is fetched as two folders, and fetching again adds what has come since', async t => {
  const bus = createMemoryBroker({ clock: systemClock }).connect()
  const node = startTestNode({ bus, nodeId: 'n1', standIn: { trajectoryBytes: 100_000 } })
  t.teardown(async () => { node.drain(); await node.ended; await bus.close() })
  const out = testFolder(t)
  await submit(bus, documentOf('two', { episodes: 4 }, ['one', 'other']))
  await ended(bus, 'two')
  const fetched = await fetchRun({ bus, retry, versions }, 'two', out)
  t.match(fetched, [{ dir: join(out, '0-one'), episodes: 2 }, { dir: join(out, '1-other'), episodes: 2 }])
  for (const { dir } of fetched) {
    const store = openRunStore(dir)
    const { dispatched, settled } = store.ledger.totals()
    t.equal(dispatched, settled)
    for (const { trajectory } of store.samples.all()) t.equal(readFileSync(join(dir, trajectory)).length, 100_000, 'what is too large for a record comes from the objects')
    t.ok(existsSync(join(dir, 'summary.json')))
  }
  t.same(await fetchRun({ bus, retry, versions }, 'two', out), fetched)
  await t.rejects(fetchRun({ bus, retry, versions }, 'none', out), { code: 'RUN_NOT_FOUND' })
})
