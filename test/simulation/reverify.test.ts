// Goal: whatever befalls a cluster, what it leaves follows from its own evidence. Method: runs of many seeds, faults among them, are
// fetched as folders and followed.

import { join } from 'node:path'
import t from 'tap'
import { openPlace } from '../../actors/simulation/place.ts'
import { drawRuns } from '../../actors/simulation/runs.ts'
import { simulate } from '../../actors/simulation/simulate.ts'
import { fetchRun } from '../../src/cluster/fetch.ts'
import { followRun, type Difference } from '../../src/reverify/index.ts'
import { drawFaults } from '../../src/simulation/faults.ts'
import { openRunStore } from '../../src/store/run.ts'
import { testFolder } from '../helpers/test-folder.ts'

const seeds = 15

t.test('what a cluster leaves follows', { timeout: 590_000 }, async t => {
  const out = testFolder(t)
  let followed = 0
  for (let seed = 1; seed <= seeds; seed++) {
    const differences: Difference[] = []
    await simulate({
      seed, nodes: 2, episodes: 4, runs: drawRuns(seed, 4), plan: drawFaults(seed),
      onEnd: async ({ inner, retry, document }) => {
        if (document.arenas.every(({ opened }) => opened === null)) return
        for (const { dir } of await fetchRun({ bus: inner, retry, versions: { spar: 'x', node: 'x' } }, document.name, join(out, `${seed}-${document.name}`))) {
          const { facts, notes } = await followRun(openRunStore(dir))
          followed += facts.length
          differences.push(...notes.differences)
        }
      }
    }, openPlace())
    t.strictSame(differences, [], `seed ${seed}`)
  }
  t.ok(followed > seeds, `${followed} episodes`)
})
