// Goal: a run that is played is seen while it is: its actors from run to sandbox, a rollout while it has no record, a pause from the page.
// Method: real machines and sandboxes of processes through the composition root, with the page's source over them; a policy that waits.

import { join } from 'node:path'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import t from 'tap'
import { superviseSandboxes } from '../../actors/sandbox.ts'
import { playRollout } from '../../actors/rollout.ts'
import { observeWork } from '../../actors/observe.ts'
import { machineViews } from '../../actors/definitions.ts'
import { systemClock } from '../../src/clock.ts'
import type { Policy, Sandbox } from '../../src/ports.ts'
import { createRolloutSession } from '../../src/rollout/session.ts'
import { toolLimits } from '../../src/rollout/tools.ts'
import { createRegistry } from '../../src/inspect/registry.ts'
import { rowOf } from '../../src/inspect/rows.ts'
import type { RolloutView } from '../../src/inspect/protocol.ts'
import { readValue } from '../../src/inspect/source.ts'
import { folderSource } from '../../src/cli/inspect-sources.ts'
import { sourceOf } from '../helpers/inspect-fixture.ts'
import { makeRun } from '../helpers/run-fixture.ts'
import { testFolder } from '../helpers/test-folder.ts'

t.test('a rollout in flight is known below its work, with its sandbox and its transcript so far', async t => {
  const { store } = await makeRun(testFolder(t))
  const registry = createRegistry({ node: 'local', clock: systemClock })
  const rollout = 'e0009.solve.1.0'
  let go = (): void => {}
  const policy: Policy = {
    name: 'p', version: '1',
    start: () => ({
      async next (observation) {
        if (observation !== null) await new Promise<void>(resolve => { go = resolve })
        return observation === null ? { text: '<b>look</b>', call: { tool: 'bash', command: 'ls' }, fault: null } : { text: 'enough', call: null, fault: 'it has ended', ends: true }
      },
      close: async () => {}
    })
  }
  const place: Sandbox = {
    id: 's', kind: 'process', isolation: 'none', tree: '/tree', scratch: '/scratch', readFile: async () => new Uint8Array(), writeFile: async () => {}, destroy: async () => {},
    exec: async () => ({ exitCode: 0, output: Buffer.from('a.js\n'), truncatedBytes: 0, killed: null, durationMs: 1 })
  }
  const sandboxes = superviseSandboxes({ kind: 'process', open: async () => place, reap: async () => ({ removed: [] }), close: async () => {} }, { registry })
  const session = createRolloutSession({
    policy, limits: toolLimits, clock: systemClock, open: signal => sandboxes.open({ arena: null as never, view: 'tree', network: 'none', label: { run: store.run, purpose: rollout } }, signal), collect: async () => ({ refused: '' }),
    task: { role: 'solver', rolloutId: rollout, oraclePatch: '', seed: 1, tree: '', scratch: '', testCommand: null, turnsMax: 9, tokensMax: 9_000, commandMsMax: 1_000 }
  })
  const playing = observeWork(registry, { run: store.run, id: rollout, delivery: 1, within: '' }, () => playRollout('solver', session, { rolloutId: rollout, turnsMax: 9, tokensMax: 9_000, openMsMax: 9_000, askMsMax: 60_000, actMsMax: 9_000, collectMsMax: 9_000 }, new AbortController().signal, { registry, run: store.run, clock: systemClock }))
  const source = await sourceOf(t, registry, { everyMs: 10, recordsMs: 20 }, [store.dir])
  for (let left = 500; left > 0 && registry.named(`rollout/${store.run}/${rollout}`)?.transitions !== 4; left--) await new Promise(resolve => setTimeout(resolve, 10))
  const rows = [...registry.after(0, 10)].map(rowOf)
  t.same(rows.map(({ machine, parent }) => [machine, parent]), [['work', null], ['solver', 'local/1'], ['sandbox', 'local/2']])
  t.match(rows[1], { rollout, episode: 'e0009', run: store.run, state: 'asking', acts: ['rollout.cancel'] })
  const view = await readValue(source, `rollout/${store.run}/${rollout}/0`, 5_000) as RolloutView
  t.match(view, { isLive: true, row: { outcome: 'playing', role: 'solver' }, budget: { turns: { used: 1, max: 9 } }, sandbox: { id: 's' } })
  t.match(view.turns, [{ n: 1, said: { text: '<b>look</b>' }, call: { tool: 'bash', shown: { text: 'ls' } }, observation: { text: /a\.js/ }, exitCode: 0 }])
  await source.act({ do: 'send', actor: 'local/2', event: 'rollout.cancel' })
  t.match(await playing, { kind: 'cancelled' })
  go()
  await t.rejects(source.act({ do: 'send', actor: 'local/2', event: 'rollout.cancel' }), { code: 'BRIDGE_FAILED_PRECONDITION' })
})

t.test('of a rollout that has ended its session is let go, while its steps are kept', async t => {
  setFlagsFromString('--expose-gc')
  const collectGarbage = runInNewContext('gc') as () => void
  const registry = createRegistry({ node: 'local', clock: systemClock })
  const play = async (): Promise<WeakRef<object>> => {
    const session = createRolloutSession({
      policy: { name: 'p', version: '1', start: () => ({ next: async () => ({ text: 'enough', call: null, fault: 'it has ended', ends: true }), close: async () => {} }) },
      limits: toolLimits, clock: systemClock, collect: async () => ({ refused: '' }),
      open: async () => ({ id: 's', kind: 'process', isolation: 'none', tree: '/tree', scratch: '/scratch', readFile: async () => new Uint8Array(), writeFile: async () => {}, destroy: async () => {}, exec: async () => ({ exitCode: 0, output: Buffer.from(''), truncatedBytes: 0, killed: null, durationMs: 1 }) }),
      task: { role: 'solver', rolloutId: 'e0001.solve.1.0', oraclePatch: '', seed: 1, tree: '', scratch: '', testCommand: null, turnsMax: 9, tokensMax: 9_000, commandMsMax: 1_000 }
    })
    await playRollout('solver', session, { rolloutId: 'e0001.solve.1.0', turnsMax: 9, tokensMax: 9_000, openMsMax: 9_000, askMsMax: 60_000, actMsMax: 9_000, collectMsMax: 9_000 }, new AbortController().signal, { registry, run: 'r', clock: systemClock })
    return new WeakRef(session)
  }
  const session = await play()
  for (let left = 100; left > 0 && session.deref() !== undefined; left--) {
    await new Promise(resolve => setTimeout(resolve, 10))
    collectGarbage()
  }
  t.equal(session.deref(), undefined)
  t.match(rowOf(registry.get('local/1')!), { machine: 'solver', status: 'done', transitions: Number })
})

t.test('a folder is shown whole, and a run, an episode or a folder that is not there is told', async t => {
  const { store } = await makeRun(testFolder(t))
  const source = folderSource([store.dir])
  t.teardown(() => source.close())
  const value = async (topic: string) => await readValue(source, topic, 10_000)
  t.match(await value('cluster'), { nodes: [], runs: [{ run: store.run, acts: [] }] })
  const { rows } = await value(`episodes/${store.run}`) as { rows: { episode: string; state: string }[] }
  t.ok(rows.length > 0)
  for (const { episode } of rows) t.match(await value(`episode/${store.run}/${episode}`), { episode, lineage: Array, reward: { why: String } })
  const first = await value(`episode/${store.run}/e0001`)
  t.match(first, { verdict: { valid: true, checks: { length: 8 } }, breaker: { role: 'breaker', hasRecord: true } })
  t.match((first as { lineage: unknown[] }).lineage[0], { order: 1, files: [{ name: 'test_script.sh', kind: 'script' }, { kind: 'list' }], attempts: [{ member: 0, grade: { outcome: String } }] })
  t.match((first as { lineage: unknown[] }).lineage[1], { order: 2, madeOf: /^e0001\.solve\.1\.\d$/ })
  t.match(await value(`training/${store.run}`), { histogram: { bins: 10 }, optimum: { curve: { length: 51 } } })
  t.equal((await value('machine/episode') as { machine: string }).machine, machineViews().find(({ machine }) => machine === 'episode')!.machine)
  for (const topic of ['episodes/none', `episode/${store.run}/e9999`, `episode/${store.run}/..`, `rollout/${store.run}/e0001.nothing/0`, 'machine/none']) await t.rejects(value(topic), { code: /^INSPECT_/ }, topic)
  t.throws(() => folderSource([join(store.dir, 'none')]), { code: 'RUN_NOT_FOUND' })
  t.throws(() => folderSource([store.dir, store.dir]), { code: 'RUN_TWICE' })
  await t.rejects(source.act({ do: 'pause', run: store.run }), { code: 'ACT_REFUSED' })
})
