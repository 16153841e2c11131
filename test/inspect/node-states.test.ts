// Goal: whoever watches a cluster is told which nodes died, and is never told so of one that left.

import t from 'tap'
import { createNodeStates } from '../../src/inspect/node-states.ts'
import type { NodeRow } from '../../src/inspect/protocol.ts'

const row = (node: string, seenAt: number): NodeRow => ({ node, host: 'h', pid: 1, version: '', state: 'serving', labels: {}, slots: [], arenas: [], refusals: [], delivered: {}, actors: 3, startedAt: 0, seenAt })
const limits = { silentMs: 5, goneMs: 50, goneMax: 2 }
const words = (rows: NodeRow[]): string => rows.map(({ node, state }) => `${node} ${state}`).join(', ')

t.test('a presence that stays as it is, and then fades', async t => {
  const states = createNodeStates(limits)
  // The clock of the node is far off.
  const seen = [0, 4, 8].map(now => words(states([row('a', 9_000 + now), row('b', 7)], now)))
  t.same(seen, ['a serving, b serving', 'a serving, b serving', 'a serving, b silent'])
  t.equal(words(states([row('a', 9_010)], 10)), 'a serving, b gone')
  t.equal(words(states([row('a', 9_014), row('b', 8)], 14)), 'a serving, b serving', 'it is back')
  t.equal(words(states([], 16)), '', 'both have left')
})

t.test('those that are gone are forgotten in time, and the first of too many before', async t => {
  const states = createNodeStates(limits)
  const all = ['a', 'b', 'c'].map(node => row(node, 1))
  for (const now of [0, 4, 8]) states(all, now)
  t.equal(words(states([], 10)), 'b gone, c gone')
  t.equal(words(states([], 59)), 'b gone, c gone')
  t.equal(words(states([], 60)), '')
})

t.test('of what happened while nobody looked nothing is said', async t => {
  const states = createNodeStates(limits)
  for (const now of [0, 4, 8]) states([row('a', 1), row('b', 1)], now)
  t.equal(words(states([row('a', 1)], 1_000)), 'a serving')
})
