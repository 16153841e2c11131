// Goal: what is a fault of the bus or of a node stays one: it is no failure of the work, no outcome of an attempt, and costs no
// run its leader. Method: the memory bus with a wire that fails at one place, stand-in handlers, one cause a test.

import { join } from 'node:path'
import t, { type Test } from 'tap'
import { createMemoryBroker } from '../../src/bus/memory.ts'
import type { Bus, Log, QueueMessage } from '../../src/bus/types.ts'
import { systemClock } from '../../src/clock.ts'
import { changeDocument } from '../../src/cluster/document.ts'
import { deliver, type Task } from '../../src/cluster/deliver.ts'
import { unpack } from '../../src/cluster/codec.ts'
import type { Failure, Records } from '../../src/cluster/records.ts'
import { fetchRun } from '../../src/cluster/fetch.ts'
import { createHolder } from '../../src/cluster/holder.ts'
import { createRetry } from '../../src/cluster/retry.ts'
import { SparError } from '../../src/errors.ts'
import type { EpisodeOutcome } from '../../machines/episode.ts'
import { countLedger, documentOf, ended, severable, startTestNode, submit, type NodeFixture } from '../helpers/cluster-fixture.ts'
import { testFolder } from '../helpers/test-folder.ts'

const never = (): AbortSignal => new AbortController().signal
const away = (): SparError => new SparError('BUS_UNAVAILABLE', 'Cannot reach the bus', { retryable: true })

/** The bus with another log of records. */
const withRecords = (bus: Bus, change: (records: Log) => Partial<Log>): Bus => ({ ...bus, isConnected: true, log: { ...bus.log, records: { ...bus.log.records, ...change(bus.log.records) } } })

function start (t: Test, fixture: NodeFixture): void {
  const node = startTestNode(fixture)
  t.teardown(async () => {
    node.drain()
    await node.ended
    await fixture.bus.close()
  })
}

/** Delivers a task once, and says what became of the message. */
async function delivered (task: Partial<Task>, delivery = 1): Promise<{ kind: string; failures: Failure[]; answers: string[] }> {
  const failures: Failure[] = []
  const answers: string[] = []
  const message: QueueMessage = { subject: { kind: 'rollout', arena: 'a', run: 'r', id: 'e0001.break' }, bytes: new Uint8Array(), delivery, ack: async () => { answers.push('ack') }, working: () => {}, again: () => { answers.push('again') } }
  const records = { fail: async (_run: string, _work: string, failure: Failure) => { failures.push(failure) }, failures: async () => [] } as unknown as Records
  const whole: Task = { isDone: async () => false, play: async () => {}, cancel: async () => {}, quarantine: async () => {}, ...task }
  const { kind } = await deliver(message, whole, { clock: systemClock, records, node: 'n1', holder: createHolder(systemClock, 1000, never()) }, { cancelled: never(), draining: never() })
  return { kind, failures, answers }
}

t.test('a bus that was away is no failure of the work, one that refuses it is', async t => {
  const throwing = (error: SparError): Partial<Task> => ({ play: async () => { throw error } })
  for (const error of [away(), new SparError('BUS_FULL', 'Cannot write', { retryable: true }), new SparError('BUS_CLOSED', 'Cannot write')]) {
    t.match(await delivered(throwing(error)), { kind: 'interrupted', failures: [], answers: ['again'] }, error.code)
  }
  for (const error of [new SparError('BUS_TOO_LARGE', 'Cannot write'), new SparError('SANDBOX_LOST', 'Lost', { retryable: true })]) {
    t.match(await delivered(throwing(error)), { kind: 'failed', failures: [{ code: error.code }], answers: ['again'] }, error.code)
  }
})

t.test('work has as many deliveries as its limit says, and as its task says', async t => {
  t.match(await delivered({}, 17), { kind: 'quarantined' })
  t.match(await delivered({ deliveriesMax: Infinity }, 17), { kind: 'settled' })
})

t.test('what was handed back counts neither as failed nor as lost', async t => {
  const broker = createMemoryBroker({ clock: systemClock, ackWaitMs: 2_000, nodeTtlMs: 600 })
  const bus = broker.connect()
  await submit(bus, documentOf('handed', { episodes: 1, seed: 2 }))
  // Three nodes take an attempt and leave before it is done; the limit is two.
  for (const nodeId of ['d1', 'd2', 'd3']) {
    const node = startTestNode({ bus: broker.connect(), nodeId, drainMs: 1, limits: { deliveriesMax: 2 }, standIn: { before: async ({ work, signal }) => { if (work.kind === 'break') await systemClock.sleep(60_000, signal) } } })
    while (node.presence().slots['run']!.busy < 1) await systemClock.sleep(5)
    node.drain()
    await node.ended
  }
  start(t, { bus: broker.connect(), nodeId: 'stays', limits: { deliveriesMax: 2 } })
  const { document, ledger } = await ended(bus, 'handed')
  t.equal(document.state, 'done')
  t.equal(ledger.totals().quarantined, 0)
  t.not(await bus.log.records.get('handed.work.lead.failed.1'), null, 'the lead was handed back too')
  const fetched = await fetchRun({ bus, retry: createRetry(systemClock), versions: { spar: '0', node: '0' } }, 'handed', join(testFolder(t), 'run'))
  t.match(fetched, [{ episodes: 1 }], 'and hinders nobody from fetching the run')
})

t.test('a run is led on, however many leaders were lost', async t => {
  const broker = createMemoryBroker({ clock: systemClock, ackWaitMs: 150, nodeTtlMs: 600 })
  const bus = broker.connect()
  await submit(bus, documentOf('led', { episodes: 2 }))
  for (const nodeId of ['lost1', 'lost2']) {
    const cut = severable(broker.connect())
    let isCut = false
    const lost = startTestNode({ bus: cut.bus, nodeId, drainMs: 1, open: async () => { await systemClock.sleep(30); cut.sever(); isCut = true; return await new Promise<never>(() => {}) } })
    t.teardown(async () => { cut.mend(); lost.drain(); await lost.ended })
    while (!isCut) await systemClock.sleep(5)
  }
  start(t, { bus: broker.connect(), nodeId: 'alive', limits: { deliveriesMax: 2 } })
  t.match(await ended(bus, 'led'), { document: { state: 'done' } })
})

t.test('an attempt whose ending could not be read has no outcome: the episode is played on', async t => {
  const broker = createMemoryBroker({ clock: systemClock, ackWaitMs: 300, nodeTtlMs: 600 })
  const bus = broker.connect()
  let breaks = 0
  const flaky = withRecords(broker.connect(), records => ({
    async * follow (prefix, signal) {
      for await (const entry of records.follow(prefix, signal)) {
        // The owner loses sight of its attempts, twice.
        if (prefix === 'blind.work.e0001' && entry !== null && entry.key.includes('.solve.') && entry.key.endsWith('.ended') && breaks < 2) { breaks++; throw away() }
        yield entry
      }
    }
  }))
  start(t, { bus: flaky, nodeId: 'n1', standIn: { before: async ({ work }) => { if (work.kind === 'solve') await systemClock.sleep(20) } } })
  await submit(bus, documentOf('blind', { episodes: 1, seed: 2 }))
  await ended(bus, 'blind')
  t.equal(breaks, 2)
  const bytes = await bus.log.records.get('blind.settled.e0001')
  const { outcome } = unpack<{ outcome: EpisodeOutcome }>(bytes!, 'outcome')
  t.same(outcome.bugs.flatMap(({ attempts }) => attempts).filter(({ outcome }) => outcome === 'infra_fault'), [])
})

t.test('what was dispatched while a run was cancelled is ended with it', async t => {
  const broker = createMemoryBroker({ clock: systemClock, ackWaitMs: 300, nodeTtlMs: 600 })
  const bus = broker.connect()
  // The ledger is written slowly: what it does not know yet, cancelling cannot end.
  const slow = withRecords(broker.connect(), records => ({
    async create (key, bytes) {
      if (key.endsWith('.dispatched')) await systemClock.sleep(120)
      return await records.create(key, bytes)
    }
  }))
  start(t, { bus: slow, nodeId: 'n1', slots: { run: 0, verify: 0, grade: 0 } })
  await submit(bus, documentOf('slow', { episodes: 8 }))
  // Owned by now, and their first work on its way.
  while ((await bus.queue.depth('episode', 'any')).taken < 4) await systemClock.sleep(2)
  await changeDocument(bus, 'slow', document => ({ ...document, state: 'cancelled', reason: 'enough' }))
  await systemClock.sleep(400)
  const since = systemClock.now()
  while ((await countLedger(bus, 'slow')).totals().open > 0 && systemClock.now() - since < 5_000) await systemClock.sleep(20)
  const { open, cancelled } = (await countLedger(bus, 'slow')).totals()
  t.equal(open, 0)
  t.ok(cancelled > 0)
})

t.test('work that the bus has lost is put on the queue again by who waits for it', async t => {
  const broker = createMemoryBroker({ clock: systemClock, ackWaitMs: 300, nodeTtlMs: 600 })
  const bus = broker.connect()
  let lost = 0
  const forgetful: Bus = { ...broker.connect(), isConnected: true }
  // Of every attempt the first message is confirmed, and gone.
  const queue = { ...forgetful.queue, add: async (...given: Parameters<Bus['queue']['add']>) => {
    if (given[0].id.includes('.solve.') && lost < 4) { lost++; return 'added' as const }
    return await forgetful.queue.add(...given)
  } }
  start(t, { bus: { ...forgetful, queue }, nodeId: 'n1', limits: { readdMs: 100 } })
  await submit(bus, documentOf('lossy', { episodes: 1, seed: 2 }))
  t.match(await ended(bus, 'lossy'), { document: { state: 'done' } })
  t.equal(lost, 4)
})
