// One process that plays seeds until a rule is broken, and says of each how it went: for tests that compare processes, and that play
// versions of the product with a defect in it.

import { openPlace } from '../../actors/simulation/place.ts'
import { drawRuns } from '../../actors/simulation/runs.ts'
import { simulate } from '../../actors/simulation/simulate.ts'
import { drawFaults, noFaults, type FaultPlan } from '../../src/simulation/faults.ts'

const [first, count, nodes, episodes] = process.argv.slice(2, 6).map(Number) as [number, number, number, number]
const faults = process.argv[6] === undefined ? null : JSON.parse(process.argv[6]) as { chances: Partial<FaultPlan['chances']>; rates: Partial<FaultPlan['rates']> }
const planOf = (seed: number): FaultPlan => faults === null ? drawFaults(seed) : { ...noFaults, chances: { ...noFaults.chances, ...faults.chances }, rates: { ...noFaults.rates, ...faults.rates } }
// The first seed has no faults: some rules hold only there.
for (let seed = first; seed < first + count; seed++) {
  const { hash, violations } = await simulate({ seed, nodes, episodes, runs: drawRuns(seed, episodes), plan: seed === first ? noFaults : planOf(seed) }, openPlace())
  process.stdout.write(JSON.stringify({ seed, hash, violations }) + '\n')
  if (violations.length > 0) break
}
