// Goal: what docs/flakiness.md says of repeats is what the verifier does. Method: its stages over drawn runs, held against the
// formula within what chance allows; and the default number of repeats against the bound that it was chosen by.

import t from 'tap'
import { flakyCases, measure, worst } from '../../bench/flaky-draws.ts'
import { createRandom } from '../../src/random.ts'
import { verifyLimits } from '../../src/verify/index.ts'

const draws = 500
const tests: [p: number, repeats: number][] = [[0.1, 2], [0.5, 1], [0.5, 2], [0.5, 3], [0.8, 3]]

for (const drawn of flakyCases) {
  t.test(`${drawn.name}: ${drawn.what}`, async t => {
    for (const [p, repeats] of tests) {
      const expected = drawn.formula(p, repeats)
      const share = await measure(drawn, p, repeats, draws, createRandom(7).fork(`${p} ${repeats}`))
      // Four standard deviations, and one draw for the rarest.
      const slack = 4 * Math.sqrt(expected * (1 - expected) / draws) + 1 / draws
      t.ok(Math.abs(share - expected) <= slack, `p ${p}, ${repeats} repeats: ${share} is ${expected.toFixed(4)} ± ${slack.toFixed(4)}`)
    }
  })
}

t.test('the default takes a test that is flaky without the bug for its failure in at most one of fifty, whatever its chance', async t => {
  const ps = Array.from({ length: 99 }, (_, index) => (index + 1) / 100)
  const blamed = flakyCases.find(({ name }) => name === 'blamed')!
  t.ok(worst(blamed, verifyLimits.repeats, ps) <= 0.02, `${worst(blamed, verifyLimits.repeats, ps)}`)
  t.ok(worst(blamed, verifyLimits.repeats - 1, ps) > 0.02, 'and no fewer repeats do')
})
