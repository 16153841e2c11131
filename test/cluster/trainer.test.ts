// Goal: a run waits for its trainer in bytes, whoever is away, and nothing is lost. Method: nodes with stand-in handlers on the bus
// in memory and on real servers; the trainer is a reader that keeps its place, made as another program makes it.

import t, { type Test } from 'tap'
import { createMemoryBroker } from '../../src/bus/memory.ts'
import type { Bus, LogEntry } from '../../src/bus/types.ts'
import { changeDocument, type RunDocument } from '../../src/cluster/document.ts'
import { leadId } from '../../src/cluster/keys.ts'
import { listNodes } from '../../src/cluster/presence.ts'
import { readSample } from '../../src/cluster/samples.ts'
import type { TrainerWait } from '../../src/cluster/wait-for-trainer.ts'
import { systemClock } from '../../src/clock.ts'
import type { RunOptions } from '../../src/run/options.ts'
import type { Broker, KeptReader } from '../bus/contract.ts'
import { countLedger, countSamples, documentOf, ended, severable, startTestNode, submit, type NodeFixture, type TestNode } from '../helpers/cluster-fixture.ts'
import { natsBroker } from '../helpers/nats-bus.ts'
import { natsServers, skipWithoutNats, startNats } from '../helpers/nats-server.ts'
import { spar } from '../helpers/spar.ts'
import { testFolder } from '../helpers/test-folder.ts'

const ackWaitMs = 1_500
const limits = { trainerLookMs: 50 }
const bytesMax = 2 * 2 ** 20
const trajectoryBytes = 100_000
/** Samples of an episode: of its breaker, and of two groups of four. */
const episodeBytesMax = 9 * (trajectoryBytes + 1_000)

const withTrainer = (name: string, aheadBytesMax: number, options: Partial<RunOptions> = {}): RunDocument =>
  ({ ...documentOf(name, { episodes: 16, ...options }), inFlight: 2, trainer: { name: 'trainer', aheadBytesMax } })

function start (t: Test, fixture: NodeFixture): TestNode {
  const node = startTestNode({ ...fixture, limits: { ...limits, ...fixture.limits } })
  t.teardown(async () => {
    node.drain()
    await node.ended
    await fixture.bus.close()
  })
  return node
}

async function waitFor (bus: Bus, run: string): Promise<TrainerWait> {
  for (;;) {
    const wait = (await listNodes(bus)).flatMap(({ waits }) => waits).find(wait => wait.run === run)
    if (wait !== undefined) return wait
    await systemClock.sleep(20)
  }
}

/** Resolves when nothing is on the queue but the run itself, and nothing has come for a while. */
async function rest (bus: Bus, run: string): Promise<number> {
  for (let before = -1; ;) {
    const open = (await bus.queue.subjects(run)).filter(({ id }) => id !== leadId)
    const episodes = (await countLedger(bus, run)).episodes()
    if (open.length === 0 && episodes === before) return episodes
    before = episodes
    await systemClock.sleep(400)
  }
}

/** Takes and acknowledges whole groups until the run has ended and nothing is left; resolves to how often each came. */
async function train (bus: Bus, reader: KeptReader, run: string): Promise<Map<string, number>> {
  const seen = new Map<string, number>()
  const groups = new Map<string, LogEntry[]>()
  let isOver = false
  const over = ended(bus, run).finally(() => { isOver = true })
  for (;;) {
    const wasOver = isOver
    const entries = await reader.take(20)
    for (const entry of entries) {
      const { sample } = readSample(entry)
      seen.set(entry.key, (seen.get(entry.key) ?? 0) + 1)
      const group = [...groups.get(`${sample.role} ${sample.group_id}`) ?? [], entry]
      groups.set(`${sample.role} ${sample.group_id}`, group)
      if (group.length === sample.group_size) for (const member of group) await reader.acknowledge(member)
    }
    if (entries.length === 0 && wasOver) break
    if (entries.length === 0) await systemClock.sleep(20)
  }
  await over
  return seen
}

function trainerSuite (t: Test, open: (t: Test) => Promise<Broker>): void {
  t.test('a run whose trainer is away stops at the limit, also under another leader, and goes on when it is back', async t => {
    const broker = await open(t)
    const bus = await broker.connect()
    const cut = severable(await broker.connect())
    const leader = startTestNode({ bus: cut.bus, nodeId: 'n1', drainMs: 1, limits, standIn: { trajectoryBytes } })
    await submit(bus, withTrainer('away', bytesMax))
    t.match(await waitFor(bus, 'away'), { trainer: 'trainer', bytesMax, bytes: Number })
    const played = await rest(bus, 'away')
    const { bytes } = await waitFor(bus, 'away')
    t.ok(bytes >= bytesMax && bytes <= bytesMax + 4 * episodeBytesMax, `${bytes} bytes are ahead of ${bytesMax}`)
    t.ok(played >= 2 && played < 12, `${played} of 16 episodes`)

    // The leader is gone at once, as with kill -9: the next one finds the same.
    cut.sever()
    start(t, { bus: await broker.connect(), nodeId: 'n2', standIn: { trajectoryBytes } })
    while (!(await listNodes(bus)).some(({ node, waits }) => node === 'n2' && waits.some(({ run }) => run === 'away'))) await systemClock.sleep(20)
    t.equal(await rest(bus, 'away'), played, 'no episode more')

    const seen = await train(bus, await broker.attach('samples', 'trainer_away', 'away'), 'away')
    const { document, ledger, samples } = await ended(bus, 'away')
    t.equal(document.state, 'done')
    t.equal(ledger.episodes(), 16)
    t.equal(ledger.totals().open, 0)
    t.same([...seen.keys()].sort(), [...samples.keys()].sort(), 'the trainer has had every sample')
    t.ok([...seen.values()].every(times => times === 1), 'and none twice')
    t.match(await bus.log.samples.place('trainer_away'), { held: 0, waiting: 0 })
    cut.mend()
    leader.drain()
    await leader.ended
  })

  t.test('a run does not wait for what its trainer cannot use yet: whole groups are all that it has to take', async t => {
    const broker = await open(t)
    const bus = await broker.connect()
    start(t, { bus: await broker.connect(), nodeId: 'n1' })
    const reader = await broker.attach('samples', 'trainer', '')
    await submit(bus, withTrainer('rounds', 1))
    const seen = await train(bus, reader, 'rounds')
    t.equal((await ended(bus, 'rounds')).document.state, 'done')
    t.same([...seen.keys()].sort(), [...(await countSamples(bus, 'rounds')).keys()].sort())
  })

  t.test('a run that is paused while it waits stays so when its trainer is back', async t => {
    const broker = await open(t)
    const bus = await broker.connect()
    start(t, { bus: await broker.connect(), nodeId: 'n1' })
    await submit(bus, withTrainer('both', 1))
    await waitFor(bus, 'both')
    const played = await rest(bus, 'both')
    await changeDocument(bus, 'both', document => ({ ...document, state: 'paused' }))
    const reader = await broker.attach('samples', 'trainer', '')
    for (const entry of await reader.take(1_000)) await reader.acknowledge(entry)
    while ((await listNodes(bus)).some(({ waits }) => waits.length > 0)) await systemClock.sleep(20)
    t.equal(await rest(bus, 'both'), played)
  })
}

t.test('the bus in memory', async t => trainerSuite(t, async () => {
  const broker = createMemoryBroker({ clock: systemClock, ackWaitMs, nodeTtlMs: 2_000 })
  return {
    connect: async () => broker.connect(),
    async attach (log, name, prefix) {
      const reader = broker.attach(log, name, prefix)
      return { take: async most => reader.take(most), acknowledge: async entry => { reader.acknowledge(entry) } }
    }
  }
}))

const skip = skipWithoutNats()
if (skip !== false) t.pass('skipped', { skip })
else for (const kind of natsServers()) {
  t.test(`nats-server ${kind.name}`, async t => {
    const { url } = await startNats(t, { kind })
    trainerSuite(t, async t => natsBroker(t, url, { ackWaitMs, nodeTtlMs: 2_000 }))

    t.test('the command shows who waits for whom, and what lies before it', async t => {
      const broker = natsBroker(t, url, { ackWaitMs, nodeTtlMs: 2_000 })
      const bus = await broker.connect()
      start(t, { bus: await broker.connect(), nodeId: 'n1', standIn: { trajectoryBytes } })
      await submit(bus, withTrainer('shown', bytesMax))
      await waitFor(bus, 'shown')
      await rest(bus, 'shown')
      const at = { home: testFolder(t), cwd: testFolder(t) }
      const run = async (...args: string[]) => await spar(['run', ...args, '--nats', url, '--nats-prefix', broker.prefix], at)
      t.match(await run('list'), { code: 0, out: /shown +running, waits for its trainer "trainer": \d+\.\d MiB of samples before it, 2\.0 allowed/ })
      t.match(JSON.parse((await run('list', '--json')).out), { runs: [{ name: 'shown', waits: { trainer: 'trainer', bytes: Number, bytesMax } }] })
      t.match(await run('samples', 'shown'), { code: 0, out: /Nobody keeps a place.*\n.*It was never there/ })
      const reader = await broker.attach('samples', 'trainer', '')
      await broker.attach('samples', 'another', 'elsewhere')
      const [first] = await reader.take(3)
      await reader.acknowledge(first!)
      t.match(await run('samples', 'shown'), { code: 0, out: /trainer +all runs/ })
      const { readers } = JSON.parse((await run('samples', 'shown', '--json')).out) as { readers: { ahead: { bytes: number } }[] }
      t.match(readers, [{ reader: 'trainer', prefix: '', held: 2, isTrainer: true, acknowledged: first!.sequence, ahead: { samples: Number } }])
      t.ok(readers[0]!.ahead.bytes > trajectoryBytes)
      let said = ''
      const watching = spar(['run', 'watch', 'shown', '--nats', url, '--nats-prefix', broker.prefix], { ...at, onErr: text => { said += text } })
      while (!said.includes('the run waits for its trainer')) await systemClock.sleep(20)
      // Paused, so that it does not end before anybody has seen it go on.
      await changeDocument(bus, 'shown', document => ({ ...document, state: 'paused' }))
      const back = await broker.attach('samples', 'trainer_shown', 'shown')
      for (const entry of await back.take(1_000)) await back.acknowledge(entry)
      while (!said.includes('the run waits no more: its trainer has caught up')) await systemClock.sleep(20)
      await changeDocument(bus, 'shown', document => ({ ...document, state: 'cancelled' }))
      t.match(await watching, { code: 1 })
    })
  })
}
