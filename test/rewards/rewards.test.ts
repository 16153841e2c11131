// Golden values from the paper's definitions, worked out by hand.

import t from 'tap'
import { breakerReward, groupAdvantages, peakSolveRate, solverReward } from '../../src/rewards/index.ts'

const near = (t: { ok (value: boolean, message: string): unknown }, actual: number | null, expected: number, what: string): void => { t.ok(actual !== null && Math.abs(actual - expected) < 1e-9, `${what}: ${actual} is ${expected}`) }

t.test('the breaker is paid by the solve rate of its bug', async t => {
  const table = [-0.8, 0.775, 0.55, 0.325, 0.1, -0.125, -0.35, -0.575, -0.8]
  for (const [solved, reward] of table.entries()) near(t, breakerReward({ valid: true, scored: 8, solved }), reward, `${solved} of 8`)
  t.equal(breakerReward({ valid: false, scored: 0, solved: 0 }), -1)
  near(t, breakerReward({ valid: true, scored: 4, solved: 1 }, { alpha: 0, scoredMin: 1 }), 0.75, 'without α')
})

t.test('the breaker has no reward where infrastructure took the figures', async t => {
  t.equal(breakerReward({ valid: null, scored: 0, solved: 0 }), null, 'validity not decided')
  t.equal(breakerReward({ valid: true, scored: 0, solved: 0 }), null, 'no attempt scored')
  t.equal(breakerReward({ valid: true, scored: 3, solved: 1 }, { alpha: 0.8, scoredMin: 4 }), null, 'too few scored')
  near(t, breakerReward({ valid: true, scored: 7, solved: 1 }), 1 - 1.8 / 7, 's is taken over scored attempts')
  t.throws(() => breakerReward({ valid: true, scored: 1, solved: 2 }), RangeError)
})

t.test('the solver is paid for a verdict only', async t => {
  t.equal(solverReward('scored', true), 1)
  t.equal(solverReward('scored', false), -1)
  t.equal(solverReward('policy_fault', null), -1)
  for (const outcome of ['infra_fault', 'cancelled', 'stale'] as const) t.equal(solverReward(outcome, null), null, outcome)
  t.equal(solverReward('scored', null), null)
})

t.test('a masked member has no advantage and moves no mean', async t => {
  const all = groupAdvantages([1, 1, 0])
  for (const [index, expected] of [1 / 3, 1 / 3, -2 / 3].entries()) near(t, all.advantages[index]!, expected, `member ${index}`)
  const masked = groupAdvantages([1, null, 0, 0])
  t.equal(masked.advantages[1], null)
  for (const [index, expected] of [[0, 2 / 3], [2, -1 / 3], [3, -1 / 3]] as const) near(t, masked.advantages[index]!, expected, `member ${index}`)
  t.notOk(masked.zeroGradient)
})

t.test('a group without a difference has no gradient', async t => {
  t.strictSame(groupAdvantages([-1, null, -1]), { advantages: [0, null, 0], mean: -1, zeroGradient: true })
  t.strictSame(groupAdvantages([0.1, 0.1, 0.1]).advantages, [0, 0, 0], 'exactly zero, whatever the mean rounds to')
  t.strictSame(groupAdvantages([null]), { advantages: [null], mean: null, zeroGradient: true })
})

t.test('the expected reward peaks where the paper says', async t => {
  near(t, Math.round(peakSolveRate(8) * 1000) / 1000, 0.257, 'G = 8')
  // The expectation over Binomial(8, p), by brute force.
  const expected = (p: number): number => Array.from({ length: 9 }, (_, k) => choose(8, k) * p ** k * (1 - p) ** (8 - k) * breakerReward({ valid: true, scored: 8, solved: k })!).reduce((a, b) => a + b)
  const best = Array.from({ length: 999 }, (_, index) => (index + 1) / 1000).reduce((a, b) => expected(b) > expected(a) ? b : a)
  near(t, best, 0.257, 'best of a thousand')
})

const choose = (n: number, k: number): number => k === 0 ? 1 : choose(n - 1, k - 1) * n / k
