// Goal: the list has every actor of a node that was away for a while, also those that do nothing. Method: this process as a node over the
// bridge, which is left out of the list of nodes for a time; pauses are short.

import t from 'tap'
import { systemClock } from '../../src/clock.ts'
import { createActorsFeed } from '../../src/inspect/actors-feed.ts'
import { inspectLimits } from '../../src/inspect/limits.ts'
import { ownNode } from '../../src/inspect/nodes.ts'
import type { NodeRow } from '../../src/inspect/protocol.ts'
import { createRegistry, type Look } from '../../src/inspect/registry.ts'
import type { Clock } from '../../src/ports.ts'

const look: Look = { state: snapshot => String(snapshot), tags: () => [], context: snapshot => snapshot, children: () => [], acts: () => [], now: () => 'idle', follow: () => () => {}, hear: () => () => {}, send () {} }

t.test('a node that was not in one list is followed anew when it is back', async t => {
  const registry = createRegistry({ node: 'local', clock: systemClock })
  const known = registry.enter({ name: 'a', within: '', machine: 'm', id: 'a', run: null, episode: null, rollout: null, work: null }, look, {})
  known.seen('idle')
  const row: NodeRow = { node: 'local', host: 'h', pid: 1, version: '', state: 'serving', labels: {}, slots: [], arenas: [], refusals: [], delivered: {}, actors: null, startedAt: 0, seenAt: 0 }
  const nodes = await ownNode({ registry, machines: () => [], clock: systemClock, drain: null, limits: { everyMs: 5 } }, () => row)
  t.teardown(() => nodes.close())
  let isThere = true
  const clock: Clock = { ...systemClock, sleep: (ms, signal) => systemClock.sleep(Math.min(ms, 10), signal) }
  const feed = createActorsFeed({ ...nodes, list: async () => isThere ? await nodes.list() : [] }, { clock, limits: inspectLimits })
  const release = feed.hold()
  const until = async (size: number): Promise<void> => {
    for (let left = 500; left > 0 && feed.rows.size !== size; left--) await systemClock.sleep(10)
    t.equal(feed.rows.size, size)
  }
  await until(1)
  isThere = false
  await until(0)
  isThere = true
  await until(1)
  release()
})
