// Plays seeds in one process, and says how many bytes its heap holds after the first ten and after all. Run it with --expose-gc.

import { openPlace } from '../../actors/simulation/place.ts'
import { simulate } from '../../actors/simulation/simulate.ts'
import { defaultFaults } from '../../src/simulation/faults.ts'

const seeds = Number(process.argv[2])
for (let seed = 1; seed <= seeds; seed++) {
  await simulate({ seed, nodes: 3, episodes: 2, runs: 2, plan: defaultFaults }, openPlace())
  if (seed !== 10 && seed !== seeds) continue
  globalThis.gc!()
  await new Promise(resolve => setTimeout(resolve, 100))
  globalThis.gc!()
  process.stdout.write(`${process.memoryUsage().heapUsed}\n`)
}
