// Goal: a node shows its actors to whoever calls it by its name, and to nobody by another's; what it does by hand is what its machines
// take. Method: two real nodes on a bus in memory and on a real server, watched over the bridge.

import t, { type Test } from 'tap'
import { machineViews } from '../../actors/definitions.ts'
import { createBridgeClient } from '../../src/bridge/client.ts'
import { createBridgeServer } from '../../src/bridge/server.ts'
import type { ClientOf } from '../../src/bridge/services.ts'
import { createMemoryBroker } from '../../src/bus/memory.ts'
import type { Bus } from '../../src/bus/types.ts'
import { systemClock } from '../../src/clock.ts'
import { failureOf } from '../../src/inspect/failure.ts'
import { topics, type ActorChange, type ActorRow, type ActorsChange, type ActorsView, type ActorView } from '../../src/inspect/protocol.ts'
import { createRegistry } from '../../src/inspect/registry.ts'
import { serveInspect } from '../../src/inspect/serve.ts'
import { inspectService, type InspectMethods, type Update } from '../../src/inspect/service.ts'
import { documentOf, ended, startTestNode, submit, untilAborted, type TestNode } from '../helpers/cluster-fixture.ts'
import { natsBroker } from '../helpers/nats-bus.ts'
import { natsServers, skipWithoutNats, startNats } from '../helpers/nats-server.ts'

async function startShown (t: Test, bus: Bus, nodeId: string, hangs: boolean): Promise<TestNode> {
  const registry = createRegistry({ node: nodeId, clock: systemClock })
  const node = startTestNode({ bus, nodeId, registry, standIn: { before: ({ work, signal }) => hangs && work.kind === 'solve' ? untilAborted(signal) : undefined } })
  const server = createBridgeServer({ bus, clock: systemClock })
  t.teardown(() => server.destroy())
  await serveInspect(server, { registry, machines: machineViews, clock: systemClock, drain: () => node.drain(), limits: { everyMs: 20, watchersMax: 3 } })
  await node.ready
  return node
}

/** Follows a topic until something holds; the rows as they stand. */
async function follow (client: ClientOf<InspectMethods>, holds: (rows: ActorRow[]) => boolean): Promise<ActorRow[]> {
  const rows = new Map<string, ActorRow>()
  for await (const update of client.watch({ topic: topics.actors }, { deadlineMs: 20_000 })) {
    const { rows: told, gone } = 'full' in update ? { gone: [], ...update.full as ActorsView } : update.change as ActorsChange
    for (const row of told) rows.set(row.key, row)
    for (const key of gone) rows.delete(key)
    if (holds([...rows.values()])) return [...rows.values()]
  }
  throw new Error('the stream has ended')
}

async function suite (t: Test, connect: () => Promise<Bus>): Promise<void> {
  const nodes = [await startShown(t, await connect(), 'n1', true), await startShown(t, await connect(), 'n2', true)]
  const bus = await connect()
  const caller = createBridgeClient({ bus, clock: systemClock })
  t.teardown(() => caller.close())
  const [one, two] = ['n1', 'n2'].map(node => caller.of(inspectService(node))) as [ClientOf<InspectMethods>, ClientOf<InspectMethods>]
  await submit(bus, documentOf('r1', { episodes: 6, group: 4 }))

  await t.test('each shows what it does, from node to work', async t => {
    for (const [name, client] of [['n1', one], ['n2', two]] as const) {
      const rows = await follow(client, rows => rows.some(({ machine, status }) => machine === 'slot' && status === 'active'))
      t.ok(rows.every(({ node, key }) => node === name && key.startsWith(`${name}/`)), name)
    }
    const works = async (client: ClientOf<InspectMethods>) => await follow(client, rows => rows.some(({ machine, state }) => machine === 'work' && state === 'working'))
    const rows = (await Promise.all([works(one), works(two)])).flat()
    const solving = rows.filter(({ machine, status }) => machine === 'work' && status === 'active')
    t.ok(solving.length > 0)
    for (const { parent } of solving) t.match(rows.find(({ key }) => key === parent), { machine: 'slot', state: 'working', tags: ['busy'] })
    t.match(rows.find(({ machine }) => machine === 'slot')!.parent, /^n[12]\/1$/)
  })

  await t.test('one actor in detail, with its events while it is watched; a step of a paused run', async t => {
    const holder = await Promise.any([one, two].map(async client => ({ client, rows: await follow(client, rows => rows.some(({ machine }) => machine === 'run')) })))
    const run = holder.rows.find(({ machine }) => machine === 'run')!
    const seen: Update[] = []
    const watching = (async () => {
      for await (const update of holder.client.watch({ topic: topics.actor(run.key) })) {
        seen.push(update)
        if (seen.length === 2) return
      }
    })()
    await holder.client.machines(null)
    while (seen.length === 0) await systemClock.sleep(5)
    t.match((seen[0] as { full: ActorView }).full, { row: { machine: 'run', id: 'r1', acts: ['run.pause'] }, events: [] })
    await holder.client.act({ do: 'send', actor: run.key, event: 'run.pause' })
    await watching
    t.match((seen[1] as { change: ActorChange }).change, { row: { acts: ['run.resume'] }, events: [{ event: 'run.pause' }], steps: [{ event: 'run.pause' }] })
    await holder.client.act({ do: 'send', actor: run.key, event: 'run.resume' })
  })

  await t.test('what is not there, is no topic, or is not taken', async t => {
    const failure = async (call: Promise<unknown>) => failureOf(await call.then(() => null, (error: unknown) => error))
    const first = async (topic: string) => { for await (const update of one.watch({ topic })) return update }
    t.match(await failure(first('actor/n1%2F999')), { code: 'INSPECT_NOT_FOUND', message: /n1/ })
    t.match(await failure(first('nothing')), { code: 'INSPECT_BAD_TOPIC' })
    t.match(await failure(one.act({ do: 'send', actor: 'n1/1', event: 'xstate.stop' })), { code: 'ACT_REFUSED', message: /node.drain/ })
    t.match(await failure(one.act({ do: 'drain', node: 'n2' })), { code: 'ACT_REFUSED' })
    t.match(await failure(caller.of(inspectService('n3')).machines(null)), { code: 'BRIDGE_UNAVAILABLE' })
    const over = new AbortController()
    const open = [1, 2, 3].map(() => one.watch({ topic: topics.actors }, { signal: over.signal }))
    for (const stream of open) await stream.next()
    t.match(await failure(first(topics.actors)), { code: 'ACT_REFUSED', message: /watchersMax/ })
    over.abort()
    await Promise.allSettled(open.map(stream => stream.next()))
  })

  await t.test('machines, and a node that is drained', async t => {
    t.same((await two.machines(null)).map(({ machine }) => machine), ['node', 'slot', 'run', 'episode', 'breaker', 'solver', 'verifier', 'sandbox'])
    await two.act({ do: 'drain', node: 'n2' })
    t.match(await nodes[1]!.ended, { kind: 'left' })
    await one.act({ do: 'send', actor: 'n1/1', event: 'node.drain' })
    t.match(await nodes[0]!.ended, { kind: 'left' })
    const rest = startTestNode({ bus: await connect(), nodeId: 'n4' })
    t.equal((await ended(bus, 'r1')).ledger.totals().open, 0, 'what was handed back is done by another')
    rest.drain()
    await rest.ended
  })
}

t.test('in memory', async t => {
  const broker = createMemoryBroker({ clock: systemClock })
  await suite(t, async () => {
    const bus = broker.connect()
    t.teardown(() => bus.close())
    return bus
  })
})

t.test('on NATS', { skip: skipWithoutNats() }, async t => {
  for (const kind of natsServers()) {
    await t.test(kind.name, async t => {
      const { connect } = natsBroker(t, (await startNats(t, { kind, syncInterval: '1s' })).url)
      await suite(t, connect)
    })
  }
})
