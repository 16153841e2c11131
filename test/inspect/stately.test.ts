// Goal: Stately's own receiver attaches and is told of actors, their snapshots and their events, in the form of its own inspector.
// Method: the package's receiver on a real socket; machines that run, and their definitions made into machines again.

import { createWebSocketReceiver, type StatelyInspectionEvent } from '@statelyai/inspect'
import t from 'tap'
import { createActor, createMachine, fromPromise } from 'xstate'
import { WebSocket } from 'ws'
import { machineViews } from '../../actors/definitions.ts'
import { about, names, observe } from '../../actors/observe.ts'
import { run } from '../../machines/run.ts'
import { configOf, serveStately, valueOf } from '../../src/inspect/stately.ts'
import { sourceOf, testRegistry } from '../helpers/inspect-fixture.ts'
import { spar } from '../helpers/spar.ts'
import { testFolder } from '../helpers/test-folder.ts'

t.test('a receiver is told what happens', async t => {
  const registry = testRegistry()
  const actor = createActor(run.provide({ actors: { episode: fromPromise<unknown, { number: number }>(() => new Promise(() => {})), summarise: fromPromise<void, { runId: string }>(async () => {}) } }), { input: { runId: 'r', episodes: 2, inFlight: 1, waiting: false } })
  observe(registry, actor, about('run', 'r', names.run('r'), ''))
  actor.start()
  const stately = await serveStately(await sourceOf(t, registry, { everyMs: 20 }), machineViews(), 0)
  t.teardown(() => stately.close())
  const seen: StatelyInspectionEvent[] = []
  createWebSocketReceiver({ server: `ws://127.0.0.1:${stately.port}` }).subscribe(event => seen.push(event))
  const until = async (holds: () => boolean): Promise<void> => { for (let left = 500; left > 0 && !holds(); left--) await new Promise(resolve => setTimeout(resolve, 20)) }
  await until(() => seen.some(({ type }) => type === '@xstate.snapshot'))
  actor.send({ type: 'run.pause' })
  await until(() => seen.some(event => event.type === '@xstate.snapshot' && (event.snapshot as { context?: { paused?: boolean } }).context?.paused === true))
  const born = seen.find(event => event.type === '@xstate.actor')!
  t.match(born, { name: 'r', sessionId: 'local/1', rootId: 'local/1', _version: String, snapshot: { value: 'playing', status: 'active' } })
  t.match(seen.find(({ type }) => type === '@xstate.event'), { event: { type: 'run.pause' }, sessionId: 'local/1' })
  t.match(seen.at(-1), { type: '@xstate.snapshot', event: { type: 'run.pause' }, snapshot: { value: 'playing', context: { paused: true } } })
  actor.stop()
})

t.test('no page of another site attaches', async t => {
  const stately = await serveStately(await sourceOf(t, testRegistry()), [], 0)
  t.teardown(() => stately.close())
  for (const headers of [{ origin: 'http://evil.example' }, { host: 'evil.example' }]) {
    await t.rejects(new Promise((resolve, reject) => { new WebSocket(`ws://127.0.0.1:${stately.port}`, { headers }).once('open', resolve).once('error', reject) }), /401/)
  }
})

t.test('where a token is needed, nobody attaches without one: the command refuses both together', async t => {
  const folder = testFolder(t)
  const inspect = (args: string[], env: Record<string, string>) => spar(['inspect', '--run', folder, '--stately', '0', ...args], { home: folder, cwd: folder, env })
  const token = 'a-token-of-some-length'
  t.match(await inspect(['--token', token], {}), { code: 64, err: /Cannot use --stately together with a token/ })
  t.match(await inspect([], { SPAR_INSPECT_TOKEN: token }), { code: 64, err: /Cannot use --stately together with a token/ })
})

t.test('a definition makes the same machine again, and states have the values that XState gives them', async t => {
  for (const view of machineViews()) {
    const again = createMachine(configOf(view) as never)
    t.same(Object.keys(again.states), view.root.states.map(({ key }) => key), view.machine)
  }
  t.equal(valueOf('playing'), 'playing')
  t.same(valueOf('attending.serving'), { attending: 'serving' })
  t.same(valueOf('a.x b.y.z'), { a: 'x', b: { y: 'z' } })
})
