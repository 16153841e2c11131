// Goal: actors of real machines are known with their state, their parents and what may be sent to them; events are kept only while
// somebody watches, and every list has its limit. Method: machines of XState with a registry of small limits.

import t from 'tap'
import { createActor, fromPromise, waitFor } from 'xstate'
import { about, names, observe, observeChildren, observeWork, pathsOf } from '../../actors/observe.ts'
import { machineViews } from '../../actors/definitions.ts'
import { sandboxSupervision, superviseSandboxes } from '../../actors/sandbox.ts'
import { handleGrade } from '../../actors/work/grade.ts'
import type { Workplace } from '../../actors/work/types.ts'
import { handleVerify } from '../../actors/work/verify.ts'
import { node } from '../../machines/node.ts'
import { run } from '../../machines/run.ts'
import { slot } from '../../machines/slot.ts'
import { createBug } from '../../src/artifact/index.ts'
import { systemClock } from '../../src/clock.ts'
import { SparError } from '../../src/errors.ts'
import { createLimiter } from '../../src/limiter.ts'
import { runDefaults } from '../../src/run/options.ts'
import { createCleanRunCache } from '../../src/verify/clean-runs.ts'
import { createControls, sabotageHere } from '../../src/verify/control.ts'
import { standInArena } from '../helpers/cluster-fixture.ts'
import { createRegistry } from '../../src/inspect/registry.ts'
import { rowOf, viewOf } from '../../src/inspect/rows.ts'
import type { StateNode } from '../../src/inspect/protocol.ts'

const clock = { at: 1_000, now () { return this.at } }
const forever = (): Promise<never> => new Promise(() => {})

t.test('a run, its pause and its end', async t => {
  const registry = createRegistry({ node: 'local', clock, limits: { stepsMax: 4, eventsMax: 2 } })
  const episodes = new Map<number, () => void>()
  const actor = createActor(run.provide({ actors: {
    episode: fromPromise<unknown, { number: number }>(({ input }) => new Promise<void>(resolve => episodes.set(input.number, resolve))),
    summarise: fromPromise<void, { runId: string }>(async () => {})
  } }), { input: { runId: 'r', episodes: 2, inFlight: 1, waiting: false } })
  observe(registry, actor, about('run', 'r', names.run('r'), '', { run: 'r' }))
  actor.start()
  const entry = registry.named('run/r')!
  t.match(rowOf(entry), { key: 'local/1', parent: null, node: 'local', machine: 'run', state: 'playing', status: 'active', acts: ['run.pause'], restarts: 0, transitions: 1 })
  actor.send({ type: 'run.wait' })
  t.same(viewOf(entry).events, [], 'nobody watches')
  const leave = entry.watch()
  actor.send({ type: 'run.pause' })
  t.match(rowOf(entry).acts, ['run.resume'])
  t.match(viewOf(entry), { events: [{ event: 'run.pause', from: null }], steps: [{ event: null }, { event: null }, { event: 'run.pause' }] })
  for (const type of ['run.go', 'run.step', 'run.resume'] as const) actor.send({ type })
  const view = viewOf(entry)
  t.same(view.events.map(({ event }) => event), ['run.step', 'run.resume'], 'the last ones are kept')
  t.equal(view.eventsLeftOut, 2)
  t.same([view.steps.length, view.stepsLeftOut], [4, 2])
  t.match(view.children, [{ id: 'episode.1', status: 'active' }, { id: 'episode.2', status: 'active' }])
  t.match(JSON.parse(view.steps.at(-1)!.context.text), { runId: 'r', active: 2 })
  leave()
  actor.send({ type: 'run.pause' })
  t.equal(entry.eventsMade, 4, 'nothing is heard any more')
  episodes.get(1)!()
  await waitFor(actor, ({ context }) => context.played === 1)
  episodes.get(2)!()
  await waitFor(actor, ({ status }) => status === 'done')
  t.match(rowOf(entry), { state: 'done', status: 'done', acts: [] })
  t.equal(registry.live, 0)
})

t.test('slots are known below their node, and work below its slot', async t => {
  const registry = createRegistry({ node: 'n1', clock })
  const actor = createActor(node.provide({ actors: {
    slot: slot.provide({ actors: { pull: fromPromise<boolean, { slotId: string }>(forever), work: fromPromise<void, { slotId: string }>(forever) } }),
    join: fromPromise<void, { nodeId: string }>(async () => {}), attend: fromPromise<void, { nodeId: string }>(forever), leave: fromPromise<void, { nodeId: string }>(async () => {})
  } }), { input: { nodeId: 'n1', drainMs: 1, abortMs: 1, slots: [{ slotId: 'run.0', restMs: 1, restMsMax: 1 }] } })
  observe(registry, actor, about('node', 'n1', names.node('n1'), ''))
  observeChildren(registry, actor, id => id.startsWith('slot.') ? about('slot', id.slice(5), names.slot(id.slice(5)), names.node('n1')) : null)
  actor.start()
  await waitFor(actor, snapshot => snapshot.hasTag('ready'))
  const [top, below] = [...registry.after(0, 10)]
  t.match(rowOf(top!), { machine: 'node', state: 'attending.serving', acts: ['node.drain'], tags: ['ready'] })
  t.match(rowOf(below!), { machine: 'slot', id: 'run.0', parent: top!.key, state: 'pulling', acts: ['slot.drain'] })
  const lost = new Error('the engine does not answer')
  for (let tries = 0; tries < 2; tries++) {
    await t.rejects(observeWork(registry, { run: 'r', id: 'e0001.solve.1.0', delivery: tries + 1, within: names.slot('run.0') }, () => Promise.reject(lost)), lost)
  }
  t.match(rowOf([...registry.after(0, 10)].at(-1)!), { machine: 'work', parent: below!.key, run: 'r', episode: 'e0001', rollout: 'e0001.solve.1.0', status: 'failed', restarts: 1, failures: 2, reason: lost.message })
  actor.stop()
  t.equal(rowOf(top!).status, 'stopped')
})

t.test('every state that an actor can be in is in the drawing of its machine', async t => {
  const paths = (state: StateNode): string[] => [state.path, ...state.states.flatMap(paths)]
  const of = (machine: string): string[] => paths(machineViews().find(view => view.machine === machine)!.root)
  t.same(of('node'), ['', 'joining', 'attending', 'attending.serving', 'attending.draining', 'attending.aborting', 'leaving', 'left'])
  t.same(pathsOf({ a: { b: 'c' }, d: {} }), ['a.b.c', 'd'])
  for (const { root } of machineViews()) {
    const known = new Set(paths(root))
    const walk = (state: StateNode): void => {
      for (const { targets } of state.transitions) for (const target of targets) t.ok(known.has(target), target)
      state.states.forEach(walk)
    }
    walk(root)
  }
})

t.test('sandboxes of a verification and of a grade are known below their work', async t => {
  const registry = createRegistry({ node: 'local', clock: systemClock })
  const lost = new SparError('SANDBOX_LOST', 'there is none', { retryable: true })
  const sandboxes = superviseSandboxes({ kind: 'process', open: async () => { throw lost }, reap: async () => ({ removed: [] }), close: async () => {} }, { supervision: { ...sandboxSupervision, opensMax: 1 }, registry })
  const text = (value: string): Uint8Array => Buffer.from(value)
  const bug = createBug({ testScript: text('true\n'), testFiles: text('t.js\n'), testParser: text('//\n'), parserName: 'test_parser.js', bugInject: text(diffOf('a.js')), testWeaken: text(diffOf('t.js')), predPatch: null })
  const manifest = { params: { minPassing: 1, minFiles: 1, minFailing: 1 }, strategy: 'removal', seed: 1, policy: { name: 'p', version: '1' } }
  const store = { run: 'r', bug: async () => ({ bug, manifest }), submission: async () => ({ bug, manifest }), result: async () => ({ f2p: ['a'], p2p: ['b'] }), attempt: async () => text(diffOf('a.js')) }
  const verify = { sandboxes, cores: createLimiter(2), cleanRuns: createCleanRunCache(), controls: createControls(sabotageHere), readLog: async () => { throw lost }, survey: async () => [], clock: systemClock }
  const place = { options: runDefaults, arena: { ...standInArena('one'), testFiles: ['t.js'] }, store, ports: { clock: systemClock, sandboxes, verify, registry } } as unknown as Workplace
  for (const [kind, id, handle] of [['verify', 'e0001.verify', handleVerify], ['grade', 'e0001.grade.1.0', handleGrade]] as const) {
    const delivery = { work: { id, kind, priority: 1, payload: { episodeId: 'e0001', bugId: bug.id, order: 1, member: 0 } }, delivery: 1, signal: new AbortController().signal }
    await t.rejects(observeWork(registry, { run: 'r', id, delivery: 1, within: '' }, async () => await handle(place, delivery)), { code: /_UNDECIDED$/ })
    const rows = [...registry.after(0, 100)].map(rowOf)
    const work = rows.find(row => row.machine === 'work' && row.id === id)!
    const below = rows.filter(row => row.machine === 'sandbox' && row.work === id)
    t.ok(below.length > 0, `${id} opened sandboxes`)
    for (const row of below) t.match(row, { parent: work.key, episode: 'e0001', run: 'r', rollout: null })
  }
})

const diffOf = (file: string): string => `diff --git a/${file} b/${file}\n--- a/${file}\n+++ b/${file}\n@@ -1 +1 @@\n-one\n+two\n`
