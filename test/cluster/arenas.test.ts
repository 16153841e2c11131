// Goal: a node that holds as many arenas as it may makes room for those of a new run, and says so where there is none to make.

import t from 'tap'
import { createMemoryBroker } from '../../src/bus/memory.ts'
import { createHeldArenas, type HeldArenas } from '../../src/cluster/arenas.ts'
import { pack } from '../../src/cluster/codec.ts'
import { changeDocument, createDocument } from '../../src/cluster/document.ts'
import { createRetry } from '../../src/cluster/retry.ts'
import { createRuns } from '../../src/cluster/runs.ts'
import { systemClock } from '../../src/clock.ts'
import { SparError } from '../../src/errors.ts'
import { documentOf, standInArena } from '../helpers/cluster-fixture.ts'

const slots = { run: { total: 1 }, verify: { total: 1 }, grade: { total: 1 } }

async function until (holds: () => boolean): Promise<void> {
  for (let tries = 0; tries < 500 && !holds(); tries++) await systemClock.sleep(10)
}

t.test('arenas of runs that are over make room, those of runs that play do not', async t => {
  const bus = await createMemoryBroker({ clock: systemClock, ackWaitMs: 1_000, nodeTtlMs: 2_000 }).connect()
  const over = new AbortController()
  const runs = createRuns(bus, { onFault () {} })
  const { ready } = runs.follow(over.signal)
  await ready
  const arenas = createHeldArenas({ node: 'n1', bus, retry: createRetry(systemClock), runs, clock: systemClock, open: async ({ target }) => standInArena(target), onChange () {}, limits: { arenasMax: 2, arenaRetryMs: 50 } })
  const attending = arenas.attend(over.signal)
  const ids = (...targets: string[]): string[] => targets.map(target => standInArena(target).id)

  await createDocument(bus, documentOf('one', {}, ['a1', 'a2']))
  await until(() => arenas.ids().length === 2)
  await createDocument(bus, documentOf('two', {}, ['b1']))
  await until(() => arenas.refusals().length === 1)
  t.same(arenas.ids(), ids('a1', 'a2'))
  t.match(arenas.refusals(), [{ target: 'b1', code: 'ARENA_NO_ROOM', reason: /2 arenas that runs need/ }])

  await changeDocument(bus, 'one', document => ({ ...document, state: 'done' }))
  await until(() => arenas.refusals().length === 0)
  t.same(arenas.ids(), ids('a2', 'b1'))
  t.same(arenas.refusals(), [])
  over.abort()
  await attending
})

t.test('of more targets than targetsKnownMax the oldest are forgotten: they are opened anew, and no longer among the refusals', async t => {
  const bus = await createMemoryBroker({ clock: systemClock, ackWaitMs: 1_000, nodeTtlMs: 2_000 }).connect()
  const over = new AbortController()
  const runs = createRuns(bus, { onFault () {} })
  await runs.follow(over.signal).ready
  const asked: string[] = []
  const open = async ({ target }: { target: string }) => {
    asked.push(target)
    if (target.startsWith('bad')) throw new SparError('ARENA_CLONE_FAILED', 'not there', { retryable: true })
    return standInArena(target)
  }
  const arenas = createHeldArenas({ node: 'n1', bus, retry: createRetry(systemClock), runs, clock: systemClock, open, onChange () {}, limits: { arenasMax: 1, targetsKnownMax: 2, arenaRetryMs: 60_000 } })
  const attending = arenas.attend(over.signal)
  const play = async (run: string, target: string): Promise<void> => {
    const before = asked.length
    await createDocument(bus, documentOf(run, {}, [target]))
    await until(() => arenas.ids().includes(standInArena(target).id) || (target.startsWith('bad') && asked.length > before && arenas.refusals().some(refusal => refusal.target === target)))
    await changeDocument(bus, run, document => ({ ...document, state: 'done' }))
    await until(() => runs.active().length === 0)
  }
  for (const [index, target] of ['a', 'b', 'a', 'c', 'a', 'b'].entries()) await play(`r${index}`, target)
  t.same(asked, ['a', 'b', 'c', 'b'], 'the one that was wanted last is remembered')
  for (const target of ['bad1', 'bad2', 'bad3']) await play(target, target)
  t.same(arenas.refusals().map(({ target }) => target), ['bad2', 'bad3'])
  over.abort()
  await attending
})

t.test('where one node has no room for all, nodes share them: each holds others, and what a node leaves behind is taken over', async t => {
  const bus = createMemoryBroker({ clock: systemClock, ackWaitMs: 1_000, nodeTtlMs: 300 }).connect()
  const start = async (node: string): Promise<{ arenas: HeldArenas; end: () => Promise<void> }> => {
    const over = new AbortController()
    const runs = createRuns(bus, { onFault () {} })
    await runs.follow(over.signal).ready
    const arenas: HeldArenas = createHeldArenas({ node, bus, retry: createRetry(systemClock), runs, clock: systemClock, open: async ({ target }) => standInArena(target), onChange () { void say() }, limits: { arenasMax: 2, arenaRetryMs: 50 } })
    const say = async (): Promise<void> => { if (!over.signal.aborted) await bus.kv.nodes.put(node, pack({ node, state: 'serving', slots, arenas: arenas.ids() })) }
    const saying = setInterval(() => void say(), 50)
    const attending = arenas.attend(over.signal)
    return { arenas, end: async () => { clearInterval(saying); over.abort(); await attending } }
  }
  const heldBy = (...nodes: { arenas: HeldArenas }[]): string[] => [...new Set(nodes.flatMap(({ arenas }) => arenas.ids()))].sort()
  const ids = (...targets: string[]): string[] => targets.map(target => standInArena(target).id).sort()

  await createDocument(bus, documentOf('one', {}, ['a1', 'a2', 'a3', 'a4']))
  const one = await start('n1')
  await until(() => one.arenas.refusals().length === 2)
  const two = await start('n2')
  await until(() => heldBy(one, two).length === 4 && one.arenas.refusals().length === 0)
  t.same(heldBy(one, two), ids('a1', 'a2', 'a3', 'a4'), 'the second takes what the first had no room for, and that is no refusal any more')

  await one.end()
  const three = await start('n3')
  await until(() => heldBy(two, three).length === 4)
  t.same(heldBy(two, three), ids('a1', 'a2', 'a3', 'a4'), 'a node that comes takes over what nobody holds')
  await two.end()
  await three.end()
})

t.test('of arenas that several hold the last of them gives one up for what nobody holds; a run that came first has its arenas first', async t => {
  const bus = createMemoryBroker({ clock: systemClock, ackWaitMs: 1_000, nodeTtlMs: 60_000 }).connect()
  const over = new AbortController()
  const runs = createRuns(bus, { onFault () {} })
  await runs.follow(over.signal).ready
  const arenas = createHeldArenas({ node: 'n5', bus, retry: createRetry(systemClock), runs, clock: systemClock, open: async ({ target }) => standInArena(target), onChange () {}, limits: { arenasMax: 2, arenaRetryMs: 50 } })
  const attending = arenas.attend(over.signal)
  const [a1, a2, b1, b2, b3] = ['a1', 'a2', 'b1', 'b2', 'b3'].map(target => standInArena(target).id)
  const others = async (held: Record<string, (string | undefined)[]>): Promise<void> => { for (const [node, arenas] of Object.entries(held)) await bus.kv.nodes.put(node, pack({ node, state: 'serving', slots: node === 'n0' ? {} : slots, arenas })) }
  const settled = async (wanted: (string | undefined)[]): Promise<void> => {
    await until(() => JSON.stringify(arenas.ids().toSorted()) === JSON.stringify(wanted.toSorted()))
    await systemClock.sleep(200)
    t.same(arenas.ids().toSorted(), wanted.toSorted(), 'and it stays so')
  }
  await createDocument(bus, { ...documentOf('late', {}, ['b1', 'b2']), submittedAt: 2 })
  await settled([b1, b2])
  await others({ n0: [b1, b2] })
  await createDocument(bus, { ...documentOf('later', {}, ['b3']), submittedAt: 3 })
  await settled([b1, b2])
  t.match(arenas.refusals(), [{ target: 'b3', code: 'ARENA_NO_ROOM' }], 'n0 does no work: what it holds is held by nobody else')
  await others({ n1: [b1] })
  await settled([b2, b3])
  await others({ n1: [] })
  await createDocument(bus, { ...documentOf('early', {}, ['a1', 'a2']), submittedAt: 1 })
  await settled([a1, a2])
  over.abort()
  await attending
})

t.test('where the last by name of those who hold an arena gives it up for nothing, the next one does', async t => {
  const bus = createMemoryBroker({ clock: systemClock, ackWaitMs: 1_000, nodeTtlMs: 60_000 }).connect()
  const over = new AbortController()
  const runs = createRuns(bus, { onFault () {} })
  await runs.follow(over.signal).ready
  const [a1, a2] = ['a1', 'a2'].map(target => standInArena(target).id)
  await bus.kv.nodes.put('n9', pack({ node: 'n9', state: 'serving', slots, arenas: [a1] }))
  const seen: number[] = []
  const arenas: HeldArenas = createHeldArenas({ node: 'n5', bus, retry: createRetry(systemClock), runs, clock: systemClock, open: async ({ target }) => standInArena(target), onChange: () => { seen.push(arenas.refusals().length) }, limits: { arenasMax: 1, arenaRetryMs: 100 } })
  await createDocument(bus, documentOf('one', {}, ['a1']))
  const attending = arenas.attend(over.signal)
  await until(() => arenas.ids().includes(a1!))
  await createDocument(bus, { ...documentOf('two', {}, ['a2']), submittedAt: 2 })
  await until(() => arenas.ids().includes(a2!))
  t.same(arenas.ids(), [a2])
  t.same(seen, [0, 1, 0], 'it is told once that there is no room')
  over.abort()
  await attending
})
