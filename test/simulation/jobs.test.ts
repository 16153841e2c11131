// Goal: seeds that are dealt to processes come back as one process would play them, and none is lost in silence. Method: the command with
// one job and with three; processes that die under a seed.

import { fileURLToPath } from 'node:url'
import t from 'tap'
import { playApart } from '../../src/cli/simulate-seeds.ts'
import { noFaults } from '../../src/simulation/faults.ts'
import { spar } from '../helpers/spar.ts'
import { testFolder } from '../helpers/test-folder.ts'

t.test('three processes say what one says, in the same order', async t => {
  const dir = testFolder(t)
  const argv = ['simulate', '--seed', '11', '--seeds', '7', '--nodes', '2', '--episodes', '2', '--json', '--jobs']
  const [one, three] = await Promise.all(['1', '3'].map(jobs => spar([...argv, jobs], { home: dir, cwd: dir })))
  t.equal(three!.code, 0, three!.err)
  t.equal(three!.out, one!.out)
  t.equal(one!.out.trim().split('\n').length, 7)
})

t.test('a process that is killed is an error with the name of its seed, after the seeds before it', async t => {
  const seeds = Array.from({ length: 9 }, (_, index) => ({ seed: index + 1, nodes: 1, episodes: 1, runs: 1, plan: noFaults }))
  const told: number[] = []
  const play = async (): Promise<void> => {
    for await (const { one, simulated } of playApart(seeds.values(), 2, fileURLToPath(new URL('worker-that-dies.js', import.meta.url)))) {
      t.equal(simulated.seed, one.seed)
      told.push(one.seed)
    }
  }
  await t.rejects(play(), { code: 'SIMULATION_LOST', message: /^Seed 4 .* was killed by SIGKILL$/ })
  t.same(told, [1, 2, 3])
})
