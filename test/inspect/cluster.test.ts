// Goal: a cluster is seen from anywhere on its bus, all nodes in one list, its runs from what they keep; and is acted on. Method: two
// real nodes on a real server, one of them drained and one closed without a word; the commands as processes.

import t from 'tap'
import { machineViews } from '../../actors/definitions.ts'
import { createBridgeServer } from '../../src/bridge/server.ts'
import { clusterSource } from '../../src/cli/inspect-sources.ts'
import { getDocument } from '../../src/cluster/document.ts'
import { listNodes } from '../../src/cluster/presence.ts'
import { systemClock } from '../../src/clock.ts'
import type { ActorRow, ActorsChange, ActorsView, ClusterView, EpisodesView, EpisodeView, TrainingView } from '../../src/inspect/protocol.ts'
import { createRegistry } from '../../src/inspect/registry.ts'
import { serveInspect } from '../../src/inspect/serve.ts'
import { readValue } from '../../src/inspect/source.ts'
import { documentOf, ended, startTestNode, submit } from '../helpers/cluster-fixture.ts'
import { natsBroker } from '../helpers/nats-bus.ts'
import { natsServers, skipWithoutNats, startNats } from '../helpers/nats-server.ts'
import { spar } from '../helpers/spar.ts'
import { testFolder } from '../helpers/test-folder.ts'

t.test('two nodes and a run, from its start to its end', { skip: skipWithoutNats() }, async t => {
  const server = await startNats(t, { kind: natsServers().at(-1)!, syncInterval: '1s' })
  const { connect, prefix } = natsBroker(t, server.url)
  let letGo = (): void => {}
  const held = new Promise<void>(resolve => { letGo = resolve })
  const startShown = async (nodeId: string) => {
    const bus = await connect()
    const registry = createRegistry({ node: nodeId, clock: systemClock })
    const node = startTestNode({ bus, nodeId, registry, standIn: { before: ({ work }) => work.kind === 'grade' ? held : undefined } })
    const bridge = createBridgeServer({ bus, clock: systemClock })
    await serveInspect(bridge, { registry, machines: machineViews, clock: systemClock, drain: () => node.drain() })
    await node.ready
    return { node, bridge, bus }
  }
  const [one, two] = [await startShown('n1'), await startShown('n2')]
  const bus = await connect()
  const source = clusterSource(bus)
  t.teardown(() => source.close())
  const value = async <Value>(topic: string): Promise<Value> => await readValue(source, topic, 20_000) as Value
  await submit(bus, documentOf('r1', { episodes: 4, group: 4 }))
  const over = new AbortController()
  const rows = new Map<string, ActorRow>()
  const following = (async () => {
    for await (const update of source.open('actors', over.signal)) {
      const { rows: told, gone } = 'full' in update ? { ...update.full as ActorsView, gone: [] } : update.change as ActorsChange
      for (const row of told) rows.set(row.key, row)
      for (const key of gone) rows.delete(key)
    }
  })()
  const until = async (holds: () => boolean, what: string): Promise<void> => {
    for (let left = 1_500; left > 0; left--) {
      if (holds()) return
      await new Promise(resolve => setTimeout(resolve, 20))
    }
    throw new Error(`never: ${what}`)
  }
  const some = (fits: (row: ActorRow) => boolean): boolean => [...rows.values()].some(fits)

  await until(() => some(({ work, state }) => work?.includes('.grade.') === true && state === 'working'), 'grading')
  // Which node tells first is open: that of the episode may come after that of its grade.
  await until(() => some(({ machine, state }) => machine === 'episode' && state === 'solving'), 'solving')
  t.same([...new Set([...rows.values()].map(({ node }) => node))].sort(), ['n1', 'n2'])
  const cluster = await value<ClusterView>('cluster')
  t.match(cluster, { nodes: [{ node: 'n1', state: 'serving', actors: Number, slots: Array }, { node: 'n2' }], runs: [{ run: 'r1', state: 'running', acts: ['pause', 'cancel'], episodes: { settled: 0, total: 4 } }], ledger: { open: Number } })
  t.ok(cluster.queues.find(({ kind }) => kind === 'grade')!.taken > 0)
  const live = await value<EpisodesView>('episodes/r1')
  t.ok(live.rows.some(({ state, node }) => state === 'solving' && /^n[12]$/.test(node ?? '')), 'episodes in flight say where they are')
  await source.act({ do: 'pause', run: 'r1' })
  t.equal((await getDocument(bus, 'r1')).state, 'paused')
  await t.rejects(source.act({ do: 'pause', run: 'r2' }), { code: 'INSPECT_NOT_FOUND' })
  await source.act({ do: 'resume', run: 'r1' })
  await source.act({ do: 'drain', node: 'n2' })
  await until(() => some(({ node, state, machine }) => node === 'n2' && machine === 'node' && state !== 'attending.serving'), 'draining')
  letGo()
  t.match(await two.node.ended, { kind: 'left' })
  await two.bridge.destroy()
  await until(() => !some(({ node }) => node === 'n2'), 'a node that has left takes its actors along')
  t.equal((await ended(bus, 'r1')).document.state, 'done')

  await t.test('what the run has kept', async t => {
    const { rows } = await value<EpisodesView>('episodes/r1')
    t.same(rows.map(({ episode, state }) => [episode, state]), ['e0001', 'e0002', 'e0003', 'e0004'].map(episode => [episode, 'done']))
    const played = rows.find(({ ending }) => ending!.kind === 'played')!
    const view = await value<EpisodeView>(`episode/r1/${played.episode}`)
    t.match(view, { verdict: { valid: true }, lineage: [{ files: [{ name: 'test_script.sh' }, {}, {}, { name: 'bug_inject.diff', kind: 'diff' }, {}] }] })
    t.equal(view.lineage[0]!.attempts.length, 4)
    t.match(view.lineage[0]!.attempts.find(({ solved }) => solved !== null), { patch: { text: /^patch of/ }, rollout: { reward: Number } })
    const training = await value<TrainingView>('training/r1')
    t.equal(training.points.reduce((sum, { episodes }) => sum + episodes, 0), 4)
    t.match(await value('cluster'), { runs: [{ state: 'done', acts: [] }], throughput: { episodes: 4 } })
  })

  await t.test('as commands', async t => {
    const folder = testFolder(t)
    const options = { home: folder, cwd: folder }
    const at = ['--nats', server.url, '--nats-prefix', prefix]
    const top = await spar(['top', ...at, '--json'], options)
    t.equal(top.code, 0, top.err)
    t.match(top.json, { cluster: { nodes: [{ node: 'n1' }], runs: [{ run: 'r1' }] }, actors: Array })
    t.ok(top.json.actors.some(({ machine }: ActorRow) => machine === 'slot'))
    t.match(await spar(['top', ...at], options), { code: 0, out: /NODE +STATE[\s\S]*n1 +serving[\s\S]*r1 +done/ })
    let page = ''
    const inspect = await spar(['inspect', ...at, '--listen', '127.0.0.1:0'], { ...options, onErr: (text, child) => {
      const url = /Inspect: (\S+)/.exec(text)?.[1]
      if (url !== undefined) void fetch(`${url}value?topic=runs`).then(async answer => { page = await answer.text() }).finally(() => child.kill('SIGTERM'))
    } })
    t.equal(inspect.code, 0, inspect.err)
    t.match(page, /"run":"r1"/)
    t.match(await spar(['inspect', ...at, '--listen', '0.0.0.0:0'], options), { code: 64, err: /--token/ })
    const node = await spar(['node', ...at, '--name', 'n3', '--http', 'off', '--sandbox', 'process', '--log-level', 'debug', '--inspect=127.0.0.1:0', '--token', 'short'], options)
    t.match(node, { code: 64, err: /token/ })
    t.notMatch(node.out + node.err, /has joined/, 'a node whose page cannot be served has not joined')
    t.notOk((await listNodes(bus)).some(({ node }) => node === 'n3'))
  })

  over.abort()
  await following
  one.node.drain()
  await one.node.ended
  await one.bridge.destroy()
})
