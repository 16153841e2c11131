// Nodes on one bus play a run to its end, whatever happens to one of them: stand-in handlers whose answers follow from the ids,
// and faults in between. Run on every kind of bus.

import type { Test } from 'tap'
import type { Bus } from '../../src/bus/types.ts'
import { changeDocument, getDocument } from '../../src/cluster/document.ts'
import { unpack } from '../../src/cluster/codec.ts'
import { listNodes } from '../../src/cluster/presence.ts'
import { systemClock } from '../../src/clock.ts'
import { SparError } from '../../src/errors.ts'
import { createRegistry } from '../../src/inspect/registry.ts'
import type { EpisodeOutcome } from '../../machines/episode.ts'
import { breakUntilCancelled, cancelByHand } from '../helpers/cancelled-by-hand.ts'
import { countLedger, documentOf, ended, severable, standInHandlers, startTestNode, submit, untilAborted, type NodeFixture, type TestNode } from '../helpers/cluster-fixture.ts'

export interface Cluster { connect (): Promise<Bus> }
/** A bus of its own for each call. */
export type OpenCluster = (t: Test, ackWaitMs: number) => Promise<Cluster>

/** Leases that hold on a busy machine, and those that are meant to run out. */
const longMs = 4_000
const shortMs = 1_000

/** Nodes that are drained when the test is over. */
function nodesOf (t: Test): (fixture: NodeFixture) => TestNode {
  return fixture => {
    const node = startTestNode(fixture)
    t.teardown(async () => {
      node.drain()
      await node.ended
      await fixture.bus.close()
    })
    return node
  }
}

async function outcomesOf (bus: Bus, run: string): Promise<Record<string, EpisodeOutcome>> {
  const outcomes: Record<string, EpisodeOutcome> = {}
  for await (const entry of bus.log.records.follow(`${run}.settled`, new AbortController().signal)) {
    if (entry === null) break
    outcomes[entry.key.split('.').at(-1)!] = unpack<{ outcome: EpisodeOutcome }>(entry.bytes, entry.key).outcome
  }
  return outcomes
}

/** What one undisturbed node makes of a document. */
async function undisturbed (broker: Cluster, name: string, targets?: string[]): Promise<Record<string, EpisodeOutcome>> {
  const bus = await broker.connect()
  const node = startTestNode({ bus, nodeId: 'alone' })
  await submit(bus, documentOf(name, {}, targets))
  await ended(bus, name)
  node.drain()
  await node.ended
  const outcomes = await outcomesOf(bus, name)
  await bus.close()
  return outcomes
}

async function assertWhole (t: Test, bus: Bus, run: string): Promise<void> {
  const { ledger, samples } = await ended(bus, run)
  const { dispatched, settled, cancelled, quarantined, open } = ledger.totals()
  t.equal(open, 0, 'nothing is open')
  t.equal(dispatched, settled + cancelled + quarantined)
  t.ok([...samples.values()].every(count => count === 1), 'no sample twice')
}

/** Waits until nothing is in flight, and nothing more comes for a while. */
async function quiet (bus: Bus, run: string): Promise<void> {
  for (let before = -1; ;) {
    const { open, dispatched } = (await countLedger(bus, run)).totals()
    if (open === 0 && dispatched === before) return
    before = dispatched
    await systemClock.sleep(500)
  }
}

export function clusterSuite (t: Test, open: OpenCluster): void {
  t.test('one node plays a run to its end, and the ledger balances', async t => {
    const bus = await (await open(t, longMs)).connect()
    const node = nodesOf(t)({ bus, nodeId: 'n1' })
    await node.ready
    await submit(bus, documentOf('r1'))
    await assertWhole(t, bus, 'r1')
    const { ledger, document, samples } = await ended(bus, 'r1')
    t.equal(document.state, 'done')
    t.equal(ledger.episodes(), 6)
    t.ok(ledger.totals().settled > 40, `${ledger.totals().settled} pieces of work`)
    t.ok(samples.size >= 6 + 4, 'of every rollout a sample')
    t.equal(ledger.totals().quarantined, 0)
  })

  t.test('a rollout that is cancelled by hand is over: cancelled in the ledger, without a reward, and not issued again', async t => {
    const broker = await open(t, longMs)
    const registry = createRegistry({ node: 'n1', clock: systemClock })
    const { break: answer, ...handlers } = standInHandlers()
    let deliveries = 0
    const node = nodesOf(t)({ bus: await broker.connect(), nodeId: 'n1', registry, handlers: { ...handlers, break: async (place, delivery) => {
      if (delivery.work.id !== 'e0001.break') return await answer(place, delivery)
      deliveries++
      return await breakUntilCancelled(place, delivery)
    } } })
    await node.ready
    const bus = await broker.connect()
    await submit(bus, documentOf('byhand', { episodes: 2 }))
    await cancelByHand(registry, 'byhand', 'e0001.break')
    await assertWhole(t, bus, 'byhand')
    const { document, ledger, samples } = await ended(bus, 'byhand')
    t.equal(document.state, 'done')
    t.match(ledger.totals(), { cancelled: 1, quarantined: 0 })
    t.equal(deliveries, 1)
    t.match((await outcomesOf(bus, 'byhand'))['e0001'], { ending: { kind: 'fault', outcome: 'cancelled', reason: 'cancelled by hand' }, bugs: [] })
    t.equal(samples.get('byhand.e0001.break'), 1)
    t.match(unpack((await bus.log.samples.get('byhand.e0001.break'))!, 'the sample'), { sample: { outcome: 'cancelled', reward: null } })
    t.match(node.events.filter(event => event.type === 'delivered' && event.work === 'e0001.break'), [{ outcome: 'cancelled', delivery: 1 }])
  })

  t.test('samples of a group and of its breaker are there before a bug of the second order is played', async t => {
    const broker = await open(t, longMs)
    const bus = await broker.connect()
    const { solve, ...handlers } = standInHandlers()
    const late: string[] = []
    let seen = 0
    await nodesOf(t)({ bus: await broker.connect(), nodeId: 'n1', handlers: { ...handlers, solve: async (place, delivery) => {
      const { id } = delivery.work
      const [episode, , order, member] = id.split('.')
      if (order === '2') {
        seen++
        for (const rollout of [`${episode}.break`, `${episode}.solve.1.${member}`]) if (await bus.log.samples.get(`early.${rollout}`) === null) late.push(rollout)
      }
      return await solve(place, delivery)
    } } }).ready
    await submit(bus, documentOf('early', { episodes: 6 }))
    await assertWhole(t, bus, 'early')
    t.ok(seen > 0, 'second orders were played')
    t.same(late, [])
  })

  t.test('two nodes share the work of several arenas, and settle what one alone settles', async t => {
    const expected = await undisturbed(await open(t, longMs), 'same', ['one', 'two', 'three'])
    const broker = await open(t, longMs)
    const start = nodesOf(t)
    const buses = await Promise.all([broker.connect(), broker.connect()])
    const [one, two] = buses.map((bus, index) => start({ bus, nodeId: `n${index + 1}`, standIn: { before: async () => { await systemClock.sleep(3) } } }))
    const bus = await broker.connect()
    await submit(bus, documentOf('same', {}, ['one', 'two', 'three']))
    await assertWhole(t, bus, 'same')
    t.same(await outcomesOf(bus, 'same'), expected)
    for (const node of [one!, two!]) t.ok(node.events.filter(({ type }) => type === 'delivered').length > 5, `${node.nodeId} took its share`)
  })

  t.test('what a node that vanished had taken is played by another, and nothing twice', async t => {
    const expected = await undisturbed(await open(t, longMs), 'vanish')
    const broker = await open(t, shortMs)
    const start = nodesOf(t)
    const cut = severable(await broker.connect())
    // The first node stops in the middle of an attempt, as a killed process does.
    let isCut = false
    const gone = startTestNode({ bus: cut.bus, nodeId: 'n1', drainMs: 1, standIn: { before: async ({ work, signal }) => {
      if (work.kind !== 'solve' || isCut) return
      isCut = true
      cut.sever()
      await untilAborted(signal)
    } } })
    const bus = await broker.connect()
    await submit(bus, documentOf('vanish'))
    while (!isCut) await systemClock.sleep(5)
    start({ bus: await broker.connect(), nodeId: 'n2' })
    await assertWhole(t, bus, 'vanish')
    t.same(await outcomesOf(bus, 'vanish'), expected)
    cut.mend()
    gone.drain()
    await gone.ended
  })

  t.test('a node that was paused for longer than its leases adds nothing and takes nothing away', async t => {
    const expected = await undisturbed(await open(t, longMs), 'paused')
    const broker = await open(t, shortMs)
    const start = nodesOf(t)
    const cut = severable(await broker.connect())
    let resume!: () => void
    const resumed = new Promise<void>(resolve => { resume = resolve })
    let isPaused = false
    const slow = startTestNode({ bus: cut.bus, nodeId: 'n1', standIn: { before: async ({ work }) => {
      if (work.kind !== 'solve' || isPaused) return
      isPaused = true
      cut.sever()
      await resumed
    } } })
    const bus = await broker.connect()
    await submit(bus, documentOf('paused'))
    while (!isPaused) await systemClock.sleep(5)
    start({ bus: await broker.connect(), nodeId: 'n2' })
    await assertWhole(t, bus, 'paused')
    const before = await outcomesOf(bus, 'paused')
    cut.mend()
    resume()
    await systemClock.sleep(300)
    t.same(await outcomesOf(bus, 'paused'), before)
    t.same(before, expected)
    await assertWhole(t, bus, 'paused')
    const episodes = slow.events.filter(event => event.type === 'delivered' && event.kind === 'episode').map(event => (event as { outcome: string }).outcome)
    t.ok(episodes.every(outcome => outcome === 'abandoned' || outcome === 'settled'), episodes.join())
    slow.drain()
    await slow.ended
  })

  t.test('work that fails again and again is put in quarantine with its evidence, and the episode goes on without it', async t => {
    const bus = await (await open(t, longMs)).connect()
    nodesOf(t)({ bus, nodeId: 'n1', standIn: { before: ({ work }) => { if (work.id === 'e0001.solve.1.2') throw new SparError('SANDBOX_LOST', 'the sandbox was lost', { retryable: true }) } } })
    await submit(bus, documentOf('poison', { seed: 2 }))
    await assertWhole(t, bus, 'poison')
    const { ledger } = await ended(bus, 'poison')
    t.equal(ledger.totals().quarantined, 1)
    const bytes = await bus.log.records.get('poison.work.e0001.solve.1.2.ended')
    t.match(unpack(bytes!, 'ending'), { kind: 'quarantined', code: 'SANDBOX_LOST', failures: [{ delivery: 1 }, { delivery: 2 }, { delivery: 3 }, { delivery: 4, node: 'n1', code: 'SANDBOX_LOST' }] })
    const { e0001 } = await outcomesOf(bus, 'poison')
    t.match(e0001!.bugs[0]!.attempts[2], { member: 2, outcome: 'infra_fault', solved: null })
    t.equal(e0001!.bugs[0]!.attempts.filter(({ outcome }) => outcome !== 'infra_fault').length, 3)
  })

  t.test('work that takes its node along is put in quarantine after deliveriesMax deliveries', async t => {
    const broker = await open(t, shortMs)
    const start = nodesOf(t)
    const bus = await broker.connect()
    await submit(bus, documentOf('killer', { episodes: 1 }))
    // Nodes that take the break and are never heard of again: its message comes back one delivery later. The episode is owned
    // by one that stays: what is owned has the same limit. One slot each: another would wait on, and take it again itself.
    const limits = { deliveriesMax: 3, failuresMax: 99 }
    start({ bus: await broker.connect(), nodeId: 'owner', limits, slots: { run: 0, verify: 0, grade: 0 } })
    for (let index = 0; index < 3; index++) {
      const cut = severable(await broker.connect())
      let isCut = false
      const dead = startTestNode({ bus: cut.bus, nodeId: `dead${index}`, limits, slots: { own: 0, run: 1 }, drainMs: 1, standIn: { before: async ({ signal }) => { isCut = true; cut.sever(); await untilAborted(signal) } } })
      t.teardown(async () => { cut.mend(); dead.drain(); await dead.ended })
      while (!isCut) await systemClock.sleep(5)
    }
    start({ bus: await broker.connect(), nodeId: 'alive', limits, slots: { own: 0 }, standIn: { before: ({ work }) => { if (work.kind === 'break') throw new Error('it must not be played') } } })
    await assertWhole(t, bus, 'killer')
    t.match(unpack((await bus.log.records.get('killer.work.e0001.break.ended'))!, 'ending'), { kind: 'quarantined', code: 'NODE_LOST' })
  })

  t.test('pausing starts no episode, resuming goes on', async t => {
    const bus = await (await open(t, longMs)).connect()
    nodesOf(t)({ bus, nodeId: 'n1', standIn: { before: async () => { await systemClock.sleep(5) } } })
    await submit(bus, { ...documentOf('pausing', { episodes: 8 }), inFlight: 2 })
    while ((await countLedger(bus, 'pausing')).episodes() < 2) await systemClock.sleep(10)
    await changeDocument(bus, 'pausing', document => ({ ...document, state: 'paused' }))
    await quiet(bus, 'pausing')
    const played = (await countLedger(bus, 'pausing')).episodes()
    t.ok(played < 8, `${played} of 8`)
    await systemClock.sleep(100)
    t.equal((await countLedger(bus, 'pausing')).episodes(), played)
    await changeDocument(bus, 'pausing', document => ({ ...document, state: 'running' }))
    await assertWhole(t, bus, 'pausing')
    t.equal((await countLedger(bus, 'pausing')).episodes(), 8)
  })

  t.test('a run that is cancelled ends what is in flight, and the ledger balances', async t => {
    const bus = await (await open(t, longMs)).connect()
    nodesOf(t)({ bus, nodeId: 'n1', standIn: { before: async ({ signal }) => { await systemClock.sleep(30, signal) } } })
    await submit(bus, documentOf('cancel', { episodes: 50 }))
    while ((await countLedger(bus, 'cancel')).totals().dispatched < 12) await systemClock.sleep(10)
    await changeDocument(bus, 'cancel', document => ({ ...document, state: 'cancelled', reason: 'enough' }))
    while ((await bus.queue.subjects('cancel')).length > 0 || (await countLedger(bus, 'cancel')).totals().open > 0) await systemClock.sleep(20)
    const { dispatched, settled, cancelled, quarantined } = (await countLedger(bus, 'cancel')).totals()
    t.equal(dispatched, settled + cancelled + quarantined)
    t.ok(cancelled > 0)
  })

  t.test('draining finishes what it can, hands the rest back, and counts no failure', async t => {
    const broker = await open(t, longMs)
    const start = nodesOf(t)
    const bus = await broker.connect()
    const first = startTestNode({ bus: await broker.connect(), nodeId: 'n1', drainMs: 100, standIn: { before: async ({ work, signal }) => { if (work.kind === 'solve') await systemClock.sleep(60_000, signal) } } })
    await submit(bus, documentOf('drain', { seed: 2 }))
    while (first.presence().slots['run']!.busy < 4) await systemClock.sleep(5)
    first.drain()
    t.same(await first.ended, { kind: 'left', handedBack: true })
    t.equal(first.events.filter(event => event.type === 'delivered' && event.outcome === 'failed').length, 0)
    t.ok(first.events.some(event => event.type === 'delivered' && event.outcome === 'handedBack'))
    t.same(await listNodes(bus), [], 'it is not there any more')
    start({ bus: await broker.connect(), nodeId: 'n2' })
    await assertWhole(t, bus, 'drain')
  })

  t.test('work that does not let go keeps neither its node nor its message', async t => {
    const broker = await open(t, shortMs)
    const start = nodesOf(t)
    const bus = await broker.connect()
    const stuck = startTestNode({ bus: await broker.connect(), nodeId: 'n1', drainMs: 1, limits: { abortMs: 100 }, standIn: { before: async () => await new Promise<never>(() => {}) } })
    await submit(bus, documentOf('stuck', { episodes: 1 }))
    while (stuck.presence().slots['run']!.busy === 0) await systemClock.sleep(5)
    stuck.drain()
    await stuck.ended
    start({ bus: await broker.connect(), nodeId: 'n2' })
    await assertWhole(t, bus, 'stuck')
  })

  t.test('an arena that nobody can open fails the run with the reason, one that differs is left to others', async t => {
    const broker = await open(t, longMs)
    const start = nodesOf(t)
    const bus = await broker.connect()
    const odd = start({ bus: await broker.connect(), nodeId: 'n1', open: async () => { throw new SparError('ARENA_TESTS_FAIL', 'Cannot play on broken: its tests fail') } })
    await submit(bus, documentOf('broken', {}, ['broken']))
    const { document } = await ended(bus, 'broken')
    t.match(document, { state: 'failed', reason: /its tests fail \[ARENA_TESTS_FAIL\]/ })
    t.match(odd.presence().refusals, [{ target: 'broken', code: 'ARENA_TESTS_FAIL' }])
  })

  t.test('a node that finds another arena than the run plays on says so and takes no work on it', async t => {
    const broker = await open(t, longMs)
    const start = nodesOf(t)
    const bus = await broker.connect()
    start({ bus: await broker.connect(), nodeId: 'n1' })
    await submit(bus, documentOf('differs', { episodes: 2 }))
    while ((await getDocument(bus, 'differs')).arenas[0]!.opened === null) await systemClock.sleep(5)
    const other = start({ bus: await broker.connect(), nodeId: 'n2', open: async () => ({ ...(await getDocument(bus, 'differs')).arenas[0]!.opened!, id: 'f'.repeat(16) }) })
    await assertWhole(t, bus, 'differs')
    await other.ready
    t.equal(other.events.filter(event => event.type === 'delivered' && ['rollout', 'verify', 'grade'].includes(event.kind)).length, 0)
  })
}
